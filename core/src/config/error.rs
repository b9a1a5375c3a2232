//! Why a configuration text or file was not understood.

/// Why a text is not a value of the wanted kind.
///
/// The message names what was wrong and how to write it right; it repeats the text itself only
/// where that text is short, and callers never parse secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    /// Makes an error from its message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Makes an error that quotes the text, cut to a length that a status line can hold.
    pub(crate) fn quoting(text: &str, reason: &str) -> Self {
        const SHOWN: usize = 60;
        let shown: String = text.chars().take(SHOWN).collect();
        let cut = if shown.len() < text.len() { "…" } else { "" };
        Self(format!("\"{shown}{cut}\" {reason}"))
    }
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value of a key has the wrong form.
    #[error("{key}: {reason}")]
    Value {
        /// The key as written by the user, which may be an old name of the option.
        key: String,
        /// What is wrong and how to write it.
        reason: ValueError,
    },
    /// An option without default is needed and absent.
    #[error("{key} is not set and has no default; set it")]
    Missing {
        /// The option's current name.
        key: &'static str,
    },
    /// A configuration file is not well formed.
    #[error("{file}: {reason}")]
    File {
        /// Name of the file.
        file: String,
        /// What is wrong, with the place in the file where it is known.
        reason: String,
    },
}

impl ConfigError {
    /// Names the variant for metrics and events.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Value { .. } => "value",
            Self::Missing { .. } => "missing",
            Self::File { .. } => "file",
        }
    }
}
