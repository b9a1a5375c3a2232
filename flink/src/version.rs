//! Which version understands which call and field.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A version of Flink, as far as its REST API depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlinkVersion {
    major: u16,
    minor: u16,
}

/// Says why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Flink version: expected \"<major>.<minor>\", for example \"1.20\"")]
pub struct BadVersion(String);

impl FromStr for FlinkVersion {
    type Err = BadVersion;

    /// Reads `1.20`, `1.20.5` or `2.3-SNAPSHOT`.
    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let bad = || BadVersion(text.chars().take(32).collect());
        let mut parts = text.trim().split(['.', '-']);
        let mut number = || {
            parts
                .next()
                .and_then(|part| part.parse().ok())
                .ok_or_else(bad)
        };
        Ok(Self {
            major: number()?,
            minor: number()?,
        })
    }
}

impl fmt::Display for FlinkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FlinkVersion {
    /// Names a version.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    fn from(self, minor: u16) -> bool {
        self >= Self::new(1, minor)
    }

    /// Tells whether savepoint and stop take a trigger id of the caller's, so that repeating is safe.
    pub fn takes_trigger_id(self) -> bool {
        self.from(15)
    }

    /// Tells whether savepoint and stop take a format.
    pub fn takes_savepoint_format(self) -> bool {
        self.from(15)
    }

    /// Tells whether checkpoints can be triggered.
    pub fn triggers_checkpoints(self) -> bool {
        self.from(17)
    }

    /// Tells whether running a jar takes a configuration.
    pub fn takes_run_configuration(self) -> bool {
        self.from(17)
    }

    /// Tells whether resource requirements exist; the scheduler must be adaptive besides.
    pub fn has_resource_requirements(self) -> bool {
        self.from(18)
    }

    /// Tells whether a job id that was used cannot run again in the same JobManager.
    pub fn remembers_job_ids(self) -> bool {
        self.from(15)
    }

    /// Says how to a run is written who owns the savepoint; before 1.15 nothing is.
    pub fn claim(self, mode: ClaimMode) -> Option<Claim> {
        if self.from(20) {
            Some(Claim::ClaimMode(mode))
        } else if self.from(15) {
            Some(Claim::RestoreMode(mode))
        } else {
            None
        }
    }
}

/// Who owns the savepoint that a job starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClaimMode {
    /// Flink does, and deletes it when it is subsumed.
    Claim,
    /// Whoever made it; Flink never deletes it.
    NoClaim,
}

/// [`ClaimMode`] under the name that a version knows; the wrong one is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Claim {
    /// 1.15 to 1.19.
    RestoreMode(ClaimMode),
    /// From 1.20.
    ClaimMode(ClaimMode),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        for (text, shown) in [("1.9", "1.9"), ("1.20.5", "1.20"), ("2.3-SNAPSHOT", "2.3")] {
            assert_eq!(text.parse::<FlinkVersion>().unwrap().to_string(), shown);
        }
        assert!(FlinkVersion::new(1, 9) < FlinkVersion::new(1, 20));
        assert!(FlinkVersion::new(1, 20) < FlinkVersion::new(2, 0));
        for wrong in ["", "1", "v1.20", "<unknown>", "1."] {
            assert!(wrong.parse::<FlinkVersion>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn abilities_follow_the_observed_table() {
        let able = |minor| {
            let version = FlinkVersion::new(1, minor);
            [
                version.takes_trigger_id(),
                version.triggers_checkpoints(),
                version.has_resource_requirements(),
            ]
        };
        assert_eq!(able(14), [false, false, false]);
        assert_eq!(able(15), [true, false, false]);
        assert_eq!(able(16), [true, false, false]);
        assert_eq!(able(18), [true, true, true]);
        assert!(FlinkVersion::new(2, 3).takes_trigger_id());
    }

    #[test]
    fn the_claim_has_one_name_per_version() {
        let json = |minor| {
            let claim = FlinkVersion::new(1, minor).claim(ClaimMode::NoClaim);
            serde_json::to_string(&claim).unwrap()
        };
        assert_eq!(json(14), "null");
        assert_eq!(json(19), r#"{"restoreMode":"NO_CLAIM"}"#);
        assert_eq!(json(20), r#"{"claimMode":"NO_CLAIM"}"#);
    }
}
