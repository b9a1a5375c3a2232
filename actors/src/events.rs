//! Kubernetes events: upstream's names and counts, best effort, never in the way of a pass.

use crate::api::Api;
use crate::clock::Clock;
use operator_core::decision::Notice;
use operator_core::name::Uid;
use operator_core::resource::Meta;
use serde_json::{Value, json};
use std::fmt;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// How many events wait to be sent; more are dropped, and counted in the log.
const QUEUE: usize = 1024;
/// The longest note, in characters.
const LONGEST: usize = 1000;

/// Where a pass leaves its events.
#[derive(Clone, Debug)]
pub struct EventSink(mpsc::Sender<Event>);

/// Sends events one after another.
pub struct EventSender {
    queue: mpsc::Receiver<Event>,
    api: Api,
    clock: Clock,
    instance: String,
}

#[derive(Debug)]
struct Event {
    about: About,
    notice: Notice,
}

/// The resource that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Uid,
}

impl From<&Meta> for About {
    fn from(meta: &Meta) -> Self {
        Self {
            kind: meta.key.kind.as_str(),
            namespace: meta.key.namespace.clone(),
            name: meta.key.name.clone(),
            uid: meta.uid.clone(),
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Makes a bounded queue of events and the task that empties it.
pub fn queue(api: Api, clock: Clock, instance: impl Into<String>) -> (EventSink, EventSender) {
    let (sink, queue) = mpsc::channel(QUEUE);
    (
        EventSink(sink),
        EventSender {
            queue,
            api,
            clock,
            instance: instance.into(),
        },
    )
}

impl EventSink {
    /// Leaves an event. A full queue drops it: events are news, not records.
    pub fn emit(&self, about: impl Into<About>, notice: Notice) {
        let event = Event {
            about: about.into(),
            notice,
        };
        if let Err(error) = self.0.try_send(event) {
            let (TrySendError::Full(event) | TrySendError::Closed(event)) = error;
            let (about, reason) = (event.about, event.notice.reason);
            tracing::warn!(resource = %about, %reason, "event dropped: the queue is full or closed");
        }
    }
}

impl EventSender {
    /// Sends events until the last sink is gone.
    pub async fn run(mut self) {
        while let Some(event) = self.queue.recv().await {
            self.send(&event).await;
        }
    }

    async fn send(&self, event: &Event) {
        let namespace = &event.about.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/events");
        let name = name(&event.about, &event.notice);
        let body = self.body(&name, event);
        let Err(failure) = self.api.post(&path, &body, None).await else {
            return;
        };
        let failure = match failure.code() {
            Some(409) => match self.again(&format!("{path}/{name}"), event).await {
                Ok(()) => return,
                Err(failure) => failure,
            },
            _ => failure,
        };
        // A namespace that is being deleted takes no events, and rights may be missing.
        tracing::debug!(resource = %event.about, reason = %event.notice.reason, error = %failure.why, "event not sent");
    }

    /// Counts a repeated event instead of making another.
    async fn again(&self, path: &str, event: &Event) -> Result<(), crate::api::Failure> {
        let Some(stored) = self.api.get(path).await? else {
            return Ok(());
        };
        let stored: Value = serde_json::from_slice(&stored).unwrap_or_default();
        let count = stored["count"].as_i64().unwrap_or(1) + 1;
        let counted = json!({
            "count": count,
            "lastTimestamp": stamp(&self.clock),
            "message": message(&event.notice),
        });
        self.api.merge(path, &counted).await.map(|_| ())
    }

    fn body(&self, name: &str, event: &Event) -> Value {
        let (about, notice) = (&event.about, &event.notice);
        let now = stamp(&self.clock);
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": name, "namespace": about.namespace },
            "involvedObject": {
                "apiVersion": "flink.apache.org/v1beta1",
                "kind": about.kind,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid.as_str(),
            },
            "type": if notice.warning { "Warning" } else { "Normal" },
            "reason": notice.reason,
            "message": message(notice),
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": { "component": notice.component },
            "reportingInstance": self.instance,
            "reportingComponent": "flink-kubernetes-operator",
        })
    }
}

fn message(notice: &Notice) -> String {
    notice.message.chars().take(LONGEST).collect()
}

/// Writes a time as Kubernetes does: whole seconds.
fn stamp(clock: &Clock) -> String {
    clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Names an event as upstream does, so that a repeat meets the first.
fn name(about: &About, notice: &Notice) -> String {
    let type_ = if notice.warning { "Warning" } else { "Normal" };
    let text = format!(
        "{}{}{type_}{}{}{}",
        notice.reason,
        notice.message,
        about.kind,
        about.name,
        about.uid.as_str()
    );
    let hash = text.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Upstream writes the component as it is; names of objects are lower case, though.
    format!(
        "{}.{}",
        notice.component.to_ascii_lowercase(),
        hash & i32::MAX
    )
}
