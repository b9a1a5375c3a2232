//! What is at rest costs nothing.

use super::*;
use flink_operator_world::api::Verb;

/// Counts requests that are neither watches nor the rare lists that repair them.
fn requests(world: &World) -> usize {
    let records = world.api.journal_records();
    let counts = |verb| !matches!(verb, Some(Verb::Watch | Verb::List));
    records
        .iter()
        .filter(|record| record.request.instance == "op-1" && counts(record.request.verb))
        .count()
}

#[test]
fn a_job_at_rest_costs_no_request_for_hours() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(application()).unwrap();
        until_stable(&world).await;
        pass(30.0).await;
        let before = requests(&world);
        pass(2.0 * 3600.0).await;
        assert_eq!(requests(&world), before);
    });
}

#[test]
fn checkpoints_alone_are_written_every_five_minutes_at_most() {
    in_virtual_time(async {
        let world = world();
        let _operator = Operator::start(&world, "op-1");
        world.api.create(highly_available()).unwrap();
        until_stable(&world).await;
        pass(60.0).await;
        let operators = |world: &World| {
            let records = world.api.journal_records();
            records
                .iter()
                .filter(|record| record.request.instance == "op-1" && record.point.is_some())
                .count()
        };
        let before = operators(&world);
        pass(3600.0).await;
        let writes = operators(&world) - before;
        assert!((1..=12).contains(&writes), "{writes} writes in an hour");
    });
}
