//! Where the logs of containers are, and how they are shown.

use std::path::{Path, PathBuf};

/// Returns the log of one start of one container; `start` counts from 0.
pub fn log_file(
    log_dir: &Path,
    namespace: &str,
    pod: &str,
    container: &str,
    start: u32,
) -> PathBuf {
    log_dir
        .join(namespace)
        .join(pod)
        .join(format!("{container}.{start}.log"))
}
