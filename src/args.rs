//! The command line, as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// A Kubernetes operator for Apache Flink.
#[derive(Debug, Parser)]
#[command(
    name = "flink-operator",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  flink-operator crds apply                       install the custom resource definitions
  flink-operator run                              run the operator for the cluster of your kubeconfig
  flink-operator render -f examples/basic.yaml    see what the operator would create
  flink-operator config explain reconcile         what an option means

Exit status: 0 done or ended as asked, 1 failed (the reason is on standard error), 2 wrong usage."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the operator.
    Run(Box<Run>),
    /// Print the objects that the operator would create for a FlinkDeployment, without a cluster.
    Render(Box<Render>),
    /// Print the custom resource definitions, or install them.
    Crds(Crds),
    /// Tell about the operator's configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Where the operator's configuration files are; an empty path is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
pub(crate) struct ConfigDirs {
    /// Directory with the operator's configuration: flink-conf.yaml, else config.yaml; and the log
    /// files that clusters get. Without it the configuration is empty.
    #[arg(long = "config-dir", value_name = "DIR", env = "FLINK_CONF_DIR", value_parser = path)]
    pub(crate) base: Option<PathBuf>,

    /// Directory with a second configuration, whose keys win.
    #[arg(long = "override-dir", value_name = "DIR", env = "CONF_OVERRIDE_DIR", value_parser = path)]
    pub(crate) overriding: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Everything else is configured in the configuration directory: `flink-operator config explain` tells all options.

Pages: / and /healthz (alive?), /readyz (serving? JSON with details), /metrics (Prometheus), /actors (what is
done for each resource; a table for browsers, JSON for others).

SIGTERM or SIGINT: no longer ready, running passes end, the lease is given back, then the process ends; a
second signal ends it at once.

Exit status: 0 ended as asked, 1 could not start or failed, 2 wrong usage, 3 lost the lease (start it again),
4 passes that did not end in time were cut off.

Examples:
  flink-operator run --watch-namespaces jobs,tests
  flink-operator run --config-dir conf --http-address 127.0.0.1:8085 --log-format json
  RUST_LOG=info,flink_operator_actors=debug flink-operator run")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) config: ConfigDirs,

    /// Namespaces to watch, separated by commas; beats the option kubernetes.operator.watched.namespaces
    /// [default: that option, else all].
    #[arg(long, value_name = "NAMESPACES", env = "WATCH_NAMESPACES")]
    pub(crate) watch_namespaces: Option<String>,

    /// The operator's own namespace, where its Lease is [default: that of the pod or kubeconfig].
    #[arg(long, value_name = "NAMESPACE", env = "OPERATOR_NAMESPACE")]
    pub(crate) operator_namespace: Option<String>,

    /// The operator's name, a label of its metrics.
    #[arg(
        long,
        value_name = "NAME",
        env = "OPERATOR_NAME",
        default_value = "flink-kubernetes-operator"
    )]
    pub(crate) operator_name: String,

    /// Who this process is in leader election: no two may share it
    /// [default: the pod's name; outside a cluster, host name and process id].
    #[arg(long, value_name = "NAME", env = "HOSTNAME")]
    pub(crate) identity: Option<String>,

    /// Kubeconfig to use [default: KUBECONFIG, else ~/.kube/config, else the pod's own account].
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// How JobManagers are reached.
    #[arg(long, value_enum, default_value_t = FlinkAccess::Auto)]
    pub(crate) flink_access: FlinkAccess,

    /// How the log is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// What is logged: levels by module.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = crate::log::DEFAULT_FILTER)]
    pub(crate) log_filter: String,

    /// Address of probes and pages [default: every address, port kubernetes.operator.health.probe.port;
    /// none if kubernetes.operator.health.probe.enabled is false].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) http_address: Option<SocketAddr>,
}

/// How JobManagers are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlinkAccess {
    /// By Service inside a cluster, at the pod's address outside.
    Auto,
    /// By the name of the REST Service.
    Service,
    /// At the address of the ready pod.
    Pod,
    /// Through the service proxy of the API server; needs the right to services/proxy.
    Proxy,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Reads the resource strictly: a field that the API does not have is an error, and so is whatever the
operator itself would refuse. Nothing is asked of a cluster, and the same inputs give the same bytes.

Files that the operator's configuration names (a keytab, a pod template) are read; those that the resource
names are looked for beside its own file, if the path is relative. --host-file offers others.

Objects are printed as they are sent: the JobManager Deployment first and the configuration last, without
a namespace, which is part of the request. What is random in reality (ids, uids) is a flag here with a
fixed default. Annotations flink.apache.org/attempt and flink.apache.org/children are this operator's own;
everything else is what the Java operator makes.

Examples:
  flink-operator render -f examples/basic.yaml
  flink-operator render -f app.yaml --config-dir conf --stage config   only the effective configuration
  flink-operator render -f app.yaml --restore-from s3://bucket/savepoint-1 | kubectl create -n jobs -f -
  kubectl get flinkdep app -o yaml | flink-operator render -f -        what is read only by servers is ignored")]
