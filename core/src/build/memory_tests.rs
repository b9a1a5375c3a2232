//! Examples worked out by Flink itself, and what must hold for every configuration.

use proptest::prelude::*;

use super::*;

fn config(entries: &[(&str, &str)]) -> Configuration {
    entries.iter().copied().collect()
}

fn bytes<const N: usize>(sizes: [MemorySize; N]) -> [u64; N] {
    sizes.map(MemorySize::bytes)
}

#[test]
fn two_gigabytes_are_divided_as_flink_does() {
    let jm = job_manager(&config(&[("jobmanager.memory.process.size", "2048m")])).unwrap();
    assert_eq!(
        bytes([
            jm.process,
            jm.flink,
            jm.heap,
            jm.off_heap,
            jm.metaspace,
            jm.overhead
        ]),
        [
            2_147_483_648,
            1_664_299_824,
            1_530_082_096,
            134_217_728,
            268_435_456,
            214_748_368
        ]
    );
    let tm = task_manager(&config(&[("taskmanager.memory.process.size", "2 gb")])).unwrap();
    assert_eq!(
        bytes([tm.flink, tm.managed, tm.network, tm.task_heap, tm.overhead]),
        [
            1_664_299_824,
            665_719_939,
            166_429_984,
            563_714_445,
            214_748_368
        ]
    );
}

#[test]
fn from_flink_memory_the_process_follows() {
    let jm = job_manager(&config(&[("jobmanager.memory.flink.size", "1 gb")])).unwrap();
    assert_eq!(jm.process.mib(), 1472);
    let tm = task_manager(&config(&[
        ("taskmanager.memory.flink.size", "2 gb"),
        ("taskmanager.memory.managed.fraction", "0.3"),
        ("taskmanager.memory.network.max", "100m"),
    ]))
    .unwrap();
    assert_eq!(tm.process.mib(), 2560);
    assert_eq!(tm.network, MemorySize::of_mib(100));
}

#[test]
fn from_the_parts_everything_follows() {
    let jm = job_manager(&config(&[("jobmanager.memory.heap.size", "1 gb")])).unwrap();
    assert_eq!(jm.flink, MemorySize::of_mib(1024 + 128));
    let both = config(&[
        ("jobmanager.memory.heap.size", "1 gb"),
        ("jobmanager.memory.flink.size", "1100m"),
    ]);
    assert_eq!(job_manager(&both).unwrap().off_heap, MemorySize::of_mib(76));
    let tm = task_manager(&config(&[
        ("taskmanager.memory.task.heap.size", "512m"),
        ("taskmanager.memory.managed.size", "512m"),
    ]))
    .unwrap();
    assert_eq!(
        tm.flink,
        sum([MemorySize::of_mib(1280), tm.network]).unwrap()
    );
}

#[test]
fn old_names_size_the_process() {
    for entry in [
        ("jobmanager.heap.size", "1600m"),
        ("jobmanager.heap.mb", "1600"),
    ] {
        assert_eq!(
            job_manager(&config(&[entry])).unwrap().process,
            MemorySize::of_mib(1600)
        );
    }
}

#[test]
fn impossible_sizes_are_refused_by_name() {
    for (entries, path) in [
        (&[][..], "taskmanager.memory.process.size"),
        (
            &[("taskmanager.memory.process.size", "300m")],
            "taskmanager.memory.process.size",
        ),
        (
            &[("taskmanager.memory.process.size", "600m")],
            "taskmanager.memory.flink.size",
        ),
        (
            &[("taskmanager.memory.process.size", "-1m")],
            "taskmanager.memory.process.size",
        ),
        (
            &[
                ("taskmanager.memory.flink.size", "1g"),
                ("taskmanager.memory.managed.fraction", "1.5"),
            ],
            "taskmanager.memory.managed.fraction",
        ),
        (
            &[
                ("taskmanager.memory.flink.size", "1g"),
                ("taskmanager.memory.process.size", "1100m"),
            ],
            "taskmanager.memory.process.size",
        ),
        (
            &[
                ("taskmanager.memory.flink.size", "1g"),
                ("taskmanager.memory.process.size", "8g"),
            ],
            "taskmanager.memory.jvm-overhead.min",
        ),
        (
            &[
                ("taskmanager.memory.process.size", "4g"),
                ("taskmanager.memory.network.min", "2 tb"),
                ("taskmanager.memory.network.max", "1 tb"),
            ],
            "taskmanager.memory.network.min",
        ),
        (
            &[
                ("taskmanager.memory.flink.size", "2g"),
                ("taskmanager.memory.task.heap.size", "10m"),
                ("taskmanager.memory.network.max", "64m"),
            ],
            "taskmanager.memory.network.min",
        ),
    ] {
        assert_eq!(
            task_manager(&config(entries)).unwrap_err().path(),
            path,
            "{entries:?}"
        );
    }
}

proptest! {
    #[test]
    fn the_parts_add_up(mib in 1024_u32..100_000, managed in 0.0_f32..0.6, total in prop::bool::ANY) {
        let key = if total { "process" } else { "flink" };
        let config: Configuration = [
            (format!("taskmanager.memory.{key}.size"), format!("{mib}m")),
            ("taskmanager.memory.managed.fraction".to_owned(), managed.to_string()),
        ]
        .into_iter()
        .collect();
        if let Ok(tm) = task_manager(&config) {
            let parts = sum([
                tm.framework_heap, tm.framework_off_heap, tm.task_heap, tm.task_off_heap, tm.managed,
                tm.network,
            ])
            .unwrap();
            prop_assert_eq!(parts, tm.flink);
            prop_assert_eq!(sum([tm.flink, tm.metaspace, tm.overhead]).unwrap(), tm.process);
        }
    }
}
