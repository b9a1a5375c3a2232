//! One pass: one resource, one step forward.
//!
//! Read, ask, decide, act on fresh reads, report. Stale caches can delay an action, never cause one.

mod act;
mod ask;
mod at_flink;
mod effects;
mod fresh;
mod paths;
mod report;

pub use report::{End, PassReport, Summary, Waits};

use crate::shell::Shell;
use jiff::Timestamp;
use operator_core::decide;
use operator_core::decision::{Decision, Revisit, Step};
use operator_core::effect::Effect;
use operator_core::fact::{Fact, Subject};
use operator_core::name::{Ids, Key};
use operator_core::observed::{Answers, Observed, Origin};
use operator_core::question::Wanted;
use std::sync::Arc;
use std::time::Duration;

/// The deadline of a whole pass.
const DEADLINE: Duration = Duration::from_secs(60);
/// Rounds of looking and deciding, at most.
const ROUNDS: u32 = 5;
/// When to look again after a pass that could not decide.
const SOON: jiff::SignedDuration = jiff::SignedDuration::from_millis(250);

/// When to look again after a pass without the right to act: a lapse of leadership may be a short one, and nobody
/// tells when it is over.
const LAPSE: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// Takes one resource one step forward.
pub async fn run(shell: &Shell, key: &Key) -> PassReport {
    let began = tokio::time::Instant::now();
    let mut report = match tokio::time::timeout(DEADLINE, step(shell, key)).await {
        Ok(report) => report,
        Err(_) => PassReport::of(End::TimedOut),
    };
    report.took = began.elapsed();
    report
}

async fn step(shell: &Shell, key: &Key) -> PassReport {
    if shell.leadership.permit().is_err() {
        return PassReport::of(End::NotLeader).revisiting(Revisit::after(LAPSE, "not-leader"));
    }
    let Some(mut observed) = read(shell, key) else {
        shell.flink.circuits().forget(key);
        return PassReport::of(End::Gone);
    };
    let ids = shell.ids.draw();
    let mut now = shell.clock.now();
    let mut asked = decide::wanted(&observed, now);
    ask::questions(shell, &mut observed, &asked, now).await;
    for _ in 0..ROUNDS {
        now = shell.clock.now();
        match next(&observed, now, &ids) {
            Next::Look { wanted, fresh } => {
                asked.extend(wanted.iter().cloned());
                if fresh {
                    observed = match fresh::read(shell, observed, &asked, now).await {
                        fresh::Read::There(observed) => *observed,
                        fresh::Read::Gone => return PassReport::of(End::Gone),
                        fresh::Read::Failed(why) => return PassReport::of(End::Unknown(why)),
                    };
                } else {
                    let missing = observed.missing(&wanted);
                    ask::questions(shell, &mut observed, &missing, now).await;
                }
            }
            Next::Act(decision) => {
                if let Some(intent) = decision.intent.as_ref().filter(|_| decision.needs_additive) {
                    match act::crd_keeps(shell, &observed, intent).await {
                        Ok(true) => {}
                        Ok(false) => {
                            observed.crd_outdated = true;
                            continue;
                        }
                        Err(end) => return PassReport::of(end),
                    }
                }
                return act::carry_out(shell, &observed, *decision, now).await;
            }
        }
    }
    PassReport::of(End::Undecided).revisiting(Revisit::after(SOON, "undecided"))
}

/// Reads a resource and its children from the stores. No request.
fn read(shell: &Shell, key: &Key) -> Option<Observed> {
    let stored = shell.stores.resource(key)?;
    let resource = stored.parse(key.kind);
    let now = shell.clock.now();
    let uid = resource.meta.uid.clone();
    let deployment = shell.stores.deployment(&key.namespace, &key.name);
    let pods = shell.stores.job_managers(&key.namespace, &key.name);
    let settings = Arc::clone(&shell.settings.borrow());
    Some(Observed {
        resource,
        settings,
        crd_outdated: false,
        origin: Origin::Stores,
        deployment: Fact::known(deployment, Subject::Resource(uid.clone()), now),
        job_managers: Fact::known(pods, Subject::Resource(uid), now),
        answers: Answers::default(),
    })
}

/// What a decision leads to.
enum Next {
    /// Look at more; `fresh` means at the API server, resource and Deployment included.
    Look { wanted: Wanted, fresh: bool },
    /// This decision stands.
    Act(Box<Decision>),
}

fn next(observed: &Observed, now: Timestamp, ids: &Ids) -> Next {
    match decide::decide(observed, now, ids) {
        Step::Ask(wanted) => {
            let fresh = wanted
                .iter()
                .any(operator_core::question::Question::is_proof);
            Next::Look { wanted, fresh }
        }
        Step::Act(decision) => {
            if decision.effects.iter().all(Effect::is_guarded) {
                return Next::Act(decision);
            }
            let proofs: Wanted = decision.effects.iter().flat_map(Effect::proofs).collect();
            if observed.origin == Origin::Server && observed.missing(&proofs).is_empty() {
                return Next::Act(decision);
            }
            Next::Look {
                wanted: proofs,
                fresh: true,
            }
        }
    }
}
