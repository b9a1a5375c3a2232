//! Rules for a `FlinkDeployment`. The numbers are those of the webhook's rules, in its order.

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

/// That the number of TaskManagers is above zero or not set, as an expression about the spec.
const TASK_MANAGERS: &str =
    "!has(self.taskManager) || !has(self.taskManager.replicas) || self.taskManager.replicas >= 1";

/// That the spec that was deployed last is one of an application. Only the spec of a job has an upgrade
/// mode, and in the text it always has one; options may well have a `job` of their own.
fn had_a_job() -> String {
    format!("{LAST}.contains('\"upgradeMode\":\"')")
}

pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = vec![
        name(),
        version_is_set(),
        version_after_suspension(),
        ingress(),
        log_configuration(),
        task_managers_of_an_application(),
        parallelism(),
    ];
    rules.extend(resources::JOB_MANAGER.rules()); // D20
    rules.push(job_managers());
    rules.extend(resources::TASK_MANAGER.rules()); // D25
    rules.extend([
        task_managers_of_a_session(),
        session_stays_one(),
        application_stays_one(),
        native_stays_so(),
        standalone_stays_so(),
        redeployed_from_a_savepoint(),
        service_account(),
    ]);
    rules
}

/// That a spec describes no cluster, as an expression; `spec` is where it is.
fn describes_nothing(spec: &str) -> String {
    let any = DESCRIBING.map(|field| format!("has({spec}.{field})"));
    format!("!({})", any.join(" || "))
}

/// D1: Flink derives names of up to 63 characters from the name.
fn name() -> Rule {
    let holds = format!(
        "!has(self.spec) || {} || {}",
        describes_nothing("self.spec"),
        is_cluster_name("self.metadata.name")
    );
    Rule::at("")
        .holds(holds)
        .computes(no_cluster_name("self.metadata.name"))
        .once()
}

/// D2.
fn version_is_set() -> Rule {
    Rule::at("spec")
        .holds(format!(
            "has(self.flinkVersion) || {}",
            describes_nothing("self")
        ))
        .says("Flink Version must be defined.")
        .missing(".flinkVersion")
}

/// D4: what high availability stored is read by the version that wrote it.
fn version_after_suspension() -> Rule {
    let changed = format!(
        "{} && (!({}) || self.spec.flinkVersion != oldSelf.spec.flinkVersion)",
        has("self", "spec.flinkVersion"),
        has("oldSelf", "spec.flinkVersion"),
    );
    let stateful = format!(
        "{} && self.spec.job.upgradeMode != 'stateless'",
        has("self", "spec.job.upgradeMode")
    );
    let suspended = format!(
        "{DEPLOYED} && {LAST}.contains('\"state\":\"suspended\"') && {LAST}.contains('\"upgradeMode\":\"last-state\"')"
    );
    let same = format!("{LAST}.contains('\"flinkVersion\":\"' + self.spec.flinkVersion + '\"')");
    Rule::at("")
        .holds(format!("!({changed} && {stateful} && {suspended} && !{same})"))
        .says(
            "Changing flinkVersion after last-state suspend is not allowed. Restore your cluster with the \
             current flinkVersion and perform the version upgrade afterwards.",
        )
        .wrong(".spec.flinkVersion")
}

/// D8.
fn ingress() -> Rule {
    Rule::at("spec.ingress")
        .holds("has(self.template)")
        .says("Ingress template must be defined")
        .missing(".template")
}

/// D10.
fn log_configuration() -> Rule {
    let unknown = format!("self.filter(name, {NO_LOG_FILE})[0]");
    Rule::at("spec.logConfiguration")
        .holds(format!("!self.exists(name, {NO_LOG_FILE})"))
        .computes(format!(
            "'Invalid log config key: ' + {unknown} + '. Allowed keys are [log4j-console.properties, logback-console.xml]'"
        ))
}

/// D16.
fn task_managers_of_an_application() -> Rule {
    Rule::at("spec")
        .holds(format!("!has(self.job) || {TASK_MANAGERS}"))
        .says("TaskManager replicas must be larger than 0")
        .wrong(".taskManager.replicas")
}

/// D17: a number of TaskManagers decides the parallelism where it is set.
fn parallelism() -> Rule {
    Rule::at("spec")
        .holds(
            "!has(self.job) || (has(self.taskManager) && has(self.taskManager.replicas)) || \
             (has(self.job.parallelism) && self.job.parallelism >= 1)",
        )
        .says("Job parallelism must be larger than 0")
        .wrong(".job.parallelism")
}

