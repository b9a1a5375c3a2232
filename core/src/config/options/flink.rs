//! Options of Flink that the operator reads or writes, with the names that older Flink used.

use std::collections::BTreeMap;
use std::time::Duration;

use super::options;

options! {
    Flink live "" {
        /// The Flink version of the resource, as `v1_20`.
        INTERNAL_FLINK_VERSION: String = "$internal.flink.version", since "1.0";
        /// Directory of the log files of `logConfiguration`; set by the Java operator, read by nobody here.
        INTERNAL_CONFIG_DIR: String = "$internal.deployment.config-dir", since "1.0";
        /// Main class of the job.
        INTERNAL_APPLICATION_MAIN: String = "$internal.application.main", since "1.0";
        /// Arguments of the job.
        INTERNAL_PROGRAM_ARGS: Vec<String> = "$internal.application.program-args",
            default "", since "1.0";
        /// Id of the job of an application.
        INTERNAL_JOB_ID: String = "$internal.pipeline.job-id", since "1.0";
        /// How the cluster is deployed.
        EXECUTION_TARGET: String = "execution.target", since "1.0";
        /// Whether the client waits for the job.
        INTERNAL_EXECUTION_MODE: String = "internal.cluster.execution-mode", since "1.0";
        /// Main class of the JobManager process.
        INTERNAL_ENTRYPOINT_CLASS: String = "kubernetes.internal.jobmanager.entrypoint.class",
            since "1.0";
        /// Number of TaskManagers that was asked for.
        INTERNAL_TASKMANAGER_REPLICAS: i32 = "kubernetes.internal.taskmanager.replicas", since "1.0";
        /// Jar of the job.
        PIPELINE_JARS: Vec<String> = "pipeline.jars", since "1.0";
        /// Name of the job.
        PIPELINE_NAME: String = "pipeline.name", since "1.0";
        /// Parallelism by vertex, which the autoscaler decides.
        PIPELINE_PARALLELISM_OVERRIDES: BTreeMap<String, String> =
            "pipeline.jobvertex-parallelism-overrides", since "1.0";
        /// Parallelism of the job.
        PARALLELISM_DEFAULT: i32 = "parallelism.default", default "1", since "1.0";
        /// Slots of each TaskManager.
        TASKMANAGER_SLOTS: i32 = "taskmanager.numberOfTaskSlots", default "1", since "1.0";
        /// Lets the cluster live on after its job ended.
        EXECUTION_SHUTDOWN_ON_FINISH: bool = "execution.shutdown-on-application-finish",
            default "true", since "1.0";
        /// Shows a job that could not be submitted as failed.
        EXECUTION_SUBMIT_FAILED_JOB: bool = "execution.submit-failed-job-on-application-error",
            default "false", since "1.0";
        /// Time between checkpoints; without it there are none.
        CHECKPOINTING_INTERVAL: Duration = "execution.checkpointing.interval", since "1.0";
        /// Time after which a checkpoint or a stop with a savepoint fails.
        CHECKPOINTING_TIMEOUT: Duration = "execution.checkpointing.timeout",
            default "10 min", since "1.0";
        /// Failed checkpoints that are tolerated in a row.
        CHECKPOINTING_TOLERABLE_FAILURES: i32 = "execution.checkpointing.tolerable-failed-checkpoints",
            default "0", since "1.0";
        /// What happens to checkpoints of a cancelled job.
        CHECKPOINT_RETENTION: String = "execution.checkpointing.externalized-checkpoint-retention",
            since "1.0";
        /// Directory of checkpoints.
        CHECKPOINTS_DIR: String = "execution.checkpointing.dir" | "state.checkpoints.dir", since "1.0";
        /// Directory of savepoints.
        SAVEPOINTS_DIR: String =
            "execution.checkpointing.savepoint-dir" | "state.savepoints.dir"
            | "savepoints.state.backend.fs.dir",
            since "1.0";
        /// Path from which the job is restored.
        SAVEPOINT_PATH: String = "execution.savepoint.path" | "execution.state-recovery.path",
            since "1.0";
        /// Skips state in the restore path that the job no longer has.
        SAVEPOINT_IGNORE_UNCLAIMED: bool =
            "execution.savepoint.ignore-unclaimed-state"
            | "execution.state-recovery.ignore-unclaimed-state",
            default "false", since "1.0";
        /// Scheduler: `reactive` rescales by itself.
        SCHEDULER_MODE: String = "scheduler-mode", since "1.0";
        /// Scheduler of jobs.
        JOBMANAGER_SCHEDULER: String = "jobmanager.scheduler", since "1.0";
        /// Lets people cancel jobs in the web UI.
        WEB_CANCEL_ENABLE: bool = "web.cancel.enable", default "true", since "1.0";
        /// Type of high availability, or the class that provides it.
        HA_TYPE: String = "high-availability.type" | "high-availability" | "recovery.mode", since "1.0";
        /// Directory of the data of high availability.
        HA_STORAGE_DIR: String =
            "high-availability.storageDir" | "high-availability.zookeeper.storageDir"
            | "recovery.zookeeper.storageDir",
            since "1.0";
        /// Name of the cluster in high availability.
        HA_CLUSTER_ID: String = "high-availability.cluster-id", since "1.0";
        /// RPC port of JobManagers in high availability.
        HA_JOBMANAGER_PORT: u16 =
            "high-availability.jobmanager.port" | "recovery.jobmanager.port", default "0", since "1.0";
        /// Forgets the result of a job once its clean-up is done.
        JOB_RESULT_STORE_DELETE_ON_COMMIT: bool = "job-result-store.delete-on-commit",
            default "true", since "1.0";
        /// Directory of job results.
        JOB_RESULT_STORE_PATH: String = "job-result-store.storage-path", since "1.0";
        /// Port of the REST endpoint.
        REST_PORT: u16 = "rest.port" | "web.port", default "8081", since "1.0";
        /// Port on which the REST endpoint listens; by default rest.port.
        REST_BIND_PORT: u16 = "rest.bind-port" | "web.port" | "rest.port", since "1.0";
        /// RPC port of the JobManager.
        JOBMANAGER_RPC_PORT: u16 = "jobmanager.rpc.port", default "6123", since "1.0";
        /// RPC address of the JobManager.
        JOBMANAGER_RPC_ADDRESS: String = "jobmanager.rpc.address", since "1.0";
        /// Port of the blob server.
        BLOB_SERVER_PORT: u16 = "blob.server.port", default "0", since "1.0";
        /// RPC port of TaskManagers.
        TASKMANAGER_RPC_PORT: u16 = "taskmanager.rpc.port", default "0", since "1.0";
        /// Directory for artifacts of the user in the JobManager.
        USER_ARTIFACTS_DIR: String = "user.artifacts.base-dir", default "/opt/flink/artifacts", since "1.0";
        /// Keytab of a Kerberos login.
        KERBEROS_KEYTAB: String = "security.kerberos.login.keytab" | "security.keytab", since "1.0";
        /// Principal of a Kerberos login.
        KERBEROS_PRINCIPAL: String = "security.kerberos.login.principal" | "security.principal", since "1.0";
        /// Kerberos configuration file.
        KERBEROS_KRB5_CONF: String = "security.kerberos.krb5-conf.path", since "1.0";
    }
    Flink live "kubernetes." {
        /// Name of the cluster and prefix of its objects.
        CLUSTER_ID: String = "cluster-id", since "1.0";
        /// Namespace of the cluster.
        NAMESPACE: String = "namespace", default "default", since "1.0";
        /// Image of all containers.
        IMAGE: String = "container.image.ref" | "container.image", since "1.0";
        /// When the image is pulled.
        IMAGE_PULL_POLICY: String = "container.image.pull-policy", since "1.0";
        /// Secrets for the registry.
        IMAGE_PULL_SECRETS: Vec<String> = "container.image.pull-secrets", default "", since "1.0";
        /// Service account of all pods.
        SERVICE_ACCOUNT: String = "service-account", since "1.0";
        /// Service account of the JobManager.
        JOBMANAGER_SERVICE_ACCOUNT: String = "jobmanager.service-account" | "service-account", since "1.0";
        /// Number of JobManagers.
        JOBMANAGER_REPLICAS: i32 = "jobmanager.replicas", default "1", since "1.0";
        /// CPU of the JobManager.
        JOBMANAGER_CPU: f64 = "jobmanager.cpu.amount" | "jobmanager.cpu", default "1.0", since "1.0";
        /// CPU limit of the JobManager as a multiple.
        JOBMANAGER_CPU_LIMIT_FACTOR: f64 = "jobmanager.cpu.limit-factor", default "1.0", since "1.0";
        /// Memory limit of the JobManager as a multiple.
        JOBMANAGER_MEMORY_LIMIT_FACTOR: f64 = "jobmanager.memory.limit-factor", default "1.0", since "1.0";
        /// CPU of each TaskManager.
        TASKMANAGER_CPU: f64 = "taskmanager.cpu.amount" | "taskmanager.cpu", default "-1.0", since "1.0";
        /// CPU limit of each TaskManager as a multiple.
        TASKMANAGER_CPU_LIMIT_FACTOR: f64 = "taskmanager.cpu.limit-factor", default "1.0", since "1.0";
        /// Memory limit of each TaskManager as a multiple.
        TASKMANAGER_MEMORY_LIMIT_FACTOR: f64 = "taskmanager.memory.limit-factor", default "1.0", since "1.0";
        /// Labels of the JobManager.
        JOBMANAGER_LABELS: BTreeMap<String, String> = "jobmanager.labels", default "", since "1.0";
        /// Annotations of the JobManager.
        JOBMANAGER_ANNOTATIONS: BTreeMap<String, String> = "jobmanager.annotations", default "", since "1.0";
        /// Node selector of the JobManager.
        JOBMANAGER_NODE_SELECTOR: BTreeMap<String, String> = "jobmanager.node-selector", default "", since "1.0";
        /// Tolerations of the JobManager.
        JOBMANAGER_TOLERATIONS: Vec<BTreeMap<String, String>> = "jobmanager.tolerations", default "", since "1.0";
        /// Owners of the JobManager Deployment.
        JOBMANAGER_OWNER_REFERENCE: Vec<BTreeMap<String, String>> = "jobmanager.owner.reference", default "", since "1.0";
        /// More arguments of the JobManager's start script.
        JOBMANAGER_ENTRYPOINT_ARGS: String = "jobmanager.entrypoint.args", default "", since "1.0";
        /// Entry point of the image.
        ENTRY_PATH: String = "entry.path", default "/docker-entrypoint.sh", since "1.0";
        /// Directory of the configuration in the image.
        CONF_DIR: String = "flink.conf.dir", default "/opt/flink/conf", since "1.0";
        /// Directory of the logs in the image.
        LOG_DIR: String = "flink.log.dir", since "1.0";
        /// Type of the REST Service: `ClusterIP`, `Headless_ClusterIP`, `NodePort` or `LoadBalancer`.
        REST_SERVICE_TYPE: String = "rest-service.exposed.type", default "ClusterIP", since "1.0";
        /// Annotations of the REST Service.
        REST_SERVICE_ANNOTATIONS: BTreeMap<String, String> = "rest-service.annotations", default "", since "1.0";
        /// Annotations of the internal Service.
        INTERNAL_SERVICE_ANNOTATIONS: BTreeMap<String, String> = "internal-service.annotations", default "", since "1.0";
        /// Secrets to mount, with their paths.
        SECRETS: BTreeMap<String, String> = "secrets", default "", since "1.0";
        /// Environment variables from secrets.
        ENV_SECRET_KEY_REF: Vec<BTreeMap<String, String>> = "env.secretKeyRef", default "", since "1.0";
        /// Uses the network of the node.
        HOSTNETWORK_ENABLED: bool = "hostnetwork.enabled", default "false", since "1.0";
        /// ConfigMap with the Hadoop configuration.
        HADOOP_CONFIG_MAP: String = "hadoop.conf.config-map.name", since "1.0";
        /// Mounts the Hadoop configuration.
        HADOOP_MOUNT_ENABLED: bool = "decorator.hadoop-conf-mount.enabled", default "true", since "1.0";
        /// Mounts Kerberos files.
        KERBEROS_MOUNT_ENABLED: bool = "decorator.kerberos-mount.enabled", default "true", since "1.0";
        /// Pod template of the JobManager, a file of the operator.
        JOBMANAGER_TEMPLATE_FILE: String =
            "pod-template-file.jobmanager" | "pod-template-file.default" | "pod-template-file", since "1.0";
        /// Pod template of TaskManagers, a file of the operator.
        TASKMANAGER_TEMPLATE_FILE: String =
            "pod-template-file.taskmanager" | "pod-template-file.default" | "pod-template-file", since "1.0";
    }
}
