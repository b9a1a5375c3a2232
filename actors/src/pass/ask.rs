//! Asking: every question concurrently, each with its own deadline, each answered by one fact.

use super::paths;
use crate::flink;
use crate::lanes;
use crate::shell::Shell;
use crate::slim::{SlimList, SlimPod};
use flink_rest::JobManager;
use futures::future::join_all;
use jiff::Timestamp;
use operator_core::decide;
use operator_core::fact::{Fact, JobManagers, Subject, Why};
use operator_core::name::Key;
use operator_core::observed::{Answers, Observed, Pod, PodEvent};
use operator_core::question::{Question, Wanted};
use serde::Deserialize;

/// Asks everything that is no proof; proofs need a fresh read of the resource.
pub(super) async fn questions(
    shell: &Shell,
    observed: &mut Observed,
    wanted: &Wanted,
    now: Timestamp,
) {
    let key = observed.resource.meta.key.clone();
    let pods = observed.job_managers.value().cloned().unwrap_or_default();
    let before = JobManagers::ready(&pods);
    let of_flink: Vec<&Question> = wanted
        .iter()
        .filter(|question| question.is_for_flink())
        .collect();
    let port = decide::rest_port(observed, now);
    if !of_flink.is_empty() {
        let answers = ask_flink(shell, &key, (&pods, &before), port, &of_flink).await;
        // A reply through a Service names no pod: the set of those that could have answered must not
        // have changed meanwhile.
        let after = JobManagers::ready(&shell.stores.job_managers(&key.namespace, &key.name));
        let changed = before != after && observed.origin == operator_core::observed::Origin::Stores;
        for (question, answer) in answers {
            match answer {
                Ok(_) if changed => observed.answers.unknown(&question, Why::SubjectChanged),
                Ok(answer) => answer.put(
                    &mut observed.answers,
                    Subject::JobManager(before.clone()),
                    now,
                ),
                Err(why) => observed.answers.unknown(&question, why),
            }
        }
    }
    let subject = Subject::Resource(observed.resource.meta.uid.clone());
    if wanted.contains(&Question::TaskManagerPods) {
        observed.answers.task_manager_pods = match task_managers(shell, &key).await {
            Ok(pods) => Fact::known(pods, subject.clone(), now),
            Err(why) => Fact::Unknown(why),
        };
    }
    if wanted.contains(&Question::PodEvents) {
        observed.answers.pod_events = match pod_events(shell, &key, &pods).await {
            Ok(events) => Fact::known(events, subject, now),
            Err(why) => Fact::Unknown(why),
        };
    }
}

/// An answer of Flink.
enum Answer {
    Jobs(Vec<operator_core::observed::Job>),
    Checkpoints(operator_core::observed::Checkpoints),
    Flink(operator_core::observed::FlinkInfo),
    TaskManagers(u32),
    RootCause(Option<operator_core::observed::JobFailure>),
    Trigger(operator_core::observed::Trigger),
}

impl Answer {
    fn put(self, answers: &mut Answers, subject: Subject, at: Timestamp) {
        match self {
            Self::Jobs(value) => answers.jobs = Fact::known(value, subject, at),
            Self::Checkpoints(value) => answers.checkpoints = Fact::known(value, subject, at),
            Self::Flink(value) => answers.flink = Fact::known(value, subject, at),
            Self::TaskManagers(value) => answers.task_managers = Fact::known(value, subject, at),
            Self::RootCause(value) => answers.root_cause = Fact::known(value, subject, at),
            Self::Trigger(value) => answers.trigger = Fact::known(value, subject, at),
        }
    }
}

async fn ask_flink(
    shell: &Shell,
    key: &Key,
    (pods, ready): (&[Pod], &JobManagers),
    port: u16,
    questions: &[&Question],
) -> Vec<(Question, Result<Answer, Why>)> {
    let all = |why: &Why| {
        questions
            .iter()
            .map(|question| ((*question).clone(), Err(why.clone())))
            .collect()
    };
    let Some(_turn) = shell.flink.circuits().admits(key, ready) else {
        return all(&Why::CircuitOpen);
    };
    let job_manager = match shell.flink.job_manager(key, pods, port) {
        Ok(job_manager) => job_manager,
        Err(why) => return all(&why),
    };
    // Whoever waits for a JobManager takes nobody's turn.
    let (answers, broken) = lanes::asking(Box::pin(call_all(&job_manager, questions))).await;
    shell
        .flink
        .circuits()
        .note(key, ready, broken != Some(Why::TimedOut));
    answers
}

