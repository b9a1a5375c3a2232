//! The record of every request that left a client.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::route::{Call, Verb};
use crate::clock::Moment;

/// What a request asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Which instance sends it.
    pub instance: String,
    /// None for requests that are to no kind, such as `/version`.
    pub verb: Option<Verb>,
    /// API group; empty for the core.
    pub group: String,
    /// Plural of the kind.
    pub resource: String,
    /// `status`, `scale`, `proxy` or empty.
    pub subresource: String,
    /// Empty for cluster-scoped kinds and requests across namespaces.
    pub namespace: String,
    /// Empty for lists and creations by `generateName`.
    pub name: String,
    /// The path without its query.
    pub path: String,
    /// The query.
    pub query: BTreeMap<String, String>,
    /// The body of requests that change something.
    pub body: Option<Value>,
}

impl Request {
    /// Tells whether the request changes something.
    pub fn mutates(&self) -> bool {
        self.verb.is_some_and(Verb::mutates)
    }

    pub(crate) fn of(instance: &str, path: &str, call: &Call) -> Self {
        let name = if call.name.is_empty() {
            super::object::name(&call.body)
        } else {
            &call.name
        };
        Self {
            instance: instance.to_owned(),
            verb: Some(call.verb),
            group: call.kind.group.to_owned(),
            resource: call.kind.resource.to_owned(),
            subresource: call.subresource.clone(),
            namespace: call.namespace.clone(),
            name: name.to_owned(),
            path: path.to_owned(),
            query: call.query.clone(),
            body: call.verb.mutates().then(|| call.body.clone()),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(verb) = self.verb else {
            return out.write_str(&self.path);
        };
        write!(out, "{} {}", verb.word(), self.resource)?;
        if !self.subresource.is_empty() {
            write!(out, "/{}", self.subresource)?;
        }
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => Ok(()),
            ("", name) => write!(out, " {name}"),
            (namespace, "") => write!(out, " {namespace}/"),
            (namespace, name) => write!(out, " {namespace}/{name}"),
        }
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on its way, or its client stopped waiting before it was sent.
    Open,
    /// It never arrived.
    Lost,
    /// It was carried out or refused, and the client was told with this code.
    Answered(u16),
    /// It was carried out or refused with this code, and the client was not told so.
    Unheard(u16),
}

impl Outcome {
    /// Gives the code with which the server ended the request, heard or not.
    pub fn code(self) -> Option<u16> {
        match self {
            Self::Open | Self::Lost => None,
            Self::Answered(code) | Self::Unheard(code) => Some(code),
        }
    }

    /// Tells whether the server carried the request out.
    pub fn succeeded(self) -> bool {
        self.code().is_some_and(|code| code < 300)
    }
}

/// One request with what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Counts the requests of this world from 1.
    pub seq: u64,
    /// When it left the client.
    pub sent: Moment,
    /// When it reached the server.
    pub arrived: Option<Moment>,
    /// What it asked for.
    pub request: Request,
    /// The number of its crash point, for requests that change something.
    pub point: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// The server's version after it.
    pub version: Option<u64>,
}

impl fmt::Display for Record {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "#{} {} {} {} {:?}",
            self.seq, self.sent.at, self.request.instance, self.request, self.outcome
        )
    }
}

/// All records in the order in which requests left their clients.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: Vec<Record>,
    /// How many records have been dropped from the front.
    forgotten: u64,
}

impl Journal {
    pub(crate) fn open(&mut self, sent: Moment, request: Request) -> u64 {
        let count = u64::try_from(self.records.len()).expect("a test makes fewer requests");
        let seq = self.forgotten + count + 1;
        self.records.push(Record {
            seq,
            sent,
            arrived: None,
            request,
            point: None,
            outcome: Outcome::Open,
            version: None,
        });
        seq
    }

    /// Changes a record, unless it has been dropped meanwhile.
    pub(crate) fn amend(&mut self, seq: u64, change: impl FnOnce(&mut Record)) {
        let Some(index) = seq.checked_sub(self.forgotten + 1) else {
            return;
        };
        let index = usize::try_from(index).expect("sequence numbers fit into memory");
        change(&mut self.records[index]);
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn forget(&mut self) {
        self.forgotten += u64::try_from(self.records.len()).expect("a test makes fewer requests");
        self.records.clear();
    }
}
