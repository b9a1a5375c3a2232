//! Acting: intent first, then effects in order, believing only what is sure.

use super::paths;
use super::report::{End, PassReport};
use crate::shell::Shell;
use jiff::Timestamp;
use operator_core::decide;
use operator_core::decision::{Decision, Notice, Revisit};
use operator_core::effect::{Effect, Outcome, Receipt};
use operator_core::fact::Why;
use operator_core::name::ResourceVersion;
use operator_core::observed::Observed;
use operator_core::resource::{Body, Status};
use serde_json::{Value, json};

/// When to look again after a conflict.
const AFTER_CONFLICT: jiff::SignedDuration = jiff::SignedDuration::from_millis(200);
/// When to look again after an effect of unknown outcome.
const AFTER_UNKNOWN: jiff::SignedDuration = jiff::SignedDuration::from_millis(500);

/// The status fields that upstream's CRD does not know.
const ADDITIVE: [&str; 3] = ["operation", "cluster", "lineage"];

/// One pass in its acting part.
pub(super) struct Acting<'a> {
    pub(super) shell: &'a Shell,
    pub(super) observed: &'a Observed,
    /// The resource's version after the last write.
    pub(super) resource_version: String,
    /// The status as it stands at the API server.
    written: Option<Value>,
}

/// Carries out a decision and stores what came of it.
pub(super) async fn carry_out(
    shell: &Shell,
    observed: &Observed,
    decision: Decision,
    now: Timestamp,
) -> PassReport {
    let meta = &observed.resource.meta;
    if let Status::Unreadable(broken) = &decision.status {
        let message = format!(
            "the stored status cannot be read ({broken}), so that nothing can be done safely; repair it with kubectl edit \
             --subresource=status, or run the version of the operator that wrote it"
        );
        shell
            .events
            .emit(meta, Notice::warning("Operator", "Unreadable", message));
        return PassReport::of(End::Unreadable(broken.clone())).revisiting(decision.revisit);
    }
    let mut acting = Acting::new(shell, observed);
    let report = acting.all(decision, now).await;
    let written = (acting.resource_version != meta.resource_version.as_str())
        .then(|| ResourceVersion::new(acting.resource_version));
    PassReport { written, ..report }
}

fn ended(end: End, decision: &Decision) -> PassReport {
    let report = PassReport::of(end).about(&decision.status);
    match &report.end {
        End::Conflict => report.revisiting(Revisit::after(AFTER_CONFLICT, "conflict")),
        _ => report,
    }
}

/// Returns whether the installed CRD keeps what an intent relies on; asks without storing anything.
pub(super) async fn crd_keeps(
    shell: &Shell,
    observed: &Observed,
    intent: &Status,
) -> Result<bool, End> {
    if let Some(known) = shell.crd.keeps(shell.clock.monotonic()) {
        return Ok(known);
    }
    let acting = Acting::new(shell, observed);
    let (_, reply) = acting.send_status(intent, "?dryRun=All").await?;
    Ok(acting.note_crd(intent, &reply))
}

impl<'a> Acting<'a> {
    fn new(shell: &'a Shell, observed: &'a Observed) -> Self {
        let resource_version = observed.resource.meta.resource_version.as_str().to_owned();
        Self {
            shell,
            observed,
            resource_version,
            written: None,
        }
    }

    async fn all(&mut self, decision: Decision, now: Timestamp) -> PassReport {
        if decision.effects.is_empty() {
            return self.store_only(decision).await;
        }
        if let Err(end) = self.intend(&decision).await {
            return ended(end, &decision).acting();
        }
        let outcomes = self.effects(&decision, now).await;
        self.report(decision, &outcomes).await
    }

