//! What came of a stop, for every combination of what Flink can say.

use crate::decide::deployment::verdict::{
    Evidence, Job, Left, Pending, Restored, Run, Told, Verdict, judge,
};
use crate::observed::Checkpoint;

const PATH: &str = "file:/sp/savepoint-1";

fn savepoint() -> Checkpoint {
    Checkpoint {
        id: 8,
        path: PATH.into(),
        savepoint: true,
        at: None,
    }
}

fn every_evidence() -> Vec<Evidence> {
    let jobs = [
        Job::Unknown,
        Job::Absent,
        Job::Alive(Run::Same),
        Job::Alive(Run::Other),
        Job::Ended(Run::Same),
        Job::Ended(Run::Other),
    ];
    let told = [
        Told::Nothing,
        Told::InProgress,
        Told::SavepointAt(PATH.into()),
        Told::Failed("why".into()),
        Told::NotFound,
    ];
    let left = [Left::NotKnownYet, Left::Stop(savepoint()), Left::Other];
    let restored = [
        Restored::NotKnownYet,
        Restored::Newest,
        Restored::Older,
        Restored::Nothing,
    ];
    let mut all = Vec::new();
    for job in jobs {
        for told in &told {
            for left in &left {
                for restored in restored {
                    for (after_window, may_start) in
                        [(false, false), (false, true), (true, false), (true, true)]
                    {
                        all.push(Evidence {
                            job,
                            told: told.clone(),
                            after_window,
                            left: left.clone(),
                            restored,
                            may_start,
                        });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn no_verdict_claims_more_than_the_evidence_proves() {
    for evidence in every_evidence() {
        let verdict = judge(evidence.clone());
        let (job, told) = (evidence.job, &evidence.told);
        let other = matches!(job, Job::Alive(Run::Other) | Job::Ended(Run::Other));
        let of_older = other && evidence.restored != Restored::Newest;
        let why = format!("{evidence:?} -> {verdict:?}");
        match verdict {
            Verdict::Pending(_) => {}
            Verdict::Stopped(path, _) => {
                assert_eq!(path, PATH);
                let named = matches!(told, Told::SavepointAt(_));
                let left = matches!(evidence.left, Left::Stop(_)) && matches!(job, Job::Ended(_));
                assert!(named || left, "{why}");
                assert!(!of_older, "never from a run that had older state: {why}");
                assert!(*told != Told::Nothing, "{why}");
            }
            Verdict::NotStopped(_) => {
                assert!(matches!(told, Told::Failed(_)), "{why}");
                assert!(matches!(job, Job::Alive(_)), "{why}");
            }
            Verdict::SendAgain => {
                assert_eq!(*told, Told::NotFound, "{why}");
                assert!(evidence.after_window, "a request may still arrive: {why}");
                assert!(matches!(job, Job::Alive(_)) && !of_older, "{why}");
            }
            Verdict::EndedByItself => {
                assert_eq!(evidence.left, Left::Other, "{why}");
                assert!(matches!(job, Job::Ended(_)), "{why}");
            }
            Verdict::Older => assert!(other && evidence.restored == Restored::Older, "{why}"),
            Verdict::Lost => {
                let absent = job == Job::Absent && !evidence.may_start;
                let forgotten = matches!(told, Told::Failed(_) | Told::NotFound);
                let anew = other && evidence.restored == Restored::Nothing;
                assert!((absent && forgotten) || anew, "{why}");
            }
        }
    }
}

fn of(job: Job, told: Told) -> Evidence {
    Evidence {
        job,
        told,
        after_window: false,
        left: Left::NotKnownYet,
        restored: Restored::NotKnownYet,
        may_start: false,
    }
}

#[test]
fn a_running_job_under_a_pending_trigger_is_neither_stopped_nor_not_stopped() {
    let verdict = judge(of(Job::Alive(Run::Same), Told::InProgress));
    assert_eq!(verdict, Verdict::Pending(Pending::Savepoint));
}

#[test]
fn a_trigger_that_is_not_found_proves_nothing_while_its_request_may_arrive() {
    let verdict = judge(of(Job::Alive(Run::Same), Told::NotFound));
    assert_eq!(verdict, Verdict::Pending(Pending::Request));
}

#[test]
fn a_forgotten_trigger_of_an_ended_job_is_looked_up_in_statistics_that_are_not_stale() {
    let evidence = of(Job::Ended(Run::Same), Told::NotFound);
    assert_eq!(
        judge(evidence.clone()),
        Verdict::Pending(Pending::Statistics)
    );
    let found = Evidence {
        left: Left::Stop(savepoint()),
        ..evidence
    };
    assert_eq!(
        judge(found),
        Verdict::Stopped(PATH.into(), Some(savepoint()))
    );
}

#[test]
fn a_silent_job_manager_decides_nothing() {
    for told in [Told::Nothing, Told::NotFound, Told::Failed("why".into())] {
        let verdict = judge(of(Job::Unknown, told));
        assert_eq!(verdict, Verdict::Pending(Pending::JobManager));
    }
}
