//! Flink versions and the ways in which they behave differently.

use std::fmt;

/// A Flink version by its major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u8,
    minor: u8,
}

impl Version {
    /// Makes a version.
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// Reads `v1_20`, `1.20`, `1.20.5` or an image tag such as `1.20-java17`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(Self { major, minor })
    }

    /// Reads the version from an image name such as `apache/flink:1.20-java17`.
    pub fn of_image(image: &str) -> Option<Self> {
        let (_, tag) = image.rsplit_once(':')?;
        Self::parse(tag)
    }

    /// Gives the full release number that `/config` names.
    pub fn release(self) -> String {
        let patch = match (self.major, self.minor) {
            (1, 13 | 14) => 6,
            (1, 15) => 4,
            (1, 17) => 2,
            (1, 18) => 1,
            (1, 16 | 19) => 3,
            (1, 20) => 5,
            (_, _) => 0,
        };
        format!("{}.{}.{patch}", self.major, self.minor)
    }

    /// Tells whether savepoint and stop requests accept a `triggerId` chosen by the client.
    pub fn takes_trigger_id(self) -> bool {
        self >= Self::new(1, 15)
    }

    /// Tells whether an unknown field in a body is an error.
    pub fn rejects_unknown_fields(self) -> bool {
        self < Self::new(1, 19)
    }

    /// Tells whether any end of the job makes the JobManager delete its own Deployment,
    /// `execution.shutdown-on-application-finish` or not.
    pub fn always_shuts_down(self) -> bool {
        self < Self::new(1, 15)
    }

    /// Tells whether the results of ended jobs are kept in a store of files.
    pub fn has_result_store(self) -> bool {
        self >= Self::new(1, 15)
    }

    /// Tells whether each leader has a `ConfigMap` of its own, with the data of jobs in two of them.
    pub fn has_map_per_leader(self) -> bool {
        self < Self::new(1, 15)
    }

    /// Gives what the keys of stored job graphs begin with.
    pub fn graph_prefix(self) -> &'static str {
        if self.major >= 2 {
            "executionPlan-"
        } else {
            "jobGraph-"
        }
    }

    /// Gives what the keys of job leaders in the cluster map begin with.
    pub fn job_leader_prefix(self) -> &'static str {
        if self >= Self::new(1, 20) {
            "org.apache.flink.k8s.leader.job-"
        } else {
            "org.apache.flink.k8s.leader."
        }
    }

    /// Tells whether HA ConfigMaps carry `configmap-type: high-availability`.
    pub fn labels_map_type(self) -> bool {
        self.major < 2
    }

    /// Tells whether HA ConfigMaps are created without labels, which a later write adds.
    pub fn labels_maps_late(self) -> bool {
        self < Self::new(1, 14)
    }

    /// Tells whether a stopping leader gives its lease back.
    pub fn releases_lease(self) -> bool {
        self.major >= 2
    }

    /// Tells whether a failed start of the application leaves the JobManager up.
    pub fn survives_failed_start(self) -> bool {
        self.major >= 2
    }

    /// Tells whether a recovered job with another id than the application's makes the application fail.
    pub fn refuses_foreign_jobs(self) -> bool {
        self.major >= 2
    }

    /// Tells whether `/jobs/:id/exceptions` still has its root exception beside the history.
    pub fn has_root_exception(self) -> bool {
        self.major < 2
    }

    /// Tells whether cancelling a job that ended otherwise is a conflict rather than "not found".
    pub fn cancel_conflicts(self) -> bool {
        self >= Self::new(1, 15)
    }

    /// Tells whether cancelling a cancelled job is accepted.
    pub fn cancels_again(self) -> bool {
        self >= Self::new(1, 14)
    }

    /// Tells whether a stop whose job fails while ending names the savepoint in its failure.
    pub fn names_savepoint_of_failed_stop(self) -> bool {
        self >= Self::new(1, 15)
    }

    /// Tells whether a stop or savepoint of a failed job is refused as one of a job that is not there.
    pub fn forgets_failed_jobs(self) -> bool {
        self >= Self::new(1, 20)
    }

    /// Tells whether checkpoints can be triggered through REST.
    pub fn triggers_checkpoints(self) -> bool {
        self >= Self::new(1, 17)
    }

    /// Gives the key of the savepoint directory as the error for its absence names it.
    pub fn savepoint_directory_key(self) -> &'static str {
        if self >= Self::new(1, 20) {
            "execution.checkpointing.savepoint-dir"
        } else {
            "state.savepoints.dir"
        }
    }

    /// Gives the field that tells the kind of a checkpoint entry apart.
    pub fn class_field(self) -> &'static str {
        if self >= Self::new(1, 15) {
            "className"
        } else {
            "@class"
        }
    }

    /// Tells whether the second number after the dot is at least this, within 1.x, or the version is newer.
    pub fn since(self, major: u8, minor: u8) -> bool {
        self >= Self::new(major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_all_their_forms() {
        for text in [
            "v1_20",
            "1.20",
            "1.20.5",
            "1.20-java17",
            "1.20.5-scala_2.12-java11",
        ] {
            assert_eq!(Version::parse(text), Some(Version::new(1, 20)), "{text}");
        }
        assert_eq!(
            Version::of_image("example.org:5000/apache/flink:2.3"),
            Some(Version::new(2, 3))
        );
        assert_eq!(Version::of_image("flink:latest"), None);
        assert_eq!(Version::of_image("flink"), None);
    }

    #[test]
    fn versions_are_ordered_by_number_and_not_by_text() {
        assert!(Version::new(1, 9) < Version::new(1, 13));
        assert!(Version::new(1, 20) < Version::new(2, 0));
        assert_eq!(Version::new(1, 20).release(), "1.20.5");
    }
}
