#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn progress(policy: &str, init: &[&str]) -> Progress {
    let container = |name: &&str| json!({ "name": name, "image": "flink:1.20" });
    let pod: Pod = serde_json::from_value(json!({ "spec": {
        "restartPolicy": policy,
        "initContainers": init.iter().map(container).collect::<Vec<_>>(),
        "containers": [{ "name": "main", "image": "flink:1.20" }],
    }}))
    .unwrap();
    Progress::new(&pod, Ipv4Addr::LOCALHOST, Timestamp::UNIX_EPOCH)
}

fn end(exit_code: i32) -> Termination {
    let at = Timestamp::UNIX_EPOCH;
    Termination {
        exit_code,
        reason: "Error",
        message: "why".to_owned(),
        started: at,
        finished: at,
    }
}

fn phase_of(policy: &str, state: State, last: Option<Termination>) -> &'static str {
    let mut progress = progress(policy, &[]);
    let record = progress.record_mut("main").unwrap();
    record.state = state;
    record.last = last;
    progress.phase()
}

fn back_off() -> State {
    State::Waiting {
        reason: "CrashLoopBackOff",
        message: String::new(),
    }
}

fn condition(status: &PodStatus, kind: &str) -> PodCondition {
    status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == kind)
        .unwrap()
        .clone()
}

#[test]
fn the_phase_is_a_kubelets() {
    let running = State::Running {
        since: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(progress("Always", &[]).phase(), "Pending");
    assert_eq!(phase_of("Always", running.clone(), None), "Running");
    assert_eq!(phase_of("Always", State::Ended(end(1)), None), "Running");
    assert_eq!(phase_of("Always", back_off(), Some(end(1))), "Running");
    assert_eq!(phase_of("Never", State::Ended(end(1)), None), "Failed");
    assert_eq!(phase_of("Never", State::Ended(end(0)), None), "Succeeded");
    assert_eq!(phase_of("OnFailure", State::Ended(end(1)), None), "Running");
    assert_eq!(
        phase_of("OnFailure", State::Ended(end(0)), None),
        "Succeeded"
    );
}

#[test]
fn a_stopped_pod_has_come_to_its_end_whatever_its_policy() {
    let mut progress = progress("Always", &[]);
    progress.record_mut("main").unwrap().state = State::Ended(end(143));
    progress.stopped = true;
    assert!(progress.is_over());
    assert_eq!(progress.phase(), "Failed");
}

#[test]
fn init_containers_come_first() {
    let mut progress = progress("Never", &["first"]);
    let status = progress.status(Timestamp::UNIX_EPOCH);
    assert_eq!(status.phase.as_deref(), Some("Pending"));
    let waiting = status.container_statuses.unwrap()[0]
        .state
        .clone()
        .unwrap()
        .waiting
        .unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("PodInitializing"));

    progress.record_mut("first").unwrap().state = State::Ended(end(1));
    assert_eq!(progress.phase(), "Failed");
    progress.record_mut("first").unwrap().state = State::Ended(end(0));
    assert!(progress.is_initialized());
}

#[test]
fn conditions_change_their_time_only_with_their_value() {
    let mut progress = progress("Always", &[]);
    let at = |second| Timestamp::from_second(second).unwrap();
    let first = condition(&progress.status(at(1)), "Ready");
    assert_eq!(first.status, "False");
    assert_eq!(
        first.message.as_deref(),
        Some("containers with unready status: [main]")
    );
    assert_eq!(condition(&progress.status(at(2)), "Ready"), first);

    let record = progress.record_mut("main").unwrap();
    record.state = State::Running { since: at(3) };
    record.ready = true;
    let ready = condition(&progress.status(at(3)), "Ready");
    assert_eq!(
        (ready.status.as_str(), ready.last_transition_time),
        ("True", Some(Time(at(3))))
    );
}

#[test]
fn a_crash_loop_shows_why_the_container_ended() {
    let mut progress = progress("Always", &[]);
    let record = progress.record_mut("main").unwrap();
    record.state = back_off();
    record.last = Some(end(3));
    record.restarts = 2;
    let status = progress
        .status(Timestamp::UNIX_EPOCH)
        .container_statuses
        .unwrap()
        .remove(0);
    let last = status.last_state.unwrap().terminated.unwrap();
    assert_eq!(
        (
            last.exit_code,
            last.message.as_deref(),
            status.restart_count
        ),
        (3, Some("why"), 2)
    );
    assert_eq!(
        status.state.unwrap().waiting.unwrap().reason.as_deref(),
        Some("CrashLoopBackOff")
    );
}
