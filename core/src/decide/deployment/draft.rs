//! The status being made in this pass, with what people are told about it.

use super::view::View;
use crate::decision::{Decision, Notice, Revisit, Step};
use crate::effect::Effect;
use crate::name::Ids;
use crate::resource::{Doc, Status};
use crate::status::conditions::{self, Reason, Wished};
use crate::status::error::{self, Problem};
use crate::status::lifecycle;
use crate::status::recorded::Recorded;
use flink_operator_api::{
    FlinkDeploymentStatus, FlinkJobState, JobManagerDeploymentStatus, JobStatus, Operation,
    OperationKind, ReconciliationState, ReconciliationStatus, RestorePoint,
};
use jiff::Timestamp;

/// A status on its way: changed by observation and decision, finished once.
#[derive(Clone)]
pub(super) struct Draft {
    pub doc: Doc<FlinkDeploymentStatus>,
    pub recorded: Option<Recorded>,
    pub notices: Vec<Notice>,
    pub resource_name: String,
    stored_error: Option<String>,
    /// A newer restore point that is not worth a write of its own yet, with the size of its state.
    pub(super) progress: Option<(RestorePoint, Option<i64>)>,
    /// What the resource waits for, if it waits.
    waiting: Option<(Reason, String)>,
    /// What is wrong, if something is.
    degraded: Option<(Reason, String)>,
}

impl Draft {
    /// Begins with what is stored.
    pub(super) fn new(view: &View<'_>) -> Self {
        Self {
            doc: view.stored.clone(),
            recorded: view.recorded.clone(),
            notices: Vec::new(),
            resource_name: view.name().to_owned(),
            stored_error: view.stored.typed.error.clone(),
            progress: None,
            waiting: None,
            degraded: None,
        }
    }

    /// Goes on from an intent, with what it waits for.
    pub(super) fn from_intent(view: &View<'_>, intent: &Doc<FlinkDeploymentStatus>) -> Self {
        let reconciliation = intent.typed.reconciliation_status.as_ref();
        let recorded = reconciliation
            .and_then(|reconciliation| reconciliation.last_reconciled_spec.as_deref())
            .and_then(|text| Recorded::read(text).ok());
        let mut draft = Self::new(view);
        draft.doc = intent.clone();
        draft.recorded = recorded;
        let conditions = intent.typed.conditions.iter().flatten();
        for condition in conditions {
            let Some(reason) = condition.reason.as_deref().and_then(Reason::from_word) else {
                continue;
            };
            let message = condition.message.clone().unwrap_or_default();
            match condition.type_.as_str() {
                "Progressing" if reason != Reason::AtRest => {
                    draft.waiting = Some((reason, message));
                }
                "Degraded" if reason != Reason::AtRest => draft.degraded = Some((reason, message)),
                _ => {}
            }
        }
        draft
    }

    pub(super) fn status(&mut self) -> &mut FlinkDeploymentStatus {
        &mut self.doc.typed
    }

    pub(super) fn job(&mut self) -> &mut JobStatus {
        self.doc.typed.job_status.get_or_insert_default()
    }

    pub(super) fn reconciliation(&mut self) -> &mut ReconciliationStatus {
        self.doc.typed.reconciliation_status.get_or_insert_default()
    }

    pub(super) fn operation(&self) -> Option<&Operation> {
        self.doc.typed.operation.as_ref()
    }

    pub(super) fn job_state(&self) -> Option<FlinkJobState> {
        self.doc.typed.job_status.as_ref().and_then(|job| job.state)
    }

    pub(super) fn job_id(&self) -> Option<&str> {
        self.doc
            .typed
            .job_status
            .as_ref()
            .and_then(|job| job.job_id.as_deref())
    }

    /// When the job changed its state last, as far as it was seen.
    pub(super) fn job_changed_at(&self) -> Option<Timestamp> {
        let job = self.doc.typed.job_status.as_ref()?;
        let millis = job.update_time.as_deref()?.parse().ok()?;
        Timestamp::from_millisecond(millis).ok()
    }

    pub(super) fn job_is_terminal(&self) -> bool {
        self.job_state()
            .is_some_and(FlinkJobState::is_globally_terminal)
    }

