//! Identities as Flink writes them: sixteen bytes in 32 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Says why a text is not an identity of Flink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 32 hexadecimal digits, not {found:?}")]
pub struct BadId {
    what: &'static str,
    found: String,
}

/// The longest part of a wrong identity that is repeated in the error.
const SHOWN: usize = 64;

fn parse(what: &'static str, text: &str) -> Result<[u8; 16], BadId> {
    let bad = || BadId {
        what,
        found: text.chars().take(SHOWN).collect(),
    };
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(bad());
    }
    u128::from_str_radix(text, 16)
        .map(u128::to_be_bytes)
        .map_err(|_| bad())
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Makes the identity of these bytes; they are drawn elsewhere, this crate draws none.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Gives the bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse($what, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| {
                    D::Error::custom(concat!("not ", $what, ", expected 32 hexadecimal digits"))
                })
            }
        }
    };
}

hex_id!(
    /// Names a job.
    JobId,
    "a job id"
);
hex_id!(
    /// Names an asynchronous operation: a savepoint, a stop, a checkpoint, a disposal.
    ///
    /// Flink calls it the trigger id or the request id. From 1.15 on the caller may choose it.
    TriggerId,
    "a trigger id"
);
hex_id!(
    /// Names an operator chain of a job's graph.
    VertexId,
    "a vertex id"
);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_either_case_and_writes_lower_case() {
        let id: JobId = "00000000ABCDEF000000000000000001".parse().unwrap();
        assert_eq!(id.to_string(), "00000000abcdef000000000000000001");
        assert_eq!(JobId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn refuses_what_flink_would_refuse() {
        for wrong in [
            "",
            "1",
            "+0000000000000000000000000000001",
            "zz",
            &"0".repeat(33),
            "é",
        ] {
            let error = wrong.parse::<TriggerId>().unwrap_err();
            assert!(
                error.to_string().contains("a trigger id must be 32"),
                "{error}"
            );
        }
    }

    #[test]
    fn is_a_plain_text_in_json() {
        let id = VertexId::from_bytes([7; 16]);
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(text, format!("\"{}\"", "07".repeat(16)));
        assert_eq!(serde_json::from_str::<VertexId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<VertexId>("\"abc\"").is_err());
    }
}