/// Calls one after another: a JobManager keeps one idle connection, and one that hangs is asked once.
///
/// Also returns what broke the row, if something did.
async fn call_all(
    job_manager: &JobManager,
    questions: &[&Question],
) -> (Vec<(Question, Result<Answer, Why>)>, Option<Why>) {
    let mut answers = Vec::with_capacity(questions.len());
    let mut broken = None;
    for question in questions {
        let answer = match &broken {
            Some(why) => Err(Why::clone(why)),
            None => call(job_manager, question).await,
        };
        if let Err(why @ (Why::TimedOut | Why::Refused)) = &answer {
            broken = Some(why.clone());
        }
        answers.push(((*question).clone(), answer));
    }
    (answers, broken)
}

async fn call(job_manager: &JobManager, question: &Question) -> Result<Answer, Why> {
    let why = |error: flink_rest::Error| flink::why(&error);
    match question {
        Question::Jobs => {
            let jobs = job_manager.jobs().await.map_err(why)?;
            Ok(Answer::Jobs(jobs.iter().map(flink::job).collect()))
        }
        Question::Checkpoints(job) => {
            let statistics = job_manager
                .checkpoints(id(job.as_str())?)
                .await
                .map_err(why)?;
            Ok(Answer::Checkpoints(flink::checkpoints(&statistics)))
        }
        Question::FlinkInfo => {
            let config = job_manager.config().await.map_err(why)?;
            Ok(Answer::Flink(flink::flink_info(&config)))
        }
        Question::TaskManagers => {
            let listed = job_manager.task_managers().await.map_err(why)?;
            Ok(Answer::TaskManagers(
                u32::try_from(listed.len()).unwrap_or(u32::MAX),
            ))
        }
        Question::RootCause(job) => {
            let exceptions = job_manager
                .exceptions(id(job.as_str())?)
                .await
                .map_err(why)?;
            Ok(Answer::RootCause(flink::root_cause(&exceptions)))
        }
        Question::Trigger(job, trigger) => {
            let trigger = trigger
                .as_str()
                .parse()
                .map_err(|_| Why::NotUnderstood("malformed trigger id".to_owned()))?;
            let status = job_manager
                .savepoint_status(id(job.as_str())?, trigger)
                .await;
            flink::trigger(status).map(Answer::Trigger)
        }
        Question::PodEvents
        | Question::TaskManagerPods
        | Question::Pods
        | Question::Children
        | Question::Ha => Err(Why::NotUnderstood("not a question for Flink".to_owned())),
    }
}

fn id(text: &str) -> Result<flink_rest::JobId, Why> {
    text.parse()
        .map_err(|_| Why::NotUnderstood(format!("\"{text}\" is no job id")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct EventObject {
    reason: String,
    message: String,
    last_timestamp: Option<Timestamp>,
    event_time: Option<Timestamp>,
}

/// Lists the TaskManager pods of a cluster.
async fn task_managers(shell: &Shell, key: &Key) -> Result<Vec<Pod>, Why> {
    let path = paths::task_managers(&key.namespace, &key.name);
    let bytes = shell.api.list(&path).await.map_err(|failure| failure.why)?;
    let list: SlimList<SlimPod> =
        serde_json::from_slice(&bytes).map_err(|error| Why::NotUnderstood(error.to_string()))?;
    Ok(list.items.iter().map(SlimPod::facts).collect())
}

/// Lists the events of JobManager pods.
async fn pod_events(shell: &Shell, key: &Key, pods: &[Pod]) -> Result<Vec<PodEvent>, Why> {
    let lists = pods.iter().map(|pod| async move {
        let path = paths::events_of(&key.namespace, &pod.name);
        let bytes = shell.api.list(&path).await.map_err(|failure| failure.why)?;
        let list: SlimList<EventObject> = serde_json::from_slice(&bytes)
            .map_err(|error| Why::NotUnderstood(error.to_string()))?;
        Ok::<_, Why>(list.items)
    });
    let mut events = Vec::new();
    for list in join_all(lists).await {
        events.extend(list?.into_iter().map(|event| {
            PodEvent {
                reason: event.reason,
                message: event.message,
                at: event
                    .last_timestamp
                    .or(event.event_time)
                    .unwrap_or_default(),
            }
        }));
    }
    Ok(events)
}
