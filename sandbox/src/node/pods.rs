//! Watches all pods: unbound ones are scheduled, those of this node get a task each.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::quantity::Amount;
use super::registration;
use super::scheduling::{self, Ledger};
use super::worker::{Sighting, look_after};
use super::{Node, scheduling::awaits_binding};

/// How long to wait before trying again to bind, if the API server refused for no good reason.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// All pods that concern this node.
struct Pods {
    node: Arc<Node>,
    ledger: Ledger,
    /// Pods that wait for a node, by uid.
    unbound: BTreeMap<String, Arc<Pod>>,
    /// The tasks of pods that are on this node, by uid.
    bound: BTreeMap<String, watch::Sender<Sighting>>,
    /// Uids that a listing has shown so far.
    listed: HashSet<String>,
    tasks: JoinSet<()>,
}

/// Watches until it is dropped; then all pods' tasks, and with them all processes, end too.
pub(super) async fn run(node: Arc<Node>) {
    let allocatable = node
        .allocatable
        .iter()
        .map(|(name, quantity)| (name.clone(), Amount::from(quantity)))
        .collect();
    let ledger = Ledger::new(allocatable, registration::labels(&node.config.node_name));
    let api = Api::<Pod>::all(node.config.client.clone());
    let mut pods = Pods {
        node,
        ledger,
        unbound: BTreeMap::new(),
        bound: BTreeMap::new(),
        listed: HashSet::new(),
        tasks: JoinSet::new(),
    };
    let mut events = pin!(watcher(api, watcher::Config::default()).default_backoff());
    loop {
        let again = tokio::select! {
            Some(event) = events.next() => match event {
                Ok(event) => pods.take(event),
                Err(error) => {
                    tracing::warn!(%error, "the watch of pods was interrupted");
                    false
                }
            },
            Some(_) = pods.tasks.join_next() => false,
            () = tokio::time::sleep(AFTER_REFUSAL), if !pods.unbound.is_empty() => true,
        };
        if again {
            pods.schedule().await;
        }
    }
}

impl Pods {
    /// Takes over what has been seen; returns whether a pod might be bound now.
    fn take(&mut self, event: Event<Pod>) -> bool {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => {
                self.listed.extend(pod.uid());
                self.see(pod);
            }
            Event::InitDone => {
                let known = self.bound.keys().chain(self.unbound.keys());
                let lost: Vec<String> = known
                    .filter(|uid| !self.listed.contains(*uid))
                    .cloned()
                    .collect();
                for uid in &lost {
                    self.lose(uid);
                }
            }
            Event::Apply(pod) => self.see(pod),
            Event::Delete(pod) => self.lose(&pod.uid().unwrap_or_default()),
        }
        !self.unbound.is_empty()
    }

    fn see(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        let pod = Arc::new(pod);
        if awaits_binding(&pod) {
            self.unbound.insert(uid, pod);
            return;
        }
        self.unbound.remove(&uid);
        let on_node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        if on_node != Some(&self.node.config.node_name) {
            return;
        }
        self.ledger.count(&pod);
        let sighting = Sighting { pod, gone: false };
        if let Some(task) = self.bound.get(&uid) {
            // A task that has ended has nothing left to do.
            task.send_replace(sighting);
            return;
        }
        let (sender, sightings) = watch::channel(sighting);
        self.tasks.spawn(look_after(self.node.clone(), sightings));
        self.bound.insert(uid, sender);
    }

    fn lose(&mut self, uid: &str) {
        self.unbound.remove(uid);
        self.ledger.forget(uid);
        if let Some(task) = self.bound.remove(uid) {
            task.send_modify(|sighting| sighting.gone = true);
        }
    }

    /// Binds every pod that fits; tells of the others why they don't.
    async fn schedule(&mut self) {
        let waiting: Vec<(String, Arc<Pod>)> = self
            .unbound
            .iter()
            .map(|(uid, pod)| (uid.clone(), pod.clone()))
            .collect();
        for (uid, pod) in waiting {
            if let Err(why) = self.ledger.fits(&pod) {
                scheduling::refuse(&self.node, &pod, &why).await;
                continue;
            }
            match scheduling::bind(&self.node, &pod).await {
                Ok(()) => {
                    self.ledger.count(&pod);
                    self.unbound.remove(&uid);
                }
                // Gone or bound in the meantime: the watch will tell.
                Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {
                    drop(self.unbound.remove(&uid));
                }
                Err(error) => {
                    tracing::warn!(pod = pod.name_any(), %error, "cannot bind a pod; trying again");
                }
            }
        }
    }
}
