//! Flink's memory model: how the memory of a process is divided, and its total.
//!
//! The operator needs the totals, for the containers' requests; the processes divide their memory
//! themselves by the same rules. The rules are those of Flink 1.20; totals are equal in all versions.

use super::error::BuildError;
use crate::config::options as opt;
use crate::config::{ConfigError, Configuration, Float32, Key, MemorySize};

/// The memory of a JobManager process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobManagerMemory {
    /// All of it: what the container needs.
    pub process: MemorySize,
    /// Heap and off-heap.
    pub flink: MemorySize,
    /// JVM heap.
    pub heap: MemorySize,
    /// Direct and native memory.
    pub off_heap: MemorySize,
    /// JVM metaspace.
    pub metaspace: MemorySize,
    /// JVM overhead.
    pub overhead: MemorySize,
}

/// The memory of a TaskManager process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskManagerMemory {
    /// All of it: what the container needs.
    pub process: MemorySize,
    /// All but metaspace and overhead.
    pub flink: MemorySize,
    /// JVM heap of Flink itself.
    pub framework_heap: MemorySize,
    /// JVM heap of tasks.
    pub task_heap: MemorySize,
    /// Direct memory of Flink itself.
    pub framework_off_heap: MemorySize,
    /// Direct memory of tasks.
    pub task_off_heap: MemorySize,
    /// Memory of state backends and sorting.
    pub managed: MemorySize,
    /// Network buffers.
    pub network: MemorySize,
    /// JVM metaspace.
    pub metaspace: MemorySize,
    /// JVM overhead.
    pub overhead: MemorySize,
}

type Size = Key<MemorySize>;

/// The options that both processes have.
struct Options {
    process: &'static Size,
    flink: &'static Size,
    metaspace: &'static Size,
    overhead_min: &'static Size,
    overhead_max: &'static Size,
    overhead_fraction: &'static Key<Float32>,
    legacy_size: &'static Size,
    legacy_mb: &'static Key<i32>,
    /// The options that together size the process from below.
    fine_grained: &'static [&'static Size],
}

static JOB_MANAGER: Options = Options {
    process: &opt::JM_PROCESS_SIZE,
    flink: &opt::JM_FLINK_SIZE,
    metaspace: &opt::JM_METASPACE_SIZE,
    overhead_min: &opt::JM_OVERHEAD_MIN,
    overhead_max: &opt::JM_OVERHEAD_MAX,
    overhead_fraction: &opt::JM_OVERHEAD_FRACTION,
    legacy_size: &opt::JM_LEGACY_HEAP_SIZE,
    legacy_mb: &opt::JM_LEGACY_HEAP_MB,
    fine_grained: &[&opt::JM_HEAP_SIZE],
};

static TASK_MANAGER: Options = Options {
    process: &opt::TM_PROCESS_SIZE,
    flink: &opt::TM_FLINK_SIZE,
    metaspace: &opt::TM_METASPACE_SIZE,
    overhead_min: &opt::TM_OVERHEAD_MIN,
    overhead_max: &opt::TM_OVERHEAD_MAX,
    overhead_fraction: &opt::TM_OVERHEAD_FRACTION,
    legacy_size: &opt::TM_LEGACY_HEAP_SIZE,
    legacy_mb: &opt::TM_LEGACY_HEAP_MB,
    fine_grained: &[&opt::TM_TASK_HEAP_SIZE, &opt::TM_MANAGED_SIZE],
};

/// Divides the memory of the JobManager.
pub fn job_manager(config: &Configuration) -> Result<JobManagerMemory, BuildError> {
    let options = &JOB_MANAGER;
    let off_heap = config.get(&opt::JM_OFF_HEAP_SIZE)?;
    let rest = |flink: MemorySize| {
        flink
            .minus(off_heap)
            .ok_or_else(|| too_small(options.flink, flink, &opt::JM_OFF_HEAP_SIZE))
    };
    let start = Start::of(options, config)?;
    let (heap, off_heap, flink) = match start {
        Start::FineGrained => {
            let heap = config.get(&opt::JM_HEAP_SIZE)?;
            match config.find(options.flink)? {
                Some(flink) => {
                    let off_heap = flink
                        .minus(heap)
                        .ok_or_else(|| too_small(options.flink, flink, &opt::JM_HEAP_SIZE))?;
                    (heap, off_heap, flink)
                }
                None => (heap, off_heap, sum([heap, off_heap])?),
            }
        }
        Start::Flink(flink) | Start::Process { flink, .. } => (rest(flink)?, off_heap, flink),
    };
    let jvm = Jvm::of(options, config, start, flink)?;
    Ok(JobManagerMemory {
        process: jvm.process,
        flink,
        heap,
        off_heap,
        metaspace: jvm.metaspace,
        overhead: jvm.overhead,
    })
}