    pub(super) fn job_manager(&self) -> JobManagerDeploymentStatus {
        self.doc
            .typed
            .job_manager_deployment_status
            .unwrap_or(JobManagerDeploymentStatus::Missing)
    }

    pub(super) fn set_job_manager(&mut self, status: JobManagerDeploymentStatus) {
        self.doc.typed.job_manager_deployment_status = Some(status);
    }

    pub(super) fn reconciliation_state(&self) -> ReconciliationState {
        let reconciliation = self.doc.typed.reconciliation_status.as_ref();
        reconciliation
            .and_then(|r| r.state)
            .unwrap_or(ReconciliationState::Upgrading)
    }

    /// Replaces the recorded spec; its text is written only if it says something new.
    pub(super) fn record(&mut self, recorded: Recorded) {
        if self.recorded.as_ref() != Some(&recorded) {
            self.reconciliation().last_reconciled_spec = Some(recorded.write());
            self.recorded = Some(recorded);
        }
    }

    /// Forgets the recorded spec: nothing has been deployed.
    pub(super) fn forget_recorded(&mut self) {
        self.recorded = None;
        self.reconciliation().last_reconciled_spec = None;
    }

    /// Marks the recorded spec as proven.
    pub(super) fn mark_stable(&mut self) {
        let reconciliation = self.reconciliation();
        if reconciliation.last_stable_spec != reconciliation.last_reconciled_spec {
            reconciliation.last_stable_spec = reconciliation.last_reconciled_spec.clone();
        }
    }

    /// Stores an error in upstream's form, and tells it if it is not the stored one.
    pub(super) fn fail(
        &mut self,
        problem: Problem,
        reason: Option<&str>,
        message: &str,
        notice: Notice,
    ) {
        let text = error::encode(problem, message, reason);
        if self.stored_error.as_deref() != Some(text.as_str()) {
            self.notices.push(notice);
        }
        self.doc.typed.error = Some(text);
    }

    /// Says what the resource waits for; the last word counts.
    pub(super) fn wait(&mut self, reason: Reason, message: impl Into<String>) {
        self.waiting = Some((reason, message.into()));
    }

    /// Says what is wrong; the last word counts.
    pub(super) fn degrade(&mut self, reason: Reason, message: impl Into<String>) {
        self.degraded = Some((reason, message.into()));
    }

