//! Events on pods, as scheduler and kubelet write them; best effort.

use k8s_openapi::api::core::v1::Pod;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::mpsc;

/// Longer notes are refused by the API server.
const LONGEST_NOTE: usize = 1_000;

/// Writes events in the background, in order.
#[derive(Debug, Clone)]
pub(super) struct Events {
    queue: mpsc::UnboundedSender<(Event, k8s_openapi::api::core::v1::ObjectReference)>,
}

impl Events {
    /// Starts writing, until the last clone is gone.
    pub(super) fn start(client: Client, node: &str) -> Self {
        let recorder = Recorder::new(
            client,
            Reporter {
                controller: "kubelet".to_owned(),
                instance: Some(node.to_owned()),
            },
        );
        let (queue, mut events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some((event, reference)) = events.recv().await {
                if let Err(error) = recorder.publish(&event, &reference).await {
                    tracing::debug!(%error, reason = event.reason, "an event was not written");
                }
            }
        });
        Self { queue }
    }

    /// Tells something that is going as it should.
    pub(super) fn normal(&self, pod: &Pod, reason: &'static str, note: impl Into<String>) {
        self.send(EventType::Normal, pod, reason, note.into());
    }

    /// Tells something that is not.
    pub(super) fn warning(&self, pod: &Pod, reason: &'static str, note: impl Into<String>) {
        self.send(EventType::Warning, pod, reason, note.into());
    }

    fn send(&self, type_: EventType, pod: &Pod, reason: &'static str, mut note: String) {
        if note.len() > LONGEST_NOTE {
            let end = (0..=LONGEST_NOTE)
                .rev()
                .find(|at| note.is_char_boundary(*at))
                .unwrap_or_default();
            note.truncate(end);
        }
        tracing::info!(
            pod = pod.name_any(),
            namespace = pod.namespace(),
            reason,
            note,
            "pod event"
        );
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: reason.to_owned(),
            secondary: None,
        };
        // The receiver is gone only when the node is ending.
        let _ = self.queue.send((event, pod.object_ref(&())));
    }
}
