//! Objects recorded from the Java operator's client, case by case (see `README.md` beside this file).
//!
//! Each case has two halves: the resource must give the recorded configuration and pod templates, and
//! these must give the recorded objects.

#![allow(clippy::unwrap_used)] // helpers of tests: a panic is the failure

mod case;
mod compare;

use std::collections::BTreeSet;

use case::{Case, cases_dir};

/// Declares one test per recorded case, and the list of all of them.
macro_rules! cases {
    ($($version:ident { $($name:ident = $dir:literal,)+ })+) => {
        $(mod $version {
            $(
                #[test]
                fn $name() {
                    super::check(concat!(stringify!($version), "/", $dir));
                }
            )+
        })+

        const CASES: &[&str] = &[$($(concat!(stringify!($version), "/", $dir),)+)+];
    };
}

cases! {
    v1_15 {
        ha_session = "ha-session",
        minimal_application = "minimal-application",
    }
    v1_17 {
        ha_application = "ha-application",
        minimal_application = "minimal-application",
    }
    v1_18 {
        minimal_application = "minimal-application",
    }
    v1_20 {
        config_value_kinds = "config-value-kinds",
        cpu_limit_factors = "cpu-limit-factors",
        env_and_secrets = "env-and-secrets",
        ephemeral_storage = "ephemeral-storage",
        error_replicas_without_ha = "error-replicas-without-ha",
        ha_application = "ha-application",
        ha_jm_replicas_2 = "ha-jm-replicas-2",
        image_pull_and_accounts = "image-pull-and-accounts",
        kerberos_keytab = "kerberos-keytab",
        labels_annotations_scheduling = "labels-annotations-scheduling",
        log_config_both = "log-config-both",
        memory_k8s_units = "memory-k8s-units",
        memory_total_flink = "memory-total-flink",
        minimal_application = "minimal-application",
        minimal_session = "minimal-session",
        no_startup_probe = "no-startup-probe",
        pod_template_common = "pod-template-common",
        pod_template_jm_tm = "pod-template-jm-tm",
        rest_headless = "rest-headless",
        rest_nodeport = "rest-nodeport",
        savepoint_start = "savepoint-start",
    }
    v2_1 {
        config_value_kinds = "config-value-kinds",
        error_overlapping_keys = "error-overlapping-keys",
        ha_application = "ha-application",
        minimal_application = "minimal-application",
    }
    v2_3 {
        ha_application = "ha-application",
        minimal_session = "minimal-session",
    }
}

/// Runs both halves of a case, by themselves and together as the program does.
fn check(name: &str) {
    let case = Case::load(name);
    compare::first_half(&case);
    compare::second_half(&case);
    compare::memory(&case);
    compare::command_line(&case);
}

#[test]
fn every_recorded_case_is_a_test() {
    let mut recorded = BTreeSet::new();
    for version in std::fs::read_dir(cases_dir()).unwrap() {
        let version = version.unwrap();
        for case in std::fs::read_dir(version.path()).unwrap() {
            let (version, case) = (version.file_name(), case.unwrap().file_name());
            recorded.insert(format!("{}/{}", version.display(), case.display()));
        }
    }
    let tested: BTreeSet<String> = CASES.iter().map(ToString::to_string).collect();
    assert_eq!(recorded, tested);
    assert_eq!(tested.len(), 32);
}
