//! Reading options: names, defaults, types; and that every value survives its text form.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn the_current_name_beats_older_ones_and_the_default() {
    let key = &options::RECONCILE_INTERVAL;
    let mut config = Configuration::default();
    assert_eq!(config.get(key), Ok(Duration::from_secs(60)));
    config.set("kubernetes.operator.reconciler.reschedule.interval", "7 s");
    assert_eq!(config.get(key), Ok(Duration::from_secs(7)));
    config.set("kubernetes.operator.reconcile.interval", "9 s");
    assert_eq!(config.get(key), Ok(Duration::from_secs(9)));
    config.unset(key);
    assert!(config.is_empty());
}

#[test]
fn errors_name_the_key_as_it_was_written() {
    let config: Configuration = [(
        "kubernetes.operator.reconciler.reschedule.interval",
        "often",
    )]
    .into_iter()
    .collect();
    let error = config
        .get(&options::RECONCILE_INTERVAL)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("kubernetes.operator.reconciler.reschedule.interval: "),
        "{error}"
    );
    let missing = config
        .get(&options::LEADER_ELECTION_LEASE_NAME)
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "kubernetes.operator.leader-election.lease-name is not set and has no default; set it"
    );
    assert_eq!(config.find(&options::LEADER_ELECTION_LEASE_NAME), Ok(None));
}

#[test]
fn autoscaler_options_are_found_under_their_first_names() {
    let config: Configuration = [(
        "kubernetes.operator.job.autoscaler.target.utilization",
        "0.5",
    )]
    .into_iter()
    .collect();
    assert_eq!(config.get(&options::AUTOSCALER_UTILIZATION_TARGET), Ok(0.5));
}

#[test]
fn keys_below_a_prefix_come_without_it() {
    let config: Configuration = [("a", "0"), ("a.b", "1"), ("a.c", "2"), ("b", "3")]
        .into_iter()
        .collect();
    let below: Vec<_> = config.below("a.").collect();
    assert_eq!(below, [("b", "1"), ("c", "2")]);
}

fn piece() -> impl Strategy<Value = String> {
    "[a-z'\";:, {}\\[\\]#é]{0,12}".prop_map(String::from)
}

proptest! {
    #[test]
    fn durations_survive_their_text(seconds in 0..i64::MAX.unsigned_abs(), nanos in 0..1_000_000_000_u32) {
        let duration = Duration::new(seconds, nanos);
        prop_assert_eq!(duration::parse(&duration::print(duration)).unwrap(), duration);
    }

    #[test]
    fn memory_sizes_survive_their_text(bytes in 0..=i64::MAX.unsigned_abs(), shift in 0..63_u32) {
        let size = MemorySize::of_bytes(bytes >> shift << shift);
        prop_assert_eq!(MemorySize::parse(&size.to_string()).unwrap(), size);
    }

    #[test]
    fn doubles_survive_their_text(value in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
        prop_assert_eq!(f64::parse(&value.print()).unwrap().to_bits(), value.to_bits());
    }

    #[test]
    fn fractions_survive_their_text(value in 0.0_f32..1.0) {
        prop_assert_eq!(Float32::parse(&Float32(value).print()).unwrap(), Float32(value));
    }

    #[test]
    fn lists_survive_their_text(list in prop::collection::vec(piece(), 0..6)) {
        let text = text::print_list(&list);
        prop_assert_eq!(text::parse_list(&text).unwrap(), list);
    }

    #[test]
    fn maps_survive_their_text(map in prop::collection::btree_map(piece(), piece(), 0..6)) {
        prop_assert_eq!(text::parse_map(&text::print_map(&map)).unwrap(), map);
    }

    #[test]
    fn lists_of_maps_survive_their_text(
        maps in prop::collection::vec(
            prop::collection::btree_map("[a-z]{1,5}", piece(), 1..4), 0..4)
    ) {
        prop_assert_eq!(text::parse_maps(&text::print_maps(&maps)).unwrap(), maps);
    }

    #[test]
    fn nested_files_keep_every_text(
        entries in prop::collection::btree_map("[a-z]{1,3}(\\.[a-z]{1,3}){0,2}", "\\PC{0,20}", 0..8)
    ) {
        let config: Configuration = entries.into_iter().collect();
        prop_assume!(nested::overlap(&config).is_none());
        let written = nested::write(&config, &[]).unwrap();
        prop_assert_eq!(nested::read(&written).unwrap(), config, "{}", written);
    }

    #[test]
    fn flat_files_keep_plain_texts(
        entries in prop::collection::btree_map("[a-z]{1,3}(\\.[a-z]{1,3}){0,2}", "[!-~&&[^#]]{1,20}", 0..8)
    ) {
        let config: Configuration = entries.into_iter().collect();
        prop_assert_eq!(legacy::read(&legacy::write(&config)), config);
    }
}
