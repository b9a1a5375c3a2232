//! The closed list of calls, so that messages and metrics name them without any identity in them.

use std::fmt;

use http::Method;

use crate::endpoint::{BadAddress, push_segment};

/// How long a call may take and whether it changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Reads; may be repeated at will.
    Read,
    /// Changes something; short, because a late arrival must be bounded.
    Change,
    /// Sends a jar.
    Upload,
    /// Runs a user's `main`.
    Run,
}

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident = $method:ident $template:literal, $effort:ident;)*) => {
        /// A call of Flink's REST API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Route {
            $($(#[$doc])* $name,)*
        }

        impl Route {
            /// Lists every route, for metrics that want all their series from the start.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Gives the HTTP method.
            pub fn method(self) -> Method {
                match self { $(Self::$name => Method::$method,)* }
            }

            /// Gives the path with its parameters by name.
            pub const fn template(self) -> &'static str {
                match self { $(Self::$name => $template,)* }
            }

            pub(crate) const fn effort(self) -> Effort {
                match self { $(Self::$name => Effort::$effort,)* }
            }
        }
    };
}

routes! {
    /// What the cluster is.
    Config = GET "/config", Read;
    /// All jobs with their states: the one listing that is never stale.
    JobsOverview = GET "/jobs/overview", Read;
    /// One job in detail.
    JobDetails = GET "/jobs/:jobid", Read;
    /// Checkpoint statistics of a job.
    Checkpoints = GET "/jobs/:jobid/checkpoints", Read;
    /// One checkpoint.
    CheckpointDetails = GET "/jobs/:jobid/checkpoints/details/:checkpointid", Read;
    /// What failed in a job.
    Exceptions = GET "/jobs/:jobid/exceptions", Read;
    /// How a job ended.
    ExecutionResult = GET "/jobs/:jobid/execution-result", Read;
    /// Named metrics of a job.
    JobMetrics = GET "/jobs/:jobid/metrics", Read;
    /// The TaskManagers that registered.
    TaskManagers = GET "/taskmanagers", Read;
    /// The JobManager's effective configuration.
    JobManagerConfig = GET "/jobmanager/config", Read;
    /// The parallelism that was asked for, by vertex.
    ResourceRequirements = GET "/jobs/:jobid/resource-requirements", Read;
    /// Asks for another parallelism.
    PutResourceRequirements = PUT "/jobs/:jobid/resource-requirements", Change;
    /// Cancels a job.
    Cancel = PATCH "/jobs/:jobid", Change;
    /// Starts a savepoint.
    TriggerSavepoint = POST "/jobs/:jobid/savepoints", Change;
    /// Starts a stop with savepoint.
    Stop = POST "/jobs/:jobid/stop", Change;
    /// How a savepoint or a stop goes on.
    SavepointStatus = GET "/jobs/:jobid/savepoints/:triggerid", Read;
    /// Starts a checkpoint.
    TriggerCheckpoint = POST "/jobs/:jobid/checkpoints", Change;
    /// How a triggered checkpoint goes on.
    CheckpointStatus = GET "/jobs/:jobid/checkpoints/:triggerid", Read;
    /// Starts the deletion of a savepoint's files.
    DisposeSavepoint = POST "/savepoint-disposal", Change;
    /// How a disposal goes on.
    DisposalStatus = GET "/savepoint-disposal/:triggerid", Read;
    /// The uploaded jars.
    Jars = GET "/jars", Read;
    /// Uploads a jar.
    UploadJar = POST "/jars/upload", Upload;
    /// Runs the `main` of an uploaded jar.
    RunJar = POST "/jars/:jarid/run", Run;
    /// Deletes an uploaded jar.
    DeleteJar = DELETE "/jars/:jarid", Change;
}

impl Route {
    /// Tells whether the call changes anything in Flink.
    pub const fn is_mutating(self) -> bool {
        !matches!(self.effort(), Effort::Read)
    }

    /// Fills the parameters of the template, in order, each encoded as one segment.
    pub(crate) fn path(self, parameters: &[&str]) -> Result<String, BadAddress> {
        let mut given = parameters.iter();
        let mut path = String::with_capacity(96);
        for segment in self.template().split('/').skip(1) {
            let filled = match segment.strip_prefix(':') {
                Some(_) => given
                    .next()
                    .expect("each call gives all parameters of its template"),
                None => segment,
            };
            push_segment(&mut path, filled)?;
        }
        debug_assert!(
            given.next().is_none(),
            "{self} has fewer parameters than were given"
        );
        Ok(path)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.template())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn parameters_are_filled_in_order_and_encoded() {
        assert_eq!(
            Route::CheckpointDetails.path(&["ab", "7"]).unwrap(),
            "/jobs/ab/checkpoints/details/7"
        );
        assert_eq!(
            Route::RunJar.path(&["a/b ?c.jar"]).unwrap(),
            "/jars/a%2Fb%20%3Fc.jar/run"
        );
        assert!(Route::DeleteJar.path(&[".."]).is_err());
    }

    #[test]
    fn names_are_distinct_and_only_get_reads() {
        let names: HashSet<String> = Route::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Route::ALL.len());
        for route in Route::ALL {
            assert_eq!(
                route.is_mutating(),
                route.method() != Method::GET,
                "{route}"
            );
        }
    }
}