    /// No effects: the status is written if it differs.
    async fn store_only(&mut self, decision: Decision) -> PassReport {
        if self.is_stored(&decision.status) {
            return PassReport::of(End::Quiet)
                .revisiting(decision.revisit)
                .about(&decision.status);
        }
        match self.put_status(&decision.status).await {
            Ok(reply) => {
                self.note_crd(&decision.status, &reply);
                self.tell(&decision.notices);
                PassReport::of(End::Stored)
                    .revisiting(decision.revisit)
                    .about(&decision.status)
            }
            Err(end) => ended(end, &decision),
        }
    }

    /// Stores the intent; a former leader stops here, before any effect.
    async fn intend(&mut self, decision: &Decision) -> Result<(), End> {
        let Some(intent) = &decision.intent else {
            return Ok(());
        };
        if !decision.needs_additive {
            return self.put_status(intent).await.map(|_| ());
        }
        let begun = matches!(intent, Status::FlinkDeployment(doc) if doc.typed.operation.is_some());
        if !begun {
            // A decision that relies on its intent names an operation; without one nothing may follow.
            return Err(End::Refused(Why::NotSent(
                "the intent names no operation".to_owned(),
            )));
        }
        let reply = self.put_status(intent).await?;
        if self.note_crd(intent, &reply) {
            return Ok(());
        }
        // An older CRD was installed meanwhile. Half an intent must not stay: nothing will follow it.
        let Body::FlinkDeployment { status, .. } = &self.observed.resource.body;
        if let Ok(stored) = status.as_ref() {
            let stored = Status::FlinkDeployment(Box::new(stored.clone()));
            self.put_status(&stored).await?;
        }
        Err(End::CrdOutdated)
    }

    /// Notes whether the API server kept our additive fields, and returns that.
    fn note_crd(&self, status: &Status, reply: &Value) -> bool {
        let wanted = status.to_json().unwrap_or_default();
        let present: Vec<&str> = ADDITIVE
            .into_iter()
            .filter(|field| wanted.get(field).is_some())
            .collect();
        if present.is_empty() {
            return true;
        }
        let kept = present
            .iter()
            .all(|field| wanted.get(field) == reply["status"].get(field));
        let news = self.shell.crd.note(kept, self.shell.clock.monotonic());
        if news && !kept {
            tracing::error!(
                "the installed CRD drops status fields that this operator relies on; run `flink-operator crds apply`"
            );
        }
        kept
    }

    /// Returns whether a status is stored already, as far as the installed CRD can store it.
    fn is_stored(&self, status: &Status) -> bool {
        let resource = &self.observed.resource;
        if status.is_stored_in(resource) {
            return true;
        }
        let Body::FlinkDeployment { status: stored, .. } = &resource.body;
        let (Ok(stored), Some(mut wanted)) = (stored.as_ref(), status.to_json()) else {
            return false;
        };
        let mut stored = stored.to_json();
        for field in ADDITIVE {
            for json in [&mut wanted, &mut stored] {
                if let Some(fields) = json.as_object_mut() {
                    fields.remove(field);
                }
            }
        }
        self.shell.crd.is_outdated() && wanted == stored
    }

