//! The Flink versions that a resource can ask for.

use crate::text::text_enum;

text_enum! {
    /// A minor version of Flink. Order is by (major, minor), not by text.
    ///
    /// ```
    /// use flink_operator_api::FlinkVersion;
    ///
    /// assert!(FlinkVersion::V2_0 > FlinkVersion::V1_20);
    /// assert_eq!(FlinkVersion::V1_20.numbers(), (1, 20));
    /// assert_eq!("v1_20".parse(), Ok(FlinkVersion::V1_20));
    /// ```
    pub enum FlinkVersion {
        /// Flink 1.13.
        V1_13 = "v1_13",
        /// Flink 1.14.
        V1_14 = "v1_14",
        /// Flink 1.15.
        V1_15 = "v1_15",
        /// Flink 1.16.
        V1_16 = "v1_16",
        /// Flink 1.17.
        V1_17 = "v1_17",
        /// Flink 1.18.
        V1_18 = "v1_18",
        /// Flink 1.19.
        V1_19 = "v1_19",
        /// Flink 1.20.
        V1_20 = "v1_20",
        /// Flink 2.0.
        V2_0 = "v2_0",
        /// Flink 2.1.
        V2_1 = "v2_1",
        /// Flink 2.2.
        V2_2 = "v2_2",
        /// Flink 2.3.
        V2_3 = "v2_3",
        /// Flink 2.4.
        V2_4 = "v2_4",
    }
}

impl FlinkVersion {
    /// Returns major and minor number.
    pub const fn numbers(self) -> (u32, u32) {
        match self {
            Self::V1_13 => (1, 13),
            Self::V1_14 => (1, 14),
            Self::V1_15 => (1, 15),
            Self::V1_16 => (1, 16),
            Self::V1_17 => (1, 17),
            Self::V1_18 => (1, 18),
            Self::V1_19 => (1, 19),
            Self::V1_20 => (1, 20),
            Self::V2_0 => (2, 0),
            Self::V2_1 => (2, 1),
            Self::V2_2 => (2, 2),
            Self::V2_3 => (2, 3),
            Self::V2_4 => (2, 4),
        }
    }

    /// Returns the major number.
    pub const fn major(self) -> u32 {
        self.numbers().0
    }

    /// Returns the minor number.
    pub const fn minor(self) -> u32 {
        self.numbers().1
    }
}

#[cfg(test)]
mod tests {
    use super::FlinkVersion;

    #[test]
    fn order_and_spelling_follow_the_numbers() {
        for pair in FlinkVersion::ALL.windows(2) {
            assert!(
                pair[0].numbers() < pair[1].numbers(),
                "{} before {}",
                pair[0],
                pair[1]
            );
            assert!(pair[0] < pair[1]);
        }
        for version in FlinkVersion::ALL {
            let (major, minor) = version.numbers();
            assert_eq!(version.as_str(), format!("v{major}_{minor}"));
        }
    }
}
