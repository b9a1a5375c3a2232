//! What happened in this world, in the form that the oracle judges.

use std::collections::BTreeSet;

use flink_operator_oracle::history::{Calm, Change, History, Request, Verb};

use super::control::Cluster;
use super::kubelet::moment;
use crate::api;

impl Cluster {
    /// Collects the history so far. `operators` tells which client instances are operators: what the others
    /// (users, tests) sent is seen by its effects only.
    pub fn history(&self, operators: impl Fn(&str) -> bool, calm: Option<Calm>) -> History {
        let server = &self.inner.api;
        let log = server.history();
        // A request that nobody waits for any more is settled by what it changed.
        let effective: BTreeSet<u64> = log
            .iter()
            .filter_map(|change| change.author.request)
            .collect();
        let requests = server
            .journal_records()
            .into_iter()
            .filter(|record| {
                operators(&record.request.instance) && record.request.subresource != "proxy"
            })
            .filter_map(|record| request_of(&record, effective.contains(&record.seq)))
            .collect();
        let changes = log.iter().map(|change| Change {
            moment: moment(change.moment),
            kind: change.key.kind.kind.to_owned(),
            namespace: change.key.namespace.clone(),
            name: change.key.name.clone(),
            old: change.old.as_deref().cloned(),
            new: change.new.as_deref().cloned(),
        });
        let mut history = History {
            changes: changes.collect(),
            requests,
            calls: self
                .calls()
                .into_iter()
                .filter(|call| operators(&call.instance))
                .collect(),
            runs: self.runs(),
            snapshots: self.snapshots(),
            calm,
            end: moment(server.clock().moment()),
        };
        // Records are kept in the order of departure; judged they are in the order of arrival.
        history.requests.sort_by_key(|request| request.moment);
        history.calls.sort_by_key(|call| call.moment);
        history
    }
}

fn request_of(record: &api::Record, changed: bool) -> Option<Request> {
    let verb = match record.request.verb? {
        api::Verb::Get => Verb::Get,
        api::Verb::List => Verb::List,
        api::Verb::Watch => Verb::Watch,
        api::Verb::Create => Verb::Create,
        api::Verb::Update => Verb::Update,
        api::Verb::Patch => Verb::Patch,
        api::Verb::Delete => Verb::Delete,
        api::Verb::DeleteCollection => Verb::DeleteCollection,
    };
    Some(Request {
        moment: moment(record.arrived.unwrap_or(record.sent)),
        instance: record.request.instance.clone(),
        verb,
        resource: record.request.resource.clone(),
        subresource: record.request.subresource.clone(),
        namespace: record.request.namespace.clone(),
        name: record.request.name.clone(),
        body: record.request.body.clone(),
        applied: changed || record.outcome.succeeded(),
    })
}