    /// Carries out effects until one is not done.
    async fn effects(&mut self, decision: &Decision, now: Timestamp) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut created = None;
        for effect in &decision.effects {
            let outcome = match effect {
                Effect::SaveStatus => {
                    let settled = decide::settle(self.observed, decision, &outcomes, now);
                    match self.put_status(&settled.status).await {
                        Ok(_) => Outcome::Done(Receipt::Nothing),
                        Err(End::Unknown(why)) => Outcome::Unknown(why),
                        Err(End::Refused(why)) => Outcome::Refused(why),
                        Err(_) => Outcome::Refused(Why::Status {
                            code: 409,
                            message: "conflict".to_owned(),
                        }),
                    }
                }
                other => self.effect(other, created.as_ref()).await,
            };
            tracing::debug!(effect = effect.label(), ?outcome, "effect");
            if let Outcome::Done(Receipt::Created(uid)) = &outcome {
                created = Some(uid.clone());
            }
            let done = outcome.is_done();
            outcomes.push(outcome);
            if !done {
                break;
            }
        }
        outcomes
    }

    /// Stores what is settled, tells it, and says when to look again.
    async fn report(&mut self, decision: Decision, outcomes: &[Outcome]) -> PassReport {
        let removed = decision.effects.last() == Some(&Effect::RemoveFinalizer)
            && outcomes.last().is_some_and(Outcome::is_done);
        let now = self.shell.clock.now();
        let settled = decide::settle(self.observed, &decision, outcomes, now);
        let status = settled.status;
        let mut conflict = false;
        let differs = status.to_json() != self.written && self.written.is_some();
        if differs && !removed {
            conflict = self.put_status(&status).await.is_err();
        }
        self.tell(&decision.notices);
        self.tell(&settled.notices);
        let report =
            match outcomes.last() {
                _ if conflict => PassReport::of(End::Conflict)
                    .revisiting(Revisit::after(AFTER_CONFLICT, "conflict")),
                Some(Outcome::Refused(Why::Status {
                    code: 409 | 404, ..
                })) => PassReport::of(End::Conflict)
                    .revisiting(Revisit::after(AFTER_CONFLICT, "conflict")),
                Some(Outcome::Refused(why)) => PassReport::of(End::Refused(why.clone())),
                Some(Outcome::Unknown(why)) => PassReport::of(End::Unknown(why.clone()))
                    .revisiting(Revisit::after(AFTER_UNKNOWN, "unknown outcome")),
                Some(Outcome::Done(_)) | None => {
                    PassReport::of(End::Acted).revisiting(decision.revisit)
                }
            };
        report.about(&status).acting()
    }

    /// Replaces the status under the version known, and remembers the new one.
    async fn put_status(&mut self, status: &Status) -> Result<Value, End> {
        let (json, reply) = self.send_status(status, "").await?;
        if let Some(version) = reply["metadata"]["resourceVersion"].as_str() {
            version.clone_into(&mut self.resource_version);
        }
        self.written = Some(json);
        Ok(reply)
    }

    async fn send_status(&self, status: &Status, query: &str) -> Result<(Value, Value), End> {
        let Some(json) = status.to_json() else {
            return Err(End::Conflict);
        };
        let meta = &self.observed.resource.meta;
        let body = json!({
            "apiVersion": "flink.apache.org/v1beta1",
            "kind": meta.key.kind.as_str(),
            "metadata": {
                "name": meta.key.name,
                "namespace": meta.key.namespace,
                "uid": meta.uid.as_str(),
                "resourceVersion": self.resource_version,
            },
            "spec": self.spec(),
            "status": json,
        });
        let path = format!("{}/status{query}", paths::resource(&meta.key));
        let reply =
            self.shell
                .api
                .put(&path, &body)
                .await
                .map_err(|failure| match failure.code() {
                    Some(409) => End::Conflict,
                    Some(404) => End::Gone,
                    _ if failure.perhaps_applied => End::Unknown(failure.why),
                    _ => End::Refused(failure.why),
                })?;
        Ok((json, reply))
    }

    /// The spec goes along unchanged in meaning: some API servers want one in a status update.
    fn spec(&self) -> Value {
        let Body::FlinkDeployment { spec, .. } = &self.observed.resource.body;
        spec.as_ref()
            .as_ref()
            .ok()
            .and_then(|spec| serde_json::to_value(spec).ok())
            .unwrap_or_else(|| json!({}))
    }

    /// Tells users by events, and whoever reads the log.
    fn tell(&self, notices: &[Notice]) {
        for notice in notices {
            let (reason, message) = (&notice.reason, &notice.message);
            if notice.warning {
                tracing::warn!(reason, message, "told");
            } else {
                tracing::info!(reason, message, "told");
            }
            self.shell
                .events
                .emit(&self.observed.resource.meta, notice.clone());
        }
    }
}