/// Divides the memory of a TaskManager.
pub fn task_manager(config: &Configuration) -> Result<TaskManagerMemory, BuildError> {
    let options = &TASK_MANAGER;
    let framework_heap = config.get(&opt::TM_FRAMEWORK_HEAP_SIZE)?;
    let framework_off_heap = config.get(&opt::TM_FRAMEWORK_OFF_HEAP_SIZE)?;
    let task_off_heap = config.get(&opt::TM_TASK_OFF_HEAP_SIZE)?;
    let network_range = Range {
        min: config.get(&opt::TM_NETWORK_MIN)?,
        max: config.get(&opt::TM_NETWORK_MAX)?,
        fraction: fraction(config, &opt::TM_NETWORK_FRACTION)?,
        min_key: opt::TM_NETWORK_MIN.name(),
        max_key: opt::TM_NETWORK_MAX.name(),
    };
    let start = Start::of(options, config)?;
    let (flink, task_heap, managed, network) = match start {
        Start::FineGrained => {
            let task_heap = config.get(&opt::TM_TASK_HEAP_SIZE)?;
            let managed = config.get(&opt::TM_MANAGED_SIZE)?;
            let others = sum([
                framework_heap,
                framework_off_heap,
                task_heap,
                task_off_heap,
                managed,
            ])?;
            if let Some(flink) = config.find(options.flink)? {
                let network = flink
                    .minus(others)
                    .ok_or_else(|| exceeded(options, flink))?;
                network_range.check(network, "network memory")?;
                (flink, task_heap, managed, network)
            } else {
                let network = network_range.beside(others)?;
                (sum([others, network])?, task_heap, managed, network)
            }
        }
        Start::Flink(flink) | Start::Process { flink, .. } => {
            let managed = match config.find(&opt::TM_MANAGED_SIZE)? {
                Some(managed) => managed,
                None => times(flink, fraction(config, &opt::TM_MANAGED_FRACTION)?)?,
            };
            let fixed = [framework_heap, framework_off_heap, task_off_heap, managed];
            let left = |more: MemorySize| {
                sum(fixed)
                    .and_then(|fixed| sum([fixed, more]))
                    .and_then(|used| flink.minus(used).ok_or_else(|| exceeded(options, flink)))
            };
            if let Some(task_heap) = config.find(&opt::TM_TASK_HEAP_SIZE)? {
                let network = left(task_heap)?;
                network_range.check(network, "network memory")?;
                (flink, task_heap, managed, network)
            } else {
                let network = network_range.within(flink)?;
                (flink, left(network)?, managed, network)
            }
        }
    };
    let jvm = Jvm::of(options, config, start, flink)?;
    Ok(TaskManagerMemory {
        process: jvm.process,
        flink,
        framework_heap,
        task_heap,
        framework_off_heap,
        task_off_heap,
        managed,
        network,
        metaspace: jvm.metaspace,
        overhead: jvm.overhead,
    })
}

/// Which sizes are given, and so in which direction the others follow.
#[derive(Clone, Copy)]
enum Start {
    /// From the parts up.
    FineGrained,
    /// From Flink's memory, both ways.
    Flink(MemorySize),
    /// From the process down.
    Process {
        process: MemorySize,
        metaspace: MemorySize,
        overhead: MemorySize,
        flink: MemorySize,
    },
}

impl Start {
    fn of(options: &Options, config: &Configuration) -> Result<Self, BuildError> {
        if options.fine_grained.iter().all(|key| config.has(key)) {
            return Ok(Self::FineGrained);
        }
        if let Some(flink) = config.find(options.flink)? {
            return Ok(Self::Flink(flink));
        }
        let Some(process) = process_size(options, config)? else {
            let fine: Vec<_> = options.fine_grained.iter().map(|key| key.name()).collect();
            return Err(BuildError::option(
                options.process.name(),
                format!(
                    "the memory is not configured: neither {} nor {} nor the process size is set",
                    fine.join(" with "),
                    options.flink.name()
                ),
                "set resource.memory in the spec, or one of these options",
            ));
        };
        let metaspace = config.get(options.metaspace)?;
        let overhead = overhead_range(options, config)?.within(process)?;
        let flink = process
            .minus(metaspace)
            .and_then(|rest| rest.minus(overhead))
            .ok_or_else(|| too_small(options.process, process, options.metaspace))?;
        Ok(Self::Process {
            process,
            metaspace,
            overhead,
            flink,
        })
    }
}

