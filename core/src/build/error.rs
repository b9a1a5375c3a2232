//! Why a spec cannot become a cluster.

use crate::config::ConfigError;

/// Why a spec cannot become a cluster: the field, what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A field of the resource is wrong.
    #[error("{path}: {problem}; {cure}")]
    Field {
        /// Path of the field, such as `spec.jobManager.replicas`.
        path: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        cure: String,
    },
    /// An option of the effective configuration is wrong.
    #[error("{path}: {problem}; {cure}")]
    Option {
        /// The key, or where it was written.
        path: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        cure: String,
    },
    /// A feature that is not carried out.
    #[error("{path}: {what} is not supported")]
    Unsupported {
        /// Path of the field that asks for it.
        path: String,
        /// What is asked for.
        what: String,
    },
}

impl BuildError {
    pub(super) fn field(
        path: impl Into<String>,
        problem: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::Field {
            path: path.into(),
            problem: problem.into(),
            cure: cure.into(),
        }
    }

    pub(super) fn option(
        key: impl Into<String>,
        problem: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::Option {
            path: key.into(),
            problem: problem.into(),
            cure: cure.into(),
        }
    }

    /// Returns the path of the field, or the key of the option.
    pub fn path(&self) -> &str {
        match self {
            Self::Field { path, .. }
            | Self::Option { path, .. }
            | Self::Unsupported { path, .. } => path,
        }
    }

    /// Names the variant for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Field { .. } => "field",
            Self::Option { .. } => "option",
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Value { key, reason } => Self::Option {
                path: key,
                problem: reason.to_string(),
                cure: "correct it in spec.flinkConfiguration, or in the operator's defaults"
                    .to_owned(),
            },
            ConfigError::Missing { key } => Self::Option {
                path: key.to_owned(),
                problem: "is not set and has no default".to_owned(),
                cure: "set it in spec.flinkConfiguration".to_owned(),
            },
            ConfigError::File { file, reason } => Self::Option {
                path: file,
                problem: reason,
                cure: "correct the file".to_owned(),
            },
        }
    }
}
