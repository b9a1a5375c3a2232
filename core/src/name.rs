//! Names and identities: newtypes, so that two strings side by side cannot be swapped.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Declares a newtype around text that is compared and printed as it is.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// Borrows the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// The uid that the API server gave an object; never reused.
    Uid
}
text! {
    /// The version of an object as the API server counts it; opaque.
    ResourceVersion
}
text! {
    /// A Flink job id: 32 lower-case hexadecimal digits.
    JobId
}
text! {
    /// One attempt to start a cluster; stands in an annotation of the JobManager Deployment.
    AttemptId
}
text! {
    /// The last part of the path of a job result store, one per attempt.
    ResultStoreId
}
text! {
    /// The id under which a savepoint or a stop is triggered: 32 lower-case hexadecimal digits.
    TriggerId
}

/// The kinds of resources that are managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `FlinkDeployment`: an application or a session cluster.
    FlinkDeployment,
}

impl Kind {
    /// Returns the kind as it stands in objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FlinkDeployment => "FlinkDeployment",
        }
    }

    /// Returns the finalizer that upstream uses for this kind.
    pub fn finalizer(self) -> &'static str {
        match self {
            Self::FlinkDeployment => "flinkdeployments.flink.apache.org/finalizer",
        }
    }
}

/// Names one managed resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The kind of the resource.
    pub kind: Kind,
    /// The namespace of the resource.
    pub namespace: String,
    /// The name of the resource, which is also the cluster id.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

/// Random identities that one pass may use, drawn before it decides.
///
/// They are inputs of a decision, so that the same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// For a new operation.
    pub operation: String,
    /// For a new attempt to start a cluster.
    pub attempt: AttemptId,
    /// For a new job.
    pub job: JobId,
    /// For a new job result store.
    pub result_store: ResultStoreId,
    /// For a new savepoint or stop.
    pub trigger: TriggerId,
}
