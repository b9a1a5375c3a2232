//! Memory options of Flink's processes.

use super::options;
use crate::config::{Float32, MemorySize};

options! {
    Flink live "jobmanager." {
        /// Total memory of the process.
        JM_PROCESS_SIZE: MemorySize = "memory.process.size", since "1.0";
        /// Memory of the process without JVM metaspace and overhead.
        JM_FLINK_SIZE: MemorySize = "memory.flink.size", since "1.0";
        /// JVM heap.
        JM_HEAP_SIZE: MemorySize = "memory.heap.size", since "1.0";
        /// Memory outside of the heap.
        JM_OFF_HEAP_SIZE: MemorySize = "memory.off-heap.size", default "128 mb", since "1.0";
        /// JVM metaspace.
        JM_METASPACE_SIZE: MemorySize = "memory.jvm-metaspace.size", default "256 mb", since "1.0";
        /// JVM overhead, at least.
        JM_OVERHEAD_MIN: MemorySize = "memory.jvm-overhead.min", default "192 mb", since "1.0";
        /// JVM overhead, at most.
        JM_OVERHEAD_MAX: MemorySize = "memory.jvm-overhead.max", default "1 gb", since "1.0";
        /// JVM overhead as a share of the process.
        JM_OVERHEAD_FRACTION: Float32 = "memory.jvm-overhead.fraction", default "0.1", since "1.0";
        /// Total memory under its oldest name, with a unit.
        JM_LEGACY_HEAP_SIZE: MemorySize = "heap.size", since "1.0";
        /// Total memory under its oldest name, in MiB.
        JM_LEGACY_HEAP_MB: i32 = "heap.mb", since "1.0";
    }
    Flink live "taskmanager." {
        /// Total memory of the process.
        TM_PROCESS_SIZE: MemorySize = "memory.process.size", since "1.0";
        /// Memory of the process without JVM metaspace and overhead.
        TM_FLINK_SIZE: MemorySize = "memory.flink.size", since "1.0";
        /// JVM heap of Flink itself.
        TM_FRAMEWORK_HEAP_SIZE: MemorySize = "memory.framework.heap.size", default "128 mb", since "1.0";
        /// JVM heap of tasks.
        TM_TASK_HEAP_SIZE: MemorySize = "memory.task.heap.size", since "1.0";
        /// Direct memory of Flink itself.
        TM_FRAMEWORK_OFF_HEAP_SIZE: MemorySize = "memory.framework.off-heap.size", default "128 mb", since "1.0";
        /// Direct memory of tasks.
        TM_TASK_OFF_HEAP_SIZE: MemorySize = "memory.task.off-heap.size", default "0 bytes", since "1.0";
        /// Memory of state backends and sorting.
        TM_MANAGED_SIZE: MemorySize = "memory.managed.size" | "memory.size", since "1.0";
        /// That as a share of Flink's memory.
        TM_MANAGED_FRACTION: Float32 = "memory.managed.fraction", default "0.4", since "1.0";
        /// Network buffers, at least.
        TM_NETWORK_MIN: MemorySize = "memory.network.min" | "network.memory.min", default "64 mb", since "1.0";
        /// Network buffers, at most.
        TM_NETWORK_MAX: MemorySize = "memory.network.max" | "network.memory.max",
            default "9223372036854775807 bytes", since "1.0";
        /// Network buffers as a share of Flink's memory.
        TM_NETWORK_FRACTION: Float32 = "memory.network.fraction" | "network.memory.fraction",
            default "0.1", since "1.0";
        /// JVM metaspace.
        TM_METASPACE_SIZE: MemorySize = "memory.jvm-metaspace.size", default "256 mb", since "1.0";
        /// JVM overhead, at least.
        TM_OVERHEAD_MIN: MemorySize = "memory.jvm-overhead.min", default "192 mb", since "1.0";
        /// JVM overhead, at most.
        TM_OVERHEAD_MAX: MemorySize = "memory.jvm-overhead.max", default "1 gb", since "1.0";
        /// JVM overhead as a share of the process.
        TM_OVERHEAD_FRACTION: Float32 = "memory.jvm-overhead.fraction", default "0.1", since "1.0";
        /// Total memory under its oldest name, with a unit.
        TM_LEGACY_HEAP_SIZE: MemorySize = "heap.size", since "1.0";
        /// Total memory under its oldest name, in MiB.
        TM_LEGACY_HEAP_MB: i32 = "heap.mb", since "1.0";
    }
}
