//! Which Flink release an image name stands for.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

/// The newest patch release of each minor version that the package registry has; the last one is the newest of all.
const NEWEST: [Release; 11] = [
    Release::new(1, 14, 6),
    Release::new(1, 15, 4),
    Release::new(1, 16, 3),
    Release::new(1, 17, 2),
    Release::new(1, 18, 1),
    Release::new(1, 19, 3),
    Release::new(1, 20, 5),
    Release::new(2, 0, 2),
    Release::new(2, 1, 3),
    Release::new(2, 2, 1),
    Release::new(2, 3, 0),
];

/// One release of Flink, such as `1.20.5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Release {
    const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Returns the newest release known here.
    pub fn newest() -> Self {
        NEWEST[NEWEST.len() - 1]
    }

    /// Returns the Java version that the release's own classes need at least.
    pub fn java(self) -> u32 {
        if self.major < 2 { 8 } else { 11 }
    }

    /// Finds the release an image of Flink's own repositories stands for; `None` for any other image.
    ///
    /// What follows the version (Scala, Java) makes no difference here: all run on the machine's JDK.
    pub fn of_image(image: &str) -> Option<Self> {
        let name = image.split_once('@').map_or(image, |(name, _)| name);
        let slash = name.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match name[slash..].find(':') {
            Some(colon) => (&name[..slash + colon], &name[slash + colon + 1..]),
            None => (name, "latest"),
        };
        let repository = repository.strip_prefix("docker.io/").unwrap_or(repository);
        if !matches!(
            repository,
            "flink" | "library/flink" | "apache/flink" | "ghcr.io/apache/flink"
        ) {
            return None;
        }
        let mut words = tag.split('-');
        let release = match words.next()? {
            "latest" => Self::newest(),
            version => version.parse().ok()?,
        };
        let known = |word: &str| word.starts_with("scala_") || word.starts_with("java");
        words.all(known).then_some(release)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Release {
    type Err = anyhow::Error;

    /// Reads `1.20` (its newest patch release) or `1.20.5`; also `1` for the newest `1.x`, as image tags allow.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected =
            || format!("{text:?} is no Flink version; expected for example 1.20 or 1.20.5");
        let mut numbers = Vec::new();
        for part in text.split('.') {
            numbers.push(part.parse::<u32>().with_context(expected)?);
        }
        let newest = match *numbers.as_slice() {
            [major, minor, patch] => return Self::new(major, minor, patch).published(),
            [major, minor] => NEWEST
                .iter()
                .rfind(|release| (release.major, release.minor) == (major, minor)),
            [major] => NEWEST.iter().rfind(|release| release.major == major),
            _ => bail!(expected()),
        };
        newest
            .copied()
            .with_context(|| format!("Flink {text} is not known here; known are {}", known()))
    }
}

impl Release {
    /// Refuses minor versions that do not exist; patch releases may be newer than this program.
    fn published(self) -> anyhow::Result<Self> {
        if !NEWEST
            .iter()
            .any(|release| (release.major, release.minor) == (self.major, self.minor))
        {
            bail!("Flink {self} is not known here; known are {}", known());
        }
        Ok(self)
    }
}

fn known() -> String {
    NEWEST.map(|release| release.to_string()).join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_flinks_own_images_name_a_release() {
        let cases = [
            ("flink:1.20", "1.20.5"),
            ("flink:1.20-java17", "1.20.5"),
            ("flink:1.20.4-scala_2.12-java11", "1.20.4"),
            ("apache/flink:2.3", "2.3.0"),
            ("docker.io/library/flink:1.18", "1.18.1"),
            ("ghcr.io/apache/flink:2", "2.3.0"),
            ("flink", "2.3.0"),
            ("flink:latest@sha256:00", "2.3.0"),
        ];
        for (image, release) in cases {
            assert_eq!(
                Release::of_image(image).unwrap().to_string(),
                release,
                "{image}"
            );
        }
    }

    #[test]
    fn other_images_are_not_taken_for_flink() {
        for image in [
            "flink:9.9",
            "flink:1.20-alpine",
            "registry:5000/flink:1.20",
            "flink-operator:1.20",
            "flink:",
            "nginx",
        ] {
            assert_eq!(Release::of_image(image), None, "{image}");
        }
    }

    #[test]
    fn an_unknown_version_is_answered_with_the_known_ones() {
        let error = "1.99".parse::<Release>().unwrap_err().to_string();
        assert!(
            error.contains("1.99") && error.contains("1.20.5"),
            "{error}"
        );
        assert!(
            "latest"
                .parse::<Release>()
                .unwrap_err()
                .to_string()
                .contains("expected for example")
        );
    }
}
