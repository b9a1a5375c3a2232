//! Rules for a `FlinkDeployment`.

use super::{DEPLOYED, LAST, Rule, has, is_cluster_name, no_cluster_name, resources};

/// The fields of a spec that describe a cluster. Without any of them it is one of a canary.
const DESCRIBING: [&str; 11] = [
    "job",
    "image",
    "imagePullPolicy",
    "serviceAccount",
    "flinkVersion",
    "ingress",
    "podTemplate",
    "jobManager",
    "taskManager",
    "logConfiguration",
    "mode",
];
/// That a name is none of a log configuration file, as an expression. A list of the two to look into would
/// cost the server more than it allows.
const NO_LOG_FILE: &str = "name != 'log4j-console.properties' && name != 'logback-console.xml'";

pub(super) fn rules() -> Vec<Rule> {
    let mut rules = vec![name()];
    rules.extend(version());
    rules.extend([ingress(), log_configuration()]);
    rules.extend(parallelism());
    rules.extend(resources::rules(
        "JobManager",
        "spec.jobManager.resources",
        "D20",
    ));
    rules.push(Rule::new(
        "D21",
        "spec.jobManager.replicas",
        "self >= 1",
        "JobManager replicas should not be configured less than one.",
    ));
    rules.extend(resources::rules(
        "TaskManager",
        "spec.taskManager.resources",
        "D25",
    ));
    rules.push(
        Rule::new(
            "D26",
            "spec",
            "has(self.job) || !has(self.taskManager) || !has(self.taskManager.replicas) || self.taskManager.replicas >= 1",
            "TaskManager replicas should not be configured less than one.",
        )
        .wrong(".taskManager.replicas"),
    );
    rules.extend(
        [cluster_stays_what_it_is(), mode_stays_what_it_is()]
            .into_iter()
            .flatten(),
    );
    rules.extend([redeployed_from_a_savepoint(), service_account()]);
    rules
}

/// That a spec describes no cluster, as an expression; `spec` is where it is.
fn describes_nothing(spec: &str) -> String {
    let any = DESCRIBING
        .map(|field| format!("has({spec}.{field})"))
        .join(" || ");
    format!("!({any})")
}

fn name() -> Rule {
    let holds = format!(
        "!has(self.spec) || {} || {}",
        describes_nothing("self.spec"),
        is_cluster_name("self.metadata.name")
    );
    Rule::computed("D1", "", holds, no_cluster_name("self.metadata.name")).once()
}

fn version() -> [Rule; 2] {
    let changed = format!(
        "{} && (!({}) || self.spec.flinkVersion != oldSelf.spec.flinkVersion)",
        has("self", "spec.flinkVersion"),
        has("oldSelf", "spec.flinkVersion"),
    );
    let stateful = "has(self.spec.job) && has(self.spec.job.upgradeMode) && self.spec.job.upgradeMode != 'stateless'";
    let suspended = format!(
        "{DEPLOYED} && {LAST}.contains('\"state\":\"suspended\"') && {LAST}.contains('\"upgradeMode\":\"last-state\"')"
    );
    let same = format!("{LAST}.contains('\"flinkVersion\":\"' + self.spec.flinkVersion + '\"')");
    [
        Rule::new(
            "D2",
            "spec",
            format!("has(self.flinkVersion) || {}", describes_nothing("self")),
            "Flink Version must be defined.",
        )
        .missing(".flinkVersion"),
        Rule::new(
            "D4",
            "",
            format!("!({changed} && {stateful} && {suspended} && !{same})"),
            "Changing flinkVersion after last-state suspend is not allowed. Restore your cluster with the \
             current flinkVersion and perform the version upgrade afterwards.",
        )
        .wrong(".spec.flinkVersion"),
    ]
}

fn ingress() -> Rule {
    Rule::new(
        "D8",
        "spec.ingress",
        "has(self.template)",
        "Ingress template must be defined",
    )
    .missing(".template")
}

fn log_configuration() -> Rule {
    let unknown = format!("self.filter(name, {NO_LOG_FILE})[0]");
    Rule::computed(
        "D10",
        "spec.logConfiguration",
        format!("!self.exists(name, {NO_LOG_FILE})"),
        format!(
            "'Invalid log config key: ' + {unknown} + '. Allowed keys are [log4j-console.properties, logback-console.xml]'"
        ),
    )
}