pub(crate) struct Render {
    /// File with one FlinkDeployment as YAML or JSON; - reads standard input.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// What to print.
    #[arg(long, value_enum, default_value_t = Stage::Objects)]
    pub(crate) stage: Stage,

    #[command(flatten)]
    pub(crate) config: ConfigDirs,

    /// A file of the operator's container that a configuration names (keytab, krb5.conf, pod template):
    /// its path there, and the file here if that is another. May be repeated.
    #[arg(long = "host-file", value_name = "PATH[=FILE]")]
    pub(crate) host_files: Vec<HostFile>,

    /// Namespace of the resource [default: metadata.namespace, else default].
    #[arg(long, short, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,

    /// Generation of the resource [default: metadata.generation, else 1].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) generation: Option<i64>,

    /// Uid of the resource, which owns the JobManager Deployment
    /// [default: metadata.uid, else 00000000-0000-4000-8000-000000000001].
    #[arg(long, value_name = "UID")]
    pub(crate) owner_uid: Option<String>,

    /// Uid of the JobManager Deployment, which owns all other objects.
    #[arg(
        long,
        value_name = "UID",
        default_value = "00000000-0000-4000-8000-000000000002"
    )]
    pub(crate) deployment_uid: String,

    /// Id of the attempt, an annotation of the Deployment.
    #[arg(
        long,
        value_name = "ID",
        default_value = "00000000-0000-4000-8000-000000000003"
    )]
    pub(crate) attempt_id: String,

    /// Id of the job, unless the configuration has one.
    #[arg(
        long,
        value_name = "32 HEX DIGITS",
        default_value = "00000000000000000000000000000004",
        value_parser = job_id
    )]
    pub(crate) job_id: String,

    /// Last part of the path of the job result store, which exists with high availability.
    #[arg(
        long,
        value_name = "ID",
        default_value = "00000000-0000-4000-8000-000000000005"
    )]
    pub(crate) job_result_store_id: String,

    /// Savepoint or checkpoint that the job starts from [default: spec.job.initialSavepointPath, else
    /// the job starts empty].
    #[arg(long, value_name = "PATH")]
    pub(crate) restore_from: Option<String>,
}

/// What `render` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The Kubernetes objects, one YAML document each.
    Objects,
    /// The effective configuration from which they are made: one flat YAML map.
    Config,
}

/// A file offered in place of one in the operator's container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostFile {
    /// Its path there.
    pub(crate) path: String,
    /// Where it is here.
    pub(crate) file: PathBuf,
}

impl std::str::FromStr for HostFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, file) = text.split_once('=').unwrap_or((text, text));
        if path.is_empty() || file.is_empty() {
            return Err("write PATH, or PATH=FILE".to_owned());
        }
        Ok(Self {
            path: path.to_owned(),
            file: file.into(),
        })
    }
}

/// Takes any path, an empty one included: that is how a variable is switched off.
#[allow(clippy::unnecessary_wraps)] // the form that clap asks for
fn path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(text.into())
}

fn job_id(text: &str) -> Result<String, String> {
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 32 && text.bytes().all(digits) {
        Ok(text.to_owned())
    } else {
        Err("a job id has 32 digits of 0-9 and a-f".to_owned())
    }
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  flink-operator crds | kubectl diff -f -
  flink-operator crds apply
  flink-operator crds --without-rules > crds-for-kubernetes-1.29.yaml")]
pub(crate) struct Crds {
    /// Leave out the rules that the API server would check (x-kubernetes-validations).
    ///
    /// Before Kubernetes 1.30 an API server asks them at every write, so that an object from before the rules
    /// could not be deleted any more; `apply` leaves them out there by itself. The operator checks the same
    /// rules and says in the status what it finds.
    #[arg(long, global = true)]
    pub(crate) without_rules: bool,

    #[command(subcommand)]
    pub(crate) command: Option<CrdsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CrdsCommand {
    /// Install or upgrade them by server-side apply, and wait until the API server has established them.
    ///
    /// Needs a cluster administrator's rights. Resources and running clusters are not touched. Fields
    /// that others manage in the definitions are taken over.
    Apply {
        /// Kubeconfig to use [default: KUBECONFIG, else ~/.kube/config, else the pod's own account].
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,

        /// How long to wait until they are established.
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
        timeout: Duration,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell what an option means: its type, default, where it can be set, and its older names.
    #[command(after_help = "\
The operator's options begin with kubernetes.operator. (which may be left out) or job.autoscaler.; they are
set in the configuration directory, and those of scope \"resource\" also in spec.flinkConfiguration of a
resource. Without KEY all options are told.

Examples:
  flink-operator config explain kubernetes.operator.reconcile.interval
  flink-operator config explain leader-election                         all that begin with it")]
    Explain {
        /// The option, or the beginning of several.
        key: Option<String>,
    },
}

/// Reads a duration as the configuration has it, such as `90s` or `1 min`.
fn duration(text: &str) -> Result<Duration, String> {
    operator_core::config::duration::parse(text).map_err(|error| error.to_string())
}
