//! A typed client of Flink's REST API, from 1.13 to 2.3.
//!
//! It makes one HTTP call per method, once, within a deadline and a size, and tells apart what a
//! caller must tell apart: nobody there, too late, refused with a reason, not understood, not sent.
//! It never retries, never follows a redirect, never decides anything, and knows nothing of
//! Kubernetes: a path through the API server's proxy is just an [`Endpoint`] with a prefix.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use flink_rest::{Client, Endpoint, Host, Limits, Network};
//!
//! let client = Client::new(Network::default().transport()?, Limits::default());
//! let endpoint = Endpoint::http(Host::name("basic-example-rest.default.svc")?, 8081);
//! for job in client.job_manager(endpoint).jobs().await? {
//!     println!("{} is {}", job.jid, job.state);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Calls that change something take a [`Permit`], which ends at a moment that the caller stored.
//! The seam for simulated Flinks is [`Transport`]: an `http::Request` in, an `http::Response` out.

mod body;
mod checkpoints;
mod client;
mod cluster;
mod endpoint;
mod error;
mod exceptions;
mod failure;
mod id;
mod jars;
mod job;
mod lenient;
mod meter;
mod network;
mod operation;
mod permit;
mod reason;
mod reply;
mod rescale;
mod route;
mod stack_trace;
mod tls;
mod transport;
mod version;

pub use body::{BodyError, RequestBody};
pub use checkpoints::{
    Checkpoint, CheckpointKind, CheckpointStatistics, CheckpointStatus, Counts, ExternalPath,
    Latest, Restored,
};
pub use client::{Client, JobManager, Limits};
pub use cluster::{ClusterConfig, ConfigLine, Features, TaskManager};
pub use endpoint::{BadAddress, Endpoint, Host, Scheme};
pub use error::{Error, NotSent, Waiting};
pub use exceptions::{ExceptionEntry, ExceptionHistory, JobExceptions};
pub use failure::FailureCause;
pub use id::{BadId, JobId, TriggerId, VertexId};
pub use jars::{BadJarName, Jar, JarId, JarName, RunRequest};
pub use job::{
    ApplicationStatus, ExecutionResult, JobDetails, JobOverview, JobState, Metrics, Tasks, Vertex,
};
pub use lenient::UnixMillis;
pub use meter::{Meter, NoMeter};
pub use network::{BadNetwork, Network};
pub use operation::{
    CheckpointRequest, CheckpointType, Operation, SavepointFormat, SavepointRequest, StopRequest,
};
pub use permit::{Clock, Denied, Permit, SystemClock};
pub use reason::Reason;
pub use rescale::{Parallelism, ResourceRequirements};
pub use route::Route;
pub use stack_trace::{innermost_cause, savepoint_of_failed_stop};
pub use tls::Tls;
pub use transport::{ReplyBody, Transport, TransportError};
pub use version::{BadVersion, Claim, ClaimMode, FlinkVersion};