fn parallelism() -> [Rule; 2] {
    [
        Rule::new(
            "D16",
            "spec",
            "!has(self.job) || !has(self.taskManager) || !has(self.taskManager.replicas) || self.taskManager.replicas >= 1",
            "TaskManager replicas must be larger than 0",
        )
        .wrong(".taskManager.replicas"),
        Rule::new(
            "D17",
            "spec",
            "!has(self.job) || (has(self.taskManager) && has(self.taskManager.replicas)) || \
             (has(self.job.parallelism) && self.job.parallelism >= 1)",
            "Job parallelism must be larger than 0",
        )
        .wrong(".job.parallelism"),
    ]
}

/// A cluster that was deployed for a job stays one for a job, and one for many stays one for many. Only
/// the spec of a job has an upgrade mode, and in the text it always has one.
fn cluster_stays_what_it_is() -> [Rule; 2] {
    let had_a_job = format!("{LAST}.contains('\"upgradeMode\":\"')");
    let (job, old_job) = (has("self", "spec.job"), has("oldSelf", "spec.job"));
    [
        Rule::new(
            "D27",
            "",
            format!("!({job} && !({old_job}) && {DEPLOYED} && !{had_a_job})"),
            "Cannot switch from session to job cluster",
        )
        .wrong(".spec.job"),
        Rule::new(
            "D28",
            "",
            format!("!(has(self.spec) && !({job}) && {old_job} && {DEPLOYED} && {had_a_job})"),
            "Cannot switch from job to session cluster",
        )
        .wrong(".spec.job"),
    ]
}

fn mode_stays_what_it_is() -> [Rule; 2] {
    let was_standalone = format!("{LAST}.contains('\"mode\":\"standalone\"')");
    let standalone = |of: &str| {
        format!(
            "({} && {of}.spec.mode == 'standalone')",
            has(of, "spec.mode")
        )
    };
    let (now, before) = (standalone("self"), standalone("oldSelf"));
    [
        Rule::new(
            "D29",
            "",
            format!("!({now} && !{before} && {DEPLOYED} && !{was_standalone})"),
            "Cannot switch from native kubernetes to standalone kubernetes cluster",
        )
        .wrong(".spec.mode"),
        Rule::new(
            "D30",
            "",
            format!("!(!{now} && {before} && {DEPLOYED} && {was_standalone})"),
            "Cannot switch from standalone kubernetes to native kubernetes cluster",
        )
        .wrong(".spec.mode"),
    ]
}

/// A new nonce needs a path. The number that was deployed last follows its name in the text, and a comma
/// or brace follows the number.
fn redeployed_from_a_savepoint() -> Rule {
    let nonce = "savepointRedeployNonce";
    let field = |of: &str, name: &str| format!("{}.spec.job.{name}", of);
    let value = |of: &str, name: &str, absent: &str| {
        let value = field(of, name);
        format!(
            "({} ? {value} : {absent})",
            has(of, &format!("spec.job.{name}"))
        )
    };
    let is_set = has("self", &format!("spec.job.{nonce}"));
    let path = value("self", "initialSavepointPath", "''");
    let changed = format!(
        "(!({}) || {} != {} || {path} != {})",
        has("oldSelf", &format!("spec.job.{nonce}")),
        field("self", nonce),
        field("oldSelf", nonce),
        value("oldSelf", "initialSavepointPath", "''"),
    );
    let same = format!(
        "({LAST}.contains('\"{nonce}\":') && {LAST}.split('\"{nonce}\":')[1].split(',')[0].split('}}')[0] == string({}))",
        field("self", nonce)
    );
    let had_a_job = format!("{LAST}.contains('\"upgradeMode\":\"')");
    Rule::new(
        "D31",
        "",
        format!(
            "!({is_set} && {path}.trim() == '' && {changed} && {DEPLOYED} && {had_a_job} && !{same})"
        ),
        "InitialSavepointPath must not be empty for savepoint redeployment",
    )
    .missing(".spec.job.initialSavepointPath")
}

fn service_account() -> Rule {
    Rule::new(
        "D32",
        "spec",
        format!("has(self.serviceAccount) || {}", describes_nothing("self")),
        "spec.serviceAccount must be defined. If you use helm, its value should be the same with the \
         name of jobServiceAccount.",
    )
    .missing(".serviceAccount")
}
