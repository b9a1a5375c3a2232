//! Kubernetes events: upstream's names and counts, best effort, never in the way of a pass.

use crate::api::Api;
use crate::clock::Clock;
use operator_core::decision::Notice;
use operator_core::resource::Meta;
use serde_json::{Value, json};
use tokio::sync::mpsc;

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
    meta: Meta,
    notice: Notice,
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
    pub fn emit(&self, meta: &Meta, notice: Notice) {
        let reason = notice.reason.clone();
        let event = Event {
            meta: meta.clone(),
            notice,
        };
        if self.0.try_send(event).is_err() {
            tracing::warn!(resource = %meta.key, %reason, "event dropped: the queue is full or closed");
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
        let namespace = &event.meta.key.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/events");
        let name = name(&event.meta, &event.notice);
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
        tracing::debug!(resource = %event.meta.key, reason = %event.notice.reason, error = %failure.why, "event not sent");
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
        let (meta, notice) = (&event.meta, &event.notice);
        let now = stamp(&self.clock);
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": name, "namespace": meta.key.namespace },
            "involvedObject": {
                "apiVersion": "flink.apache.org/v1beta1",
                "kind": meta.key.kind.as_str(),
                "namespace": meta.key.namespace,
                "name": meta.key.name,
                "uid": meta.uid.as_str(),
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
fn name(meta: &Meta, notice: &Notice) -> String {
    let type_ = if notice.warning { "Warning" } else { "Normal" };
    let text = format!(
        "{}{}{type_}{}{}{}",
        notice.reason,
        notice.message,
        meta.key.kind.as_str(),
        meta.key.name,
        meta.uid.as_str()
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
