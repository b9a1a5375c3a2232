//! The proof by faults: every way in which a change can be disturbed once, and random mixtures.
//!
//! A sweep plays one change of one resource without faults, counts what the operator writes and what
//! it is told, and then plays it again for each of these moments with one fault at it. After each
//! play the world is left alone; it must come to where the change leads, be silent then, and the
//! oracle must have nothing to say about the whole history.
//!
//! A failing plan is named like `create/crash-after-5` and told step by step when it is replayed
//! alone: `PLAN=create/crash-after-5 cargo test --test simulation one_plan -- --nocapture`. An episode
//! of the random mixtures is named like `random/1/17`: its seed (`FLINK_OPERATOR_SEED`) and its number.

#![allow(unreachable_pub)] // one program: what its modules share is public

mod deeds;
mod goals;
mod plan;
#[allow(dead_code)] // scenes use more of it
#[path = "../scenario/play/mod.rs"]
mod play;
mod random;
mod saboteur;
mod stage;
mod sweep;
mod sweeps;

use sweep::Expected;

/// Makes one test of each sweep, with the number of its moments: writes, and events of watches.
macro_rules! sweeps {
    ($($name:ident: $writes:literal writes, $events:literal events;)+) => {
        $(
            #[test]
            fn $name() {
                sweep::run(&sweeps::$name(), &Expected { writes: $writes, events: $events });
            }
        )+

        /// Plays the plan that the environment names, and tells what happened.
        #[test]
        fn one_plan() {
            let Ok(name) = std::env::var("PLAN") else { return };
            let all = [$((stringify!($name), sweeps::$name as fn() -> sweep::Sweep),)+];
            sweep::replay(&name, &all);
        }
    };
}

/// Plays random mixtures for a while.
#[test]
fn random_mixtures() {
    random::run();
}

sweeps! {
    create: 15 writes, 17 events;
    create_with_ha: 14 writes, 17 events;
    create_beside_an_old_graph: 15 writes, 17 events;
    create_with_own_job_id: 15 writes, 17 events;
    edit: 27 writes, 29 events;
    edit_with_ha: 28 writes, 30 events;
    edit_with_ha_and_loss: 28 writes, 30 events;
    suspend: 12 writes, 15 events;
    suspend_with_ha: 14 writes, 16 events;
    resume: 17 writes, 16 events;
    resume_with_ha: 16 writes, 16 events;
    delete: 12 writes, 16 events;
    delete_with_ha: 14 writes, 17 events;
    job_manager_lost: 21 writes, 20 events;
    job_manager_lost_with_ha: 3 writes, 3 events;
    savepoint_upgrade: 30 writes, 30 events;
    savepoint_upgrade_with_ha: 31 writes, 31 events;
    savepoint_suspend: 14 writes, 16 events;
    savepoint_suspend_with_ha: 16 writes, 17 events;
    savepoint_resume: 18 writes, 16 events;
    create_from_savepoint: 16 writes, 17 events;
    savepoint_fails: 10 writes, 6 events;
    closing_fails: 31 writes, 30 events;
    savepoint_taken_back: 31 writes, 32 events;
    flink_in_upgrade: 30 writes, 30 events;
    flink_in_upgrade_with_ha: 30 writes, 30 events;
    flink_in_suspend: 16 writes, 16 events;
    slow_savepoint: 29 writes, 29 events;
    proxied_upgrade: 30 writes, 30 events;
    proxied_taken_back: 31 writes, 32 events;
}