    /// Says what is wrong, and tells it unless the same reason stands already.
    pub(super) fn complain_once(&mut self, reason: Reason, component: &'static str, message: &str) {
        let said = self.degraded.as_ref();
        let known = self.stands(reason) || said.is_some_and(|(said, _)| *said == reason);
        if !known {
            self.notices
                .push(Notice::warning(component, reason.as_str(), message));
        }
        self.degrade(reason, message);
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Begins an operation, to be stored before its first effect.
    pub(super) fn begin(&mut self, view: &View<'_>, ids: &Ids, kind: OperationKind) {
        self.doc.typed.operation = Some(Operation {
            id: ids.operation.clone(),
            kind,
            generation: view.meta.generation,
            started_at: view.now.to_string(),
            not_after: None,
            not_before: None,
            attempt: None,
            trigger: None,
        });
    }

    /// Returns what a condition says for this reason; until the draft is finished, conditions are those stored.
    pub(super) fn said(&self, type_: &str, reason: Reason) -> Option<&str> {
        let mut known = self.doc.typed.conditions.iter().flatten();
        let condition = known.find(|condition| condition.type_ == type_)?;
        let same = condition.reason.as_deref() == Some(reason.as_str());
        same.then(|| condition.message.as_deref().unwrap_or_default())
    }

    /// Returns whether this is stored as wrong.
    pub(super) fn stands(&self, reason: Reason) -> bool {
        self.said("Degraded", reason).is_some()
    }

    /// Repeats what stands already, word by word.
    pub(super) fn repeat(&mut self, reason: Reason) {
        if let Some(message) = self.said("Degraded", reason).map(str::to_owned) {
            self.degrade(reason, message.clone());
            self.wait(reason, message);
        }
    }

    /// Repeats a stored refusal while the same is tried again: it is taken back when it succeeds.
    pub(super) fn keep_refusal(&mut self, view: &View<'_>) {
        self.keep(view, &[Reason::RequestRefused, Reason::NameTaken]);
    }

    /// Goes on saying what is stored as wrong, if it is for one of these reasons and this pass has found nothing else.
    pub(super) fn keep(&mut self, view: &View<'_>, reasons: &[Reason]) {
        if self.degraded.is_some() {
            return;
        }
        let mut stored = view.stored.typed.conditions.iter().flatten();
        let degraded = stored.find(|condition| condition.type_ == "Degraded");
        let word = degraded.and_then(|condition| condition.reason.as_deref());
        let reason = word.and_then(Reason::from_word);
        if let Some(reason) = reason.filter(|reason| reasons.contains(reason)) {
            let message = degraded.and_then(|condition| condition.message.clone());
            self.degrade(reason, message.unwrap_or_default());
        }
    }

    /// Says that a start goes on; a name that was taken is what is waited for until it is free.
    pub(super) fn starting(&mut self, view: &View<'_>, message: impl Into<String>) {
        self.keep_refusal(view);
        match self.degraded.clone() {
            Some((Reason::NameTaken, taken)) => self.wait(Reason::NameTaken, taken),
            _ => self.wait(Reason::Deploying, message),
        }
    }

    /// Returns whether this is what this pass says is wrong.
    pub(super) fn says(&self, reason: Reason) -> bool {
        self.degraded
            .as_ref()
            .is_some_and(|(said, _)| *said == reason)
    }

    /// Returns whether this pass says that something is wrong.
    pub(super) fn is_degraded(&self) -> bool {
        self.degraded.is_some()
    }

    /// Takes back what was wrong.
    pub(super) fn recovered(&mut self) {
        self.degraded = None;
    }

    /// Returns whether a refusal stands.
    pub(super) fn is_refused(&self) -> bool {
        matches!(
            &self.degraded,
            Some((Reason::RequestRefused | Reason::NameTaken, _))
        )
    }

    /// Ends the pass without effects.
    pub(super) fn rest(self, view: &View<'_>, revisit: Revisit) -> Step {
        self.act(view, Vec::new(), revisit)
    }

    /// Ends the pass with effects; the status is stored before the first of them.
    pub(super) fn act(mut self, view: &View<'_>, effects: Vec<Effect>, revisit: Revisit) -> Step {
        self.finish(view);
        // Progress alone is stored at intervals, but always with whatever else is stored.
        if let Some((point, size)) = self.progress.take()
            && (!effects.is_empty() || self.doc.typed != view.stored.typed)
        {
            super::checkpoints::store(&mut self, point, size);
        }
        let status = Status::FlinkDeployment(Box::new(self.doc));
        let needs_additive =
            view.meta.deleted_at.is_none() && effects.iter().any(Effect::relies_on_intent);
        Step::Act(Box::new(Decision {
            intent: (!effects.is_empty()).then(|| status.clone()),
            effects,
            needs_additive,
            status,
            notices: self.notices,
            revisit,
        }))
    }

    /// Derives what is computed from the rest: life cycle and conditions.
    pub(super) fn finish(&mut self, view: &View<'_>) {
        let state = lifecycle::of(&self.doc.typed, self.recorded.as_ref());
        self.doc.typed.lifecycle_state = Some(state);
        let wished = self.conditions();
        let stored = self.doc.typed.conditions.take().unwrap_or_default();
        let merged = conditions::merge(&stored, wished, view.meta.generation, view.now);
        self.doc.typed.conditions = Some(merged);
    }

    fn conditions(&self) -> Vec<Wished> {
        let mut wished = vec![
            self.ready(),
            self.progressing(),
            self.degraded(),
            self.suspended(),
        ];
        wished.extend(self.running());
        wished
    }

    /// Upstream's condition, once a spec has been recorded.
    fn running(&self) -> Option<Wished> {
        let recorded = self.recorded.as_ref()?;
        if recorded.spec.job.is_some() {
            let state = self.job_state().unwrap_or(FlinkJobState::Reconciling);
            let name = state.as_str();
            let reason = format!("{}{}", &name[..1], name[1..].to_ascii_lowercase());
            let message = format!("Job status {name}");
            return Some(Wished {
                type_: "Running",
                holds: state == FlinkJobState::Running,
                reason,
                message,
            });
        }
        let (reason, message) = match self.job_manager() {
            JobManagerDeploymentStatus::Ready => (
                "JobManagerReady",
                "JobManager is running and ready to receive REST API calls",
            ),
            JobManagerDeploymentStatus::DeployedNotReady => (
                "DeployedNotReady",
                "JobManager is running but not yet ready to receive REST API calls",
            ),
            JobManagerDeploymentStatus::Deploying => {
                ("JobManagerIsDeploying", "JobManager process is starting up")
            }
            JobManagerDeploymentStatus::Missing => (
                "JobManagerDeploymentMissing",
                "JobManager deployment not found",
            ),
            JobManagerDeploymentStatus::Error => ("Error", "JobManager deployment failed"),
        };
        let holds = self.job_manager() == JobManagerDeploymentStatus::Ready;
        Some(Wished {
            type_: "Running",
            holds,
            reason: reason.to_owned(),
            message: message.to_owned(),
        })
    }

    fn ready(&self) -> Wished {
        let running = self.job_state() == Some(FlinkJobState::Running)
            && self.job_manager() == JobManagerDeploymentStatus::Ready;
        let (reason, message) = if running {
            (
                Reason::JobRunning,
                "the job runs with all its tasks".to_owned(),
            )
        } else {
            self.why_not_running()
        };
        wish("Ready", running, reason, message)
    }

    fn why_not_running(&self) -> (Reason, String) {
        if let Some(known) = self.degraded.clone().or_else(|| self.waiting.clone()) {
            return known;
        }
        if self.is_suspended() {
            return (
                Reason::Suspended,
                "the job is suspended as the spec asks".to_owned(),
            );
        }
        match self.job_state() {
            Some(FlinkJobState::Finished) => {
                (Reason::JobFinished, "the job has finished".to_owned())
            }
            Some(FlinkJobState::Canceled) => (
                Reason::JobCanceled,
                "the job has been cancelled; edit the spec to start it again".to_owned(),
            ),
            Some(FlinkJobState::Failed) => (
                Reason::JobFailed,
                "the job has failed for good; see status.error".to_owned(),
            ),
            _ => (Reason::WaitingForJob, "the job does not run".to_owned()),
        }
    }

    fn progressing(&self) -> Wished {
        match &self.waiting {
            Some((reason, message)) => wish(
                "Progressing",
                reason.is_progress(),
                *reason,
                message.clone(),
            ),
            None => wish(
                "Progressing",
                false,
                Reason::AtRest,
                "nothing is going on".to_owned(),
            ),
        }
    }

    fn degraded(&self) -> Wished {
        match &self.degraded {
            Some((reason, message)) => wish("Degraded", true, *reason, message.clone()),
            None if self.job_state() == Some(FlinkJobState::Failed) => wish(
                "Degraded",
                true,
                Reason::JobFailed,
                "the job has failed for good; see status.error".to_owned(),
            ),
            None => wish(
                "Degraded",
                false,
                Reason::AtRest,
                "nothing is wrong".to_owned(),
            ),
        }
    }

    fn suspended(&self) -> Wished {
        if self.is_suspended() {
            return wish(
                "Suspended",
                true,
                Reason::Suspended,
                "the job is suspended as the spec asks".to_owned(),
            );
        }
        wish(
            "Suspended",
            false,
            Reason::AtRest,
            "the job is not suspended".to_owned(),
        )
    }

    /// A record that says "suspended" while an upgrade goes on is upstream's mark of an attempt.
    fn is_suspended(&self) -> bool {
        let deployed = self.reconciliation_state() == ReconciliationState::Deployed;
        deployed
            && self
                .recorded
                .as_ref()
                .is_some_and(|recorded| !recorded.is_running())
    }
}

fn wish(type_: &'static str, holds: bool, reason: Reason, message: String) -> Wished {
    Wished {
        type_,
        holds,
        reason: reason.as_str().to_owned(),
        message,
    }
}
