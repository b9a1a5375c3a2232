//! What a process costs, as the kernel counts it.

use std::fs;
use std::time::Duration;

/// The unit of times in `/proc`, the same on every Linux that Rust supports.
const TICK: Duration = Duration::from_millis(10);

/// Returns the time that a process has spent on processors, all threads together.
pub(crate) fn cpu(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in parentheses may contain anything; the numbers come after the last one.
    let (_, numbers) = stat.rsplit_once(") ").unwrap();
    let field = |number: usize| {
        numbers
            .split(' ')
            .nth(number - 3)
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    TICK * (field(14) + field(15))
}

/// Returns the memory of a process that is in RAM now, in MiB.
pub(crate) fn memory(pid: i32) -> f64 {
    field(pid, "VmRSS:")
}

/// Returns the most memory that a process ever had in RAM, in MiB.
pub(crate) fn peak(pid: i32) -> f64 {
    field(pid, "VmHWM:")
}

/// Returns the load averages of the machine over 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let all = fs::read_to_string("/proc/loadavg").unwrap();
    all.split(' ').take(3).collect::<Vec<_>>().join(", ")
}

fn field(pid: i32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes / 1024.0
}
