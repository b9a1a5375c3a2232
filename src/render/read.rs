//! Reads the one resource of a file, and refuses what the API would not keep.

use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use flink_operator_api::{FlinkDeploymentSpec, names};
use operator_core::name::{Key, Kind, ResourceVersion, Uid};
use operator_core::resource::{Body, Meta, Resource};
use serde_json::{Map, Value};

use super::strict;
use crate::args::Render;

/// A resource as it is written in a file.
pub(super) struct Written {
    pub(super) meta: Meta,
    pub(super) spec: FlinkDeploymentSpec,
}

/// Reads the file that the arguments name.
pub(super) fn read(args: &Render) -> Result<Written> {
    let name = shown(&args.file);
    let text = content(&args.file).with_context(|| format!("cannot read {name}"))?;
    resource(&text, args).with_context(|| name)
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    }
}

fn content(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn resource(text: &str, args: &Render) -> Result<Written> {
    let document = only_document(text)?;
    is_a_flink_deployment(&document)?;
    let problems = strict::problems(Kind::FlinkDeployment.as_str(), &document);
    if !problems.is_empty() {
        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("\n  {problem}"))
            .collect();
        bail!("not a valid FlinkDeployment:{}", lines.concat());
    }
    let meta = meta(&document, args)?;
    let spec = document.get("spec").unwrap_or(&Value::Null);
    if spec.is_null() {
        bail!("spec: is missing; see examples/basic.yaml for what belongs there");
    }
    let parsed = Resource::parse(meta, &spec.to_string(), None);
    let Body::FlinkDeployment { spec, .. } = parsed.body;
    let spec = (*spec).map_err(|broken| anyhow!("{broken}"))?;
    Ok(Written {
        meta: parsed.meta,
        spec,
    })
}

/// Returns the one document of a file. Empty documents, as `---` at the end makes them, do not count.
fn only_document(text: &str) -> Result<Map<String, Value>> {
    // As kubectl reads it: yes, no, on and off are booleans, too.
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| anyhow!("not well-formed YAML: {error}"))?;
    let mut documents: Vec<Value> = documents
        .into_iter()
        .filter(|value| !value.is_null())
        .collect();
    match (documents.pop(), documents.len()) {
        (Some(Value::Object(document)), 0) => Ok(document),
        (None, _) => bail!("the file is empty; it must hold one FlinkDeployment"),
        (Some(_), 0) => {
            bail!("the document must be a map with apiVersion, kind, metadata and spec")
        }
        (Some(_), others) => bail!(
            "the file holds {} documents; render takes one FlinkDeployment at a time",
            others + 1
        ),
    }
}

fn is_a_flink_deployment(document: &Map<String, Value>) -> Result<()> {
    let text = |field: &str| {
        document
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let kind = text("kind");
    if kind != Kind::FlinkDeployment.as_str() {
        bail!("kind: must be FlinkDeployment, found \"{kind}\"");
    }
    let version = text("apiVersion");
    if version != names::API_VERSION {
        bail!(
            "apiVersion: must be {}, found \"{version}\"",
            names::API_VERSION
        );
    }
    Ok(())
}

fn meta(document: &Map<String, Value>, args: &Render) -> Result<Meta> {
    const UID: &str = "00000000-0000-4000-8000-000000000001";
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    let text = |field: &str| metadata[field].as_str().map(ToOwned::to_owned);
    let name = text("name").filter(|name| !name.is_empty());
    let name =
        name.ok_or_else(|| anyhow!("metadata.name: is missing; the cluster is named after it"))?;
    let namespace = args.namespace.clone().or_else(|| text("namespace"));
    let uid = args.owner_uid.clone().or_else(|| text("uid"));
    let generation = args.generation.or_else(|| metadata["generation"].as_i64());
    Ok(Meta {
        key: Key {
            kind: Kind::FlinkDeployment,
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            name,
        },
        uid: Uid::new(uid.unwrap_or_else(|| UID.to_owned())),
        resource_version: ResourceVersion::new(""),
        generation: generation.unwrap_or(1),
        deleted_at: None,
        finalizers: Vec::new(),
        labels: texts(&metadata["labels"]),
        annotations: texts(&metadata["annotations"]),
    })
}

fn texts(map: &Value) -> std::collections::BTreeMap<String, String> {
    let entries = map.as_object().into_iter().flatten();
    entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}
