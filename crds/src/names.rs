//! Names that are part of the contract between the resources, the operator and its users.

/// The API group of all kinds.
pub const GROUP: &str = "flink.apache.org";
/// The one version of all kinds.
pub const VERSION: &str = "v1beta1";
/// Group and version as `apiVersion` spells them.
pub const API_VERSION: &str = "flink.apache.org/v1beta1";

/// The finalizer of a `FlinkDeployment`.
pub const DEPLOYMENT_FINALIZER: &str = "flinkdeployments.flink.apache.org/finalizer";
/// The finalizer of a `FlinkSessionJob`.
pub const SESSION_JOB_FINALIZER: &str = "flinksessionjobs.flink.apache.org/finalizer";
/// The finalizer of a `FlinkStateSnapshot`.
pub const STATE_SNAPSHOT_FINALIZER: &str = "flinkstatesnapshots.flink.apache.org/finalizer";

/// Annotation of the JobManager Deployment: generation of the resource that it was made from.
pub const GENERATION_ANNOTATION: &str = "flinkdeployment.flink.apache.org/generation";
/// Annotation of the JobManager Deployment: the attempt that created it.
pub const ATTEMPT_ANNOTATION: &str = "flink.apache.org/attempt";
/// Annotation of the JobManager Deployment: hash of all objects rendered with it.
pub const CHILDREN_ANNOTATION: &str = "flink.apache.org/children";
/// Annotation of a resource by which a user ends a deletion that cannot finish by itself.
pub const FORCE_DELETE_ANNOTATION: &str = "flink.apache.org/force-delete";

/// Label that marks a resource as a canary: it proves that the operator works and runs nothing.
pub const CANARY_LABEL: &str = "flink.apache.org/canary";

/// Label of a `FlinkSessionJob`: the name of its cluster.
pub const TARGET_SESSION_LABEL: &str = "target.session";
/// Label of a `FlinkDeployment` that belongs to a `FlinkBlueGreenDeployment`: `BLUE` or `GREEN`.
pub const BLUE_GREEN_LABEL: &str = "flink/blue-green-deployment-type";
/// Label of a `FlinkStateSnapshot`: `SAVEPOINT` or `CHECKPOINT`.
pub const SNAPSHOT_TYPE_LABEL: &str = "snapshot.type";
/// Label of a `FlinkStateSnapshot`: what caused it.
pub const SNAPSHOT_TRIGGER_TYPE_LABEL: &str = "snapshot.trigger-type";
/// Label of a `FlinkStateSnapshot`: how far it is.
pub const SNAPSHOT_STATE_LABEL: &str = "snapshot.state";
/// Label of a `FlinkStateSnapshot`: the kind of the resource whose job it is of.
pub const JOB_REFERENCE_KIND_LABEL: &str = "job-reference.kind";
/// Label of a `FlinkStateSnapshot`: the name of the resource whose job it is of.
pub const JOB_REFERENCE_NAME_LABEL: &str = "job-reference.name";