/// Returns the configured process size, under its newest name or an old one.
fn process_size(
    options: &Options,
    config: &Configuration,
) -> Result<Option<MemorySize>, BuildError> {
    if let Some(size) = config.find(options.process)? {
        return Ok(Some(size));
    }
    if let Some(size) = config.find(options.legacy_size)? {
        return Ok(Some(size));
    }
    Ok(config
        .find(options.legacy_mb)?
        .and_then(|mb| u32::try_from(mb).ok())
        .map(MemorySize::of_mib))
}

/// What a process needs besides Flink's memory.
struct Jvm {
    metaspace: MemorySize,
    overhead: MemorySize,
    process: MemorySize,
}

impl Jvm {
    fn of(
        options: &Options,
        config: &Configuration,
        start: Start,
        flink: MemorySize,
    ) -> Result<Self, BuildError> {
        if let Start::Process {
            process,
            metaspace,
            overhead,
            ..
        } = start
        {
            return Ok(Self {
                metaspace,
                overhead,
                process,
            });
        }
        let metaspace = config.get(options.metaspace)?;
        let inner = sum([flink, metaspace])?;
        let range = overhead_range(options, config)?;
        if let Some(process) = config.find(options.process)? {
            let overhead = process
                .minus(inner)
                .ok_or_else(|| too_small(options.process, process, options.flink))?;
            range.check(overhead, "JVM overhead")?;
            return Ok(Self {
                metaspace,
                overhead,
                process,
            });
        }
        let overhead = range.beside(inner)?;
        Ok(Self {
            metaspace,
            overhead,
            process: sum([inner, overhead])?,
        })
    }
}

fn overhead_range(options: &Options, config: &Configuration) -> Result<Range, BuildError> {
    Ok(Range {
        min: config.get(options.overhead_min)?,
        max: config.get(options.overhead_max)?,
        fraction: fraction(config, options.overhead_fraction)?,
        min_key: options.overhead_min.name(),
        max_key: options.overhead_max.name(),
    })
}

/// A share of memory with bounds.
struct Range {
    min: MemorySize,
    max: MemorySize,
    fraction: f64,
    min_key: &'static str,
    max_key: &'static str,
}

impl Range {
    /// Returns the share of a whole that contains it.
    fn within(&self, whole: MemorySize) -> Result<MemorySize, BuildError> {
        self.clamp(times(whole, self.fraction)?)
    }

    /// Returns the share that is to be added to a part.
    fn beside(&self, part: MemorySize) -> Result<MemorySize, BuildError> {
        self.clamp(times(part, self.fraction / (1.0 - self.fraction))?)
    }

    fn clamp(&self, size: MemorySize) -> Result<MemorySize, BuildError> {
        if self.min > self.max {
            return Err(BuildError::option(
                self.min_key,
                format!("{} is more than {} ({})", self.min, self.max, self.max_key),
                "make it smaller",
            ));
        }
        Ok(size.clamp(self.min, self.max))
    }

    fn check(&self, size: MemorySize, what: &str) -> Result<(), BuildError> {
        if size < self.min || size > self.max {
            return Err(BuildError::option(
                self.min_key,
                format!(
                    "{size} are left for {what}, which must be between {} and {}",
                    self.min, self.max
                ),
                format!(
                    "change the sizes that were set, or {} and {}",
                    self.min_key, self.max_key
                ),
            ));
        }
        Ok(())
    }
}

fn fraction(config: &Configuration, key: &Key<Float32>) -> Result<f64, BuildError> {
    let fraction = config.get(key)?.widened();
    if (0.0..1.0).contains(&fraction) {
        return Ok(fraction);
    }
    Err(ConfigError::Value {
        key: key.name().to_owned(),
        reason: crate::config::ValueError::new("a fraction must be at least 0 and less than 1"),
    }
    .into())
}

fn sum<const N: usize>(sizes: [MemorySize; N]) -> Result<MemorySize, BuildError> {
    sizes
        .into_iter()
        .try_fold(MemorySize::ZERO, MemorySize::plus)
        .ok_or_else(too_large)
}

fn times(size: MemorySize, factor: f64) -> Result<MemorySize, BuildError> {
    size.times(factor).ok_or_else(too_large)
}

fn too_large() -> BuildError {
    BuildError::option(
        "memory",
        "the sizes add up to more than can be expressed",
        "make them smaller",
    )
}

fn too_small(whole: &Size, size: MemorySize, part: &Size) -> BuildError {
    BuildError::option(
        whole.name(),
        format!(
            "{size} is less than its parts need ({} among them)",
            part.name()
        ),
        "make it larger, or the parts smaller",
    )
}

fn exceeded(options: &Options, flink: MemorySize) -> BuildError {
    BuildError::option(
        options.flink.name(),
        format!(
            "framework, task, managed and network memory exceed Flink's total memory of {} bytes",
            flink.bytes()
        ),
        "give the process more memory, or make the configured parts smaller",
    )
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
