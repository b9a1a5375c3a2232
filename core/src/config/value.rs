//! The types of option values: how each is read from text and printed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::ValueError;
use super::memory_size::MemorySize;
use super::option::Kind;
use super::{duration, number, text};

/// A type that an option can have.
pub trait Value: Sized {
    /// The name of the type in documentation.
    const KIND: Kind;

    /// Reads the type from its text form, as leniently as Flink.
    fn parse(text: &str) -> Result<Self, ValueError>;

    /// Prints the type the way Flink prints it, so that [`Value::parse`] gives it back.
    fn print(&self) -> String;
}

impl Value for bool {
    const KIND: Kind = Kind::Boolean;

    fn parse(text: &str) -> Result<Self, ValueError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(ValueError::quoting(
                text,
                "is not a boolean: write true or false",
            )),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_number {
    ($type:ty, $name:literal) => {
        impl Value for $type {
            const KIND: Kind = Kind::Integer;

            fn parse(text: &str) -> Result<Self, ValueError> {
                text.trim()
                    .parse()
                    .map_err(|_| ValueError::quoting(text, concat!("is not ", $name)))
            }

            fn print(&self) -> String {
                self.to_string()
            }
        }
    };
}

whole_number!(i32, "a whole number of at most 32 bits");
whole_number!(i64, "a whole number of at most 64 bits");
whole_number!(
    u16,
    "a number from 0 to 65535; ranges of ports are not supported here"
);

impl Value for f64 {
    const KIND: Kind = Kind::Double;

    fn parse(text: &str) -> Result<Self, ValueError> {
        finite(text)
    }

    fn print(&self) -> String {
        number::java_double(*self)
    }
}

fn finite<T: std::str::FromStr + Into<f64> + Copy>(text: &str) -> Result<T, ValueError> {
    text.trim()
        .parse::<T>()
        .ok()
        .filter(|value| (*value).into().is_finite())
        .ok_or_else(|| ValueError::quoting(text, "is not a decimal number"))
}

/// A 32-bit fraction, which Flink widens before it calculates with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Float32(pub f32);

impl Float32 {
    /// Returns the value that Flink calculates with.
    pub fn widened(self) -> f64 {
        number::widened(self.0)
    }
}

impl Value for Float32 {
    const KIND: Kind = Kind::Double;

    fn parse(text: &str) -> Result<Self, ValueError> {
        finite(text).map(Self)
    }

    fn print(&self) -> String {
        // The shortest text of the 32-bit number, not of the widened one.
        let text = format!("{}", self.0);
        if text.contains('.') {
            text
        } else {
            format!("{text}.0")
        }
    }
}

impl Value for Duration {
    const KIND: Kind = Kind::Duration;

    fn parse(text: &str) -> Result<Self, ValueError> {
        duration::parse(text)
    }

    fn print(&self) -> String {
        duration::print(*self)
    }
}

impl Value for MemorySize {
    const KIND: Kind = Kind::MemorySize;

    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(text.to_owned())
    }

    fn print(&self) -> String {
        self.clone()
    }
}

impl Value for Vec<String> {
    const KIND: Kind = Kind::List;

    fn parse(text: &str) -> Result<Self, ValueError> {
        text::parse_list(text)
    }

    fn print(&self) -> String {
        text::print_list(self)
    }
}

impl Value for BTreeMap<String, String> {
    const KIND: Kind = Kind::Map;

    fn parse(text: &str) -> Result<Self, ValueError> {
        text::parse_map(text)
    }

    fn print(&self) -> String {
        text::print_map(self)
    }
}

impl Value for Vec<BTreeMap<String, String>> {
    const KIND: Kind = Kind::Maps;

    fn parse(text: &str) -> Result<Self, ValueError> {
        text::parse_maps(text)
    }

    fn print(&self) -> String {
        text::print_maps(self)
    }
}

/// Declares an enum that is read without regard to case and printed as upstream spells it.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All values, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns upstream's spelling.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Value for $name {
            const KIND: Kind = Kind::Enum(&[$($word,)+]);

            fn parse(text: &str) -> Result<Self, ValueError> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str().eq_ignore_ascii_case(text.trim()))
                    .ok_or_else(|| {
                        let allowed = [$($word,)+].join(", ");
                        ValueError::quoting(text, &format!("is not one of {allowed}"))
                    })
            }

            fn print(&self) -> String {
                self.as_str().to_owned()
            }
        }
    };
}

words! {
    /// What happens to the objects that a deleted object owns.
    DeletionPropagation {
        /// They go first.
        Foreground = "Foreground",
        /// They go afterwards.
        Background = "Background",
        /// They stay.
        Orphan = "Orphan",
    }
}

words! {
    /// The format of a savepoint.
    SavepointFormat {
        /// Readable by every state backend.
        Canonical = "CANONICAL",
        /// In the state backend's own format.
        Native = "NATIVE",
    }
}

words! {
    /// The type of a triggered checkpoint.
    CheckpointType {
        /// Everything.
        Full = "FULL",
        /// What changed since the last one.
        Incremental = "INCREMENTAL",
        /// Accepted upstream, then refused by Flink when triggered.
        Unknown = "UNKNOWN",
    }
}

words! {
    /// How the busy times of a vertex's subtasks become one.
    BusyTimeAggregator {
        /// The average.
        Avg = "AVG",
        /// The largest.
        Max = "MAX",
        /// The smallest.
        Min = "MIN",
    }
}

words! {
    /// How parallelism is aligned with key groups or partitions (deprecated).
    KeyGroupAdjustMode {
        /// Every subtask gets the same number.
        EvenlySpread = "EVENLY_SPREAD",
        /// As few subtasks as possible.
        MaximizeUtilisation = "MAXIMIZE_UTILISATION",
    }
}
