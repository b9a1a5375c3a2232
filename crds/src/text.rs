//! Enums that are one word of text on the wire, and the leniency that all optional fields share.

use serde::{Deserialize, Deserializer};

/// Says that a text is none of the words that a field allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// Which type the text was meant for.
    pub of: &'static str,
    /// The text that was found.
    pub found: String,
    /// The words that are allowed.
    pub allowed: &'static [&'static str],
}

impl std::fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` is no {}; allowed: {}",
            self.found,
            self.of,
            self.allowed.join(", ")
        )
    }
}

impl std::error::Error for UnknownWord {}

/// Reads an explicit null like an absent field. The Java operator writes nulls for unset fields, and
/// stored specs keep them.
pub(crate) fn null_as_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Declares an enum whose variants are words on the wire: the spelling is written once and serves
/// serde, `as_str`, `Display`, `FromStr` and the schema.
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize,
        )]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Every spelling, in order of declaration.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// Returns the spelling used on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    crate::UnknownWord {
                        of: stringify!($name),
                        found: text.to_owned(),
                        allowed: Self::WORDS,
                    }
                })
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": Self::WORDS })
            }
        }
    };
}
pub(crate) use text_enum;
