//! Effects at Flink: one call each, permitted for a short time, whose answer proves little.

use super::act::Acting;
use crate::flink;
use flink_rest::{Denied, JobManager, Permit, StopRequest};
use jiff::Timestamp;
use operator_core::decide;
use operator_core::effect::{Effect, Outcome, Receipt, SavepointFormat};
use operator_core::fact::Why;
use operator_core::name::JobId;

impl Acting<'_> {
    /// Carries out an effect at Flink; any other one is not sent.
    pub(super) async fn at_flink(&self, effect: &Effect) -> Outcome {
        match effect {
            Effect::Cancel { job, not_after } => self.cancel(job, *not_after).await,
            Effect::StopWithSavepoint {
                job,
                trigger,
                directory,
                drain,
                format,
                not_after,
            } => {
                let Ok(trigger) = trigger.as_str().parse() else {
                    return malformed(trigger.as_str(), "trigger id");
                };
                let request = StopRequest {
                    directory: Some(directory.clone()),
                    drain: *drain,
                    format: Some(match format {
                        SavepointFormat::Canonical => flink_rest::SavepointFormat::Canonical,
                        SavepointFormat::Native => flink_rest::SavepointFormat::Native,
                    }),
                    trigger: Some(trigger),
                };
                self.stop(job, &request, *not_after).await
            }
            Effect::AddFinalizer
            | Effect::RemoveFinalizer
            | Effect::SaveStatus
            | Effect::RemoveGraphs { .. }
            | Effect::CreateDeployment { .. }
            | Effect::CreateChild { .. }
            | Effect::DeleteDeployment { .. }
            | Effect::DeleteHaMap { .. }
            | Effect::RecordSnapshot { .. } => {
                Outcome::Refused(Why::NotSent("it is no effect at Flink".to_owned()))
            }
        }
    }

    /// Asks Flink to cancel a job. Any of its usual answers leads to looking at the overview.
    async fn cancel(&self, job: &JobId, not_after: Timestamp) -> Outcome {
        let (job_manager, id) = match self.job_at_flink(job) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        let permit = self.permit(not_after);
        told(crate::lanes::aside(job_manager.cancel(id, &permit)).await)
    }

    /// Asks Flink to stop a job with a savepoint. That it accepts says nothing: what came of it is asked later.
    async fn stop(&self, job: &JobId, request: &StopRequest, not_after: Timestamp) -> Outcome {
        let (job_manager, id) = match self.job_at_flink(job) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        let permit = self.permit(not_after);
        let call = job_manager.stop_with_savepoint(id, request, &permit);
        told(crate::lanes::aside(call).await.map(|_| ()))
    }

    /// Addresses a job at its JobManager.
    fn job_at_flink(&self, job: &JobId) -> Result<(JobManager, flink_rest::JobId), Outcome> {
        let key = &self.observed.resource.meta.key;
        let pods = self
            .observed
            .job_managers
            .value()
            .cloned()
            .unwrap_or_default();
        let port = decide::rest_port(self.observed, self.shell.clock.now());
        let job_manager = self.shell.flink.job_manager(key, &pods, port);
        let job_manager = job_manager.map_err(Outcome::Refused)?;
        let id = job.as_str().parse();
        Ok((
            job_manager,
            id.map_err(|_| malformed(job.as_str(), "job id"))?,
        ))
    }

    /// Permits one call until its time is over, as long as this instance leads.
    fn permit(&self, not_after: Timestamp) -> Permit {
        let leadership = self.shell.leadership.clone();
        Permit::until(self.shell.clock.source(), not_after.into(), move || {
            leadership.permit().map_err(|denied| match denied {
                crate::leadership::NotLeader::Standby => Denied::NotLeader,
                crate::leadership::NotLeader::Stopping => Denied::Stopping,
            })
        })
    }
}

/// What Flink's answer to a call that changes something proves.
fn told(answer: Result<(), flink_rest::Error>) -> Outcome {
    match answer {
        Ok(()) => Outcome::Done(Receipt::Nothing),
        Err(error) if error.is_surely_not_applied() => Outcome::Refused(flink::why(&error)),
        Err(error) => Outcome::Unknown(flink::why(&error)),
    }
}

fn malformed(text: &str, what: &str) -> Outcome {
    Outcome::Refused(Why::NotUnderstood(format!("\"{text}\" is no {what}")))
}
