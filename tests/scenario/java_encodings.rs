//! Every encoding that a release of the Java operator left, and every half of an upgrade or rollback.

use std::collections::BTreeSet;

use crate::java_fixtures::{all, prove};

/// Declares one test per fixture.
macro_rules! fixtures {
    ($(#[$meta:meta])* $module:ident: $($test:ident = $name:literal,)+) => {
        $(#[$meta])*
        mod $module {
            pub(super) const NAMES: &[&str] = &[$($name,)+];

            $(
                #[test]
                fn $test() {
                    super::prove($name);
                }
            )+
        }
    };
}

fixtures! {
    /// Adopted by one status write.
    at_rest:
    at_rest_1_0 = "at-rest-1.0",
    at_rest_1_1 = "at-rest-1.1",
    at_rest_1_10 = "at-rest-1.10",
    at_rest_1_11 = "at-rest-1.11",
    at_rest_1_12 = "at-rest-1.12",
    at_rest_1_13 = "at-rest-1.13",
    at_rest_1_14 = "at-rest-1.14",
    at_rest_1_15 = "at-rest-1.15",
    at_rest_1_2 = "at-rest-1.2",
    at_rest_1_3 = "at-rest-1.3",
    at_rest_1_4 = "at-rest-1.4",
    at_rest_1_5 = "at-rest-1.5",
    at_rest_1_6 = "at-rest-1.6",
    at_rest_1_7 = "at-rest-1.7",
    at_rest_1_8 = "at-rest-1.8",
    at_rest_1_9 = "at-rest-1.9",
    at_rest_main = "at-rest-main",
    autoscaled = "autoscaled",
    autoscaled_as_yaml = "autoscaled-as-yaml",
    autoscaled_old_key = "autoscaled-old-key",
    autoscaled_over_the_users = "autoscaled-over-the-users",
    autoscaled_stateless = "autoscaled-stateless",
    error_as_json = "error-as-json",
    error_as_text = "error-as-text",
    error_empty = "error-empty",
    finished = "finished",
    ignored_edits = "ignored-edits",
    job_id_not_known = "job-id-not-known",
    memory_tuned = "memory-tuned",
    never_stable = "never-stable",
    not_yet_stable = "not-yet-stable",
    nothing_but_what_counts = "nothing-but-what-counts",
    options_nested_in_the_record = "options-nested-in-the-record",
    rolled_back = "rolled-back",
    rolled_back_and_reverted = "rolled-back-and-reverted",
    savepoint_under_way = "savepoint-under-way",
    suspended_with_ha_data = "suspended-with-ha-data",
    suspended_with_savepoint = "suspended-with-savepoint",
    whole_pod_as_template = "whole-pod-as-template",
}

fixtures! {
    /// In the middle of an upgrade or a rollback.
    half_done:
    begun_and_taken_back = "begun-and-taken-back",
    cancelling = "cancelling",
    cancelling_and_given_up = "cancelling-and-given-up",
    first_start_before_submit = "first-start-before-submit",
    first_start_submitted_1_0 = "first-start-submitted-1.0",
    first_start_submitted_1_1 = "first-start-submitted-1.1",
    first_start_submitted_1_15 = "first-start-submitted-1.15",
    first_start_submitted_1_7 = "first-start-submitted-1.7",
    first_start_submitted_1_8 = "first-start-submitted-1.8",
    last_state_upgrade_deleted = "last-state-upgrade-deleted",
    last_state_upgrade_deleted_1_5 = "last-state-upgrade-deleted-1.5",
    last_state_upgrade_submitted = "last-state-upgrade-submitted",
    old_job_manager_recovered = "old-job-manager-recovered",
    resumed = "resumed",
    resumed_without_state = "resumed-without-state",
    rolled_back_and_lost = "rolled-back-and-lost",
    rolling_back_begun = "rolling-back-begun",
    rolling_back_deleted = "rolling-back-deleted",
    rolling_back_submitted = "rolling-back-submitted",
    rolling_back_without_state = "rolling-back-without-state",
    state_given_up = "state-given-up",
    state_of_an_older_stop = "state-of-an-older-stop",
    stateless_upgrade_deleted_1_0 = "stateless-upgrade-deleted-1.0",
    stateless_upgrade_deleted_1_1 = "stateless-upgrade-deleted-1.1",
    stateless_upgrade_deleted_1_15 = "stateless-upgrade-deleted-1.15",
    stateless_upgrade_deleted_1_7 = "stateless-upgrade-deleted-1.7",
    stateless_upgrade_deleted_1_8 = "stateless-upgrade-deleted-1.8",
    stateless_upgrade_submitted = "stateless-upgrade-submitted",
    stopped_with_savepoint_1_0 = "stopped-with-savepoint-1.0",
    stopped_with_savepoint_1_1 = "stopped-with-savepoint-1.1",
    stopped_with_savepoint_1_15 = "stopped-with-savepoint-1.15",
    stopped_with_savepoint_1_7 = "stopped-with-savepoint-1.7",
    stopped_with_savepoint_1_8 = "stopped-with-savepoint-1.8",
    upgrade_submitted_1_0 = "upgrade-submitted-1.0",
    upgrade_submitted_1_1 = "upgrade-submitted-1.1",
    upgrade_submitted_1_15 = "upgrade-submitted-1.15",
    upgrade_submitted_1_7 = "upgrade-submitted-1.7",
    upgrade_submitted_1_8 = "upgrade-submitted-1.8",
}

#[test]
fn coverage_every_fixture_has_a_test_and_every_release_a_fixture() {
    let fixtures = all();
    println!(
        "{:<34} {:<7} {:<42} what is there",
        "fixture", "release", "outcome"
    );
    for (name, fixture) in &fixtures {
        let outcome = &fixture["outcome"];
        let of = |field: &str| outcome[field].as_str().unwrap_or_default();
        let detail = [of("lifecycleState"), of("reason"), of("cluster")].concat();
        let outcome = format!("{} ({detail})", of("kind"));
        let text = |field: &str| fixture[field].as_str().unwrap();
        println!(
            "{name:<34} {:<7} {outcome:<42} {}",
            text("release"),
            text("tells")
        );
    }
    let tested: BTreeSet<_> = at_rest::NAMES
        .iter()
        .chain(half_done::NAMES)
        .copied()
        .collect();
    assert_eq!(
        fixtures.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        tested
    );
    for release in 0..=15 {
        let name = format!("at-rest-1.{release}");
        assert!(fixtures.contains_key(&name), "{name}");
    }
}
