//! `flink-operator render`: the objects of a resource, without a cluster.

mod read;
mod strict;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use flink_operator_api::{FlinkDeploymentSpec, JobState, names};
use operator_core::build::{self, ClusterMeta, Effective, Restore, Submission};
use operator_core::config::{Configuration, HostFiles, OperatorSettings, findings};
use operator_core::resource::Meta;
use operator_core::validate::{self, Violation};
use serde::Serialize;

use crate::args::{Render, Stage};
use crate::config_files::config_files;
use read::Written;

/// Rules about upgrades, roll-backs and savepoints of a running job.
const ABOUT_LATER: [&str; 7] = ["D6", "D7", "D11", "D12", "D13", "D14", "D15"];

/// Carries the command out.
pub(crate) fn run(args: &Render) -> Result<()> {
    let written = read::read(args)?;
    let settings = config_files(&args.config).read().context("configuration")?;
    let settings = with_offered_files(args, &written, &settings)?;
    let (errors, mut warnings) = violations(&written, &settings);
    if !errors.is_empty() {
        bail!("{} is refused:{}", written.meta.key, errors.concat());
    }
    warnings.extend(surprises(&written, args, &settings));
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let effective = effective(&written, args, &settings)?;
    let text = match args.stage {
        Stage::Config => flat(&effective.config)?,
        Stage::Objects => objects(&effective, args)?,
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

/// Finds what the operator would refuse: what makes the objects meaningless, and what concerns later
/// changes only, which is no reason not to show the objects.
fn violations(written: &Written, settings: &OperatorSettings) -> (Vec<String>, Vec<String>) {
    let found = validate::flink_deployment(&written.meta, &written.spec, None, settings);
    let (later, now): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|violation| ABOUT_LATER.contains(&violation.rule));
    let line = |violation: &Violation| format!("{}: {}", violation.path, violation.message);
    (
        now.iter()
            .map(|violation| format!("\n  {}", line(violation)))
            .collect(),
        later
            .iter()
            .map(|violation| format!("the operator refuses the resource: {}", line(violation)))
            .collect(),
    )
}

/// Adds files that stand for those of the operator's container: offered ones, and those that the resource
/// names by a path relative to its own file. The operator itself reads only what its administrator names.
fn with_offered_files(
    args: &Render,
    written: &Written,
    settings: &OperatorSettings,
) -> Result<OperatorSettings> {
    let mut files = settings.host_files().clone();
    for offered in &args.host_files {
        let content = fs::read(&offered.file)
            .with_context(|| format!("--host-file {}", offered.file.display()))?;
        files.by_path.insert(offered.path.clone(), content);
    }
    let config = build::resource_config(&written.spec, &written.meta.key.namespace, settings);
    for path in HostFiles::wanted(&config) {
        let Some(beside) = beside(&args.file, &path).filter(|_| !files.by_path.contains_key(&path))
        else {
            continue;
        };
        let content =
            fs::read(&beside).with_context(|| format!("cannot read {}", beside.display()))?;
        files.by_path.insert(path, content);
    }
    Ok(OperatorSettings::new(settings.base().clone(), files))
}

/// Returns the file at a path relative to that of the resource, if there is one; never above its folder.
fn beside(resource: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let folder = resource
        .parent()
        .filter(|_| relative && resource != Path::new("-"))?;
    Some(folder.join(path)).filter(|beside| beside.is_file())
}

fn effective(written: &Written, args: &Render, settings: &OperatorSettings) -> Result<Effective> {
    let Written { meta, spec } = written;
    let cluster = ClusterMeta {
        name: meta.key.name.clone(),
        namespace: meta.key.namespace.clone(),
        uid: meta.uid.as_str().to_owned(),
        generation: meta.generation,
    };
    let submission = Submission {
        job_id: args.job_id.clone(),
        result_store_id: args.job_result_store_id.clone(),
        restore: restore(spec, args),
    };
    build::effective(spec, &cluster, settings, &submission).with_context(|| meta.key.to_string())
}

/// A first start restores from the spec's own path.
fn restore(spec: &FlinkDeploymentSpec, args: &Render) -> Restore {
    let in_spec = spec
        .job
        .as_ref()
        .and_then(|job| job.initial_savepoint_path.clone());
    let path = args.restore_from.clone().or(in_spec);
    path.map_or(Restore::Nothing, Restore::From)
}

/// Says what a person may not expect: none of it stops the command.
fn surprises(written: &Written, args: &Render, settings: &OperatorSettings) -> Vec<String> {
    let Written { meta, spec } = written;
    let mut warnings = Vec::new();
    let mut warn = |text: &str| warnings.push(text.to_owned());
    match &spec.job {
        None => warn(
            "this version of the operator does not carry out session clusters (a spec without spec.job)",
        ),
        Some(job) if job.state == JobState::Suspended => {
            warn("spec.job.state is suspended: these objects are created once it is running");
        }
        Some(job) if job.initial_savepoint_path.is_some() && args.restore_from.is_none() => {
            warn(
                "this version of the operator does not start jobs from spec.job.initialSavepointPath",
            );
        }
        Some(_) => {}
    }
    if is_canary(meta) {
        warn("the resource is a canary: no objects are created for it");
    }
    let config = build::resource_config(spec, &meta.key.namespace, settings);
    warnings.extend(findings(&config).iter().map(ToString::to_string));
    warnings
}

fn is_canary(meta: &Meta) -> bool {
    let label = meta.labels.get(names::CANARY_LABEL);
    label.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn objects(effective: &Effective, args: &Render) -> Result<String> {
    let children = build::render(effective)?;
    for warning in children.warnings() {
        eprintln!("warning: {warning}");
    }
    let deployment = children.deployment_of(&args.attempt_id, &children.hash());
    let dependents = children.with_owner(&args.deployment_uid);
    let documents: Vec<String> = std::iter::once(&deployment)
        .chain(&dependents)
        .map(yaml)
        .collect::<Result<_>>()
        .context("cannot write an object as YAML")?;
    Ok(documents.join("---\n"))
}

fn flat(config: &Configuration) -> Result<String> {
    let flat: BTreeMap<&str, &str> = config.iter().collect();
    yaml(&flat).context("cannot write the configuration as YAML")
}

/// Writes a document that readers of YAML 1.1 and 1.2 understand alike, one line per short value.
fn yaml(document: &impl Serialize) -> Result<String> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    Ok(serde_saphyr::to_string_with_options(document, options)?)
}