/// D21.
fn job_managers() -> Rule {
    Rule::at("spec.jobManager.replicas")
        .holds("self >= 1")
        .says("JobManager replicas should not be configured less than one.")
}

/// D26: for an application D16 says it first.
fn task_managers_of_a_session() -> Rule {
    Rule::at("spec")
        .holds(format!("has(self.job) || {TASK_MANAGERS}"))
        .says("TaskManager replicas should not be configured less than one.")
        .wrong(".taskManager.replicas")
}

/// D27.
fn session_stays_one() -> Rule {
    let (job, old_job) = (has("self", "spec.job"), has("oldSelf", "spec.job"));
    Rule::at("")
        .holds(format!(
            "!({job} && !({old_job}) && {DEPLOYED} && !{})",
            had_a_job()
        ))
        .says("Cannot switch from session to job cluster")
        .wrong(".spec.job")
}

/// D28.
fn application_stays_one() -> Rule {
    let (job, old_job) = (has("self", "spec.job"), has("oldSelf", "spec.job"));
    Rule::at("")
        .holds(format!(
            "!(has(self.spec) && !({job}) && {old_job} && {DEPLOYED} && {})",
            had_a_job()
        ))
        .says("Cannot switch from job to session cluster")
        .wrong(".spec.job")
}

/// That a spec asks for standalone mode, as an expression; `of` is `self` or `oldSelf`.
fn is_standalone(of: &str) -> String {
    format!(
        "({} && {of}.spec.mode == 'standalone')",
        has(of, "spec.mode")
    )
}

/// That the spec that was deployed last asked for standalone mode.
fn was_standalone() -> String {
    format!("{LAST}.contains('\"mode\":\"standalone\"')")
}

/// D29.
fn native_stays_so() -> Rule {
    let (now, before) = (is_standalone("self"), is_standalone("oldSelf"));
    Rule::at("")
        .holds(format!(
            "!({now} && !{before} && {DEPLOYED} && !{})",
            was_standalone()
        ))
        .says("Cannot switch from native kubernetes to standalone kubernetes cluster")
        .wrong(".spec.mode")
}

/// D30.
fn standalone_stays_so() -> Rule {
    let (now, before) = (is_standalone("self"), is_standalone("oldSelf"));
    Rule::at("")
        .holds(format!(
            "!(!{now} && {before} && {DEPLOYED} && {})",
            was_standalone()
        ))
        .says("Cannot switch from standalone kubernetes to native kubernetes cluster")
        .wrong(".spec.mode")
}

/// D31: a new nonce needs a path. The number that was deployed last follows its name in the text, and a
/// comma or brace follows the number.
fn redeployed_from_a_savepoint() -> Rule {
    let nonce = "self.spec.job.savepointRedeployNonce";
    let path = |of: &str| {
        let is_set = has(of, "spec.job.initialSavepointPath");
        format!("({is_set} ? {of}.spec.job.initialSavepointPath : '')")
    };
    let is_set = has("self", "spec.job.savepointRedeployNonce");
    let was_set = has("oldSelf", "spec.job.savepointRedeployNonce");
    let (now, before) = (path("self"), path("oldSelf"));
    let changed = format!(
        "(!({was_set}) || {nonce} != oldSelf.spec.job.savepointRedeployNonce || {now} != {before})"
    );
    let name = "'\"savepointRedeployNonce\":'";
    let number = format!("{LAST}.split({name})[1].split(',')[0].split('}}')[0]");
    let same = format!("({LAST}.contains({name}) && {number} == string({nonce}))");
    Rule::at("")
        .holds(format!(
            "!({is_set} && {now}.trim() == '' && {changed} && {DEPLOYED} && {} && !{same})",
            had_a_job()
        ))
        .says("InitialSavepointPath must not be empty for savepoint redeployment")
        .missing(".spec.job.initialSavepointPath")
}

/// D32.
fn service_account() -> Rule {
    Rule::at("spec")
        .holds(format!("has(self.serviceAccount) || {}", describes_nothing("self")))
        .says(
            "spec.serviceAccount must be defined. If you use helm, its value should be the same with the \
             name of jobServiceAccount.",
        )
        .missing(".serviceAccount")
}
