//! Starts from a path, against what was observed of the real ones.

use serde_json::json;

use super::rig::{HA, JOB, Rig, TRIGGER, ha_and};

const VERSIONS: [&str; 5] = ["1.15", "1.16", "1.18", "1.20", "2.3"];

/// A cluster that was stopped; gives the savepoint's path and id.
fn stopped(version: &str) -> (Rig, String, u64) {
    let mut rig = Rig::new(version, &[]);
    rig.pass(40_000);
    rig.stop(TRIGGER);
    rig.pass(1_000);
    let location = rig.outcome(TRIGGER)["operation"]["location"].clone();
    let path = location.as_str().unwrap().to_owned();
    let id = rig.files.snapshots.last().unwrap().checkpoint;
    assert!(id > 2, "{version}: {id}");
    (rig, path, id)
}

#[test]
fn a_start_from_a_savepoint_goes_on_with_the_next_id_and_says_so() {
    for version in VERSIONS {
        for conf in [&[][..], &HA] {
            let (mut rig, path, id) = stopped(version);
            let mut conf = conf.to_vec();
            conf.push(("execution.savepoint.path", &path));
            rig.restart(true, &conf).pass(25_000);
            assert_eq!(rig.restored(), [None, Some(id)], "{version}");
            let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
            let restored = &statistics["latest"]["restored"];
            assert_eq!(restored["id"], id, "{version}");
            assert_eq!(restored["is_savepoint"], true, "{version}");
            assert_eq!(restored["external_path"], json!(path), "{version}");
            assert_eq!(statistics["counts"]["restored"], 1, "{version}");
            assert_eq!(statistics["latest"]["completed"]["id"], id + 1, "{version}");
        }
    }
}

#[test]
fn without_ha_a_killed_process_starts_from_its_old_path_again() {
    for version in VERSIONS {
        let (mut rig, path, id) = stopped(version);
        let conf = [("execution.savepoint.path", path.as_str())];
        rig.restart(true, &conf).pass(45_000);
        assert!(rig.files.snapshots.last().unwrap().checkpoint > id);
        rig.restart(false, &conf).pass(12_000);
        assert_eq!(rig.restored(), [None, Some(id), Some(id)], "{version}");
        let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
        let restored = &statistics["latest"]["restored"];
        assert_eq!(restored["is_savepoint"], true, "{version}");
        assert_eq!(restored["external_path"], json!(path), "{version}");
    }
}

#[test]
fn a_path_that_leads_nowhere_ends_a_1_x_process_again_and_again() {
    let conf = [("execution.savepoint.path", "file:///sp/nowhere")];
    for version in ["1.15", "1.18", "1.20"] {
        let mut rig = Rig::new(version, &conf);
        rig.pass(20_000);
        rig.restart(false, &conf).pass(20_000);
        assert_eq!(rig.exits, [2, 2], "{version}");
        assert!(rig.runs.is_empty(), "{version}");
    }
    let mut rig = Rig::new("2.3", &conf);
    rig.pass(60_000);
    assert_eq!((rig.state().as_str(), rig.exits.len()), ("FAILED", 0));
}

#[test]
fn a_checkpoint_of_ha_wins_over_a_path() {
    let (mut rig, path, id) = stopped("1.20");
    let conf = ha_and(&[("execution.savepoint.path", &path)]);
    rig.restart(true, &conf).pass(40_000);
    let newest = rig.files.snapshots.last().unwrap().checkpoint;
    rig.restart(false, &conf).pass(25_000);
    assert_eq!(rig.restored(), [None, Some(id), Some(newest)]);
    let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
    assert_eq!(statistics["latest"]["restored"]["is_savepoint"], false);
}

#[test]
fn a_checkpoint_is_as_good_a_path_as_a_savepoint() {
    let mut rig = Rig::new("1.20", &[]);
    rig.pass(40_000);
    let (path, id) = {
        let newest = rig.files.snapshots.last().unwrap();
        (newest.path.clone(), newest.checkpoint)
    };
    let conf = [("execution.savepoint.path", path.as_str())];
    rig.restart(false, &conf).pass(12_000);
    assert_eq!(rig.restored(), [None, Some(id)]);
    let statistics = rig.get(&format!("/jobs/{JOB}/checkpoints"));
    assert_eq!(statistics["latest"]["restored"]["is_savepoint"], true);
}
