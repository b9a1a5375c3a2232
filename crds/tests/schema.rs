//! The definitions are what a Kubernetes API server and the users of upstream's take.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// What etcd and `kubectl apply` take; the latter stores the object in an annotation of itself.
const LARGEST: usize = 262_144;

static CRDS: LazyLock<Vec<CustomResourceDefinition>> = LazyLock::new(flink_operator_api::crds);

fn deployment() -> &'static CustomResourceDefinition {
    &CRDS[0]
}

/// The definitions one by one: deployment, session job, state snapshot, blue/green deployment.
fn kinds() -> &'static [CustomResourceDefinition; 4] {
    CRDS.as_slice().try_into().unwrap()
}

fn root(crd: &CustomResourceDefinition) -> &JSONSchemaProps {
    let validation = crd.spec.versions[0].schema.as_ref().unwrap();
    validation.open_api_v3_schema.as_ref().unwrap()
}

/// Calls `look` for every schema within `schema`, with its path.
fn visit(path: &str, schema: &JSONSchemaProps, look: &mut impl FnMut(&str, &JSONSchemaProps)) {
    look(path, schema);
    for (name, property) in schema.properties.iter().flatten() {
        visit(&format!("{path}.{name}"), property, look);
    }
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => visit(&format!("{path}[]"), items, look),
        Some(JSONSchemaPropsOrArray::Schemas(_)) => panic!("{path}: a tuple is not structural"),
        None => {}
    }
    match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(values)) => visit(&format!("{path}{{}}"), values, look),
        Some(JSONSchemaPropsOrBool::Bool(_)) => {
            panic!("{path}: additionalProperties has no schema")
        }
        None => {}
    }
}

fn paths_where(
    crd: &CustomResourceDefinition,
    holds: impl Fn(&JSONSchemaProps) -> bool,
) -> Vec<String> {
    let mut found = vec![];
    visit("", root(crd), &mut |path, schema| {
        if holds(schema) {
            found.push(path.to_owned());
        }
    });
    found
}

/// Finds the schema at a path such as `spec.job.args[]`.
fn at<'a>(crd: &'a CustomResourceDefinition, path: &str) -> &'a JSONSchemaProps {
    path.split('.').fold(root(crd), |schema, step| {
        let (name, is_list) = step
            .strip_suffix("[]")
            .map_or((step, false), |name| (name, true));
        let properties = schema.properties.as_ref().unwrap();
        let property = properties
            .get(name)
            .unwrap_or_else(|| panic!("{path}: no {name}"));
        match &property.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) if is_list => items,
            _ => property,
        }
    })
}

#[test]
fn a_definition_fits_into_an_annotation_of_itself() {
    for crd in &*CRDS {
        let size = serde_json::to_string(crd).unwrap().len();
        assert!(size < LARGEST, "{:?} has {size} bytes", crd.metadata.name);
    }
}

#[test]
fn every_schema_is_structural() {
    for crd in &*CRDS {
        visit("", root(crd), &mut |path, schema| {
            let is_free = schema.x_kubernetes_preserve_unknown_fields == Some(true);
            let is_int_or_string = schema.x_kubernetes_int_or_string == Some(true);
            assert_eq!(
                schema.type_.is_none(),
                is_free || is_int_or_string,
                "type at {path}"
            );
            let combines =
                schema.any_of.is_some() || schema.one_of.is_some() || schema.all_of.is_some();
            assert!(!combines && schema.not.is_none(), "{path} combines schemas");
            let has_both = schema.properties.is_some() && schema.additional_properties.is_some();
            assert!(!has_both, "{path} is both object and map");
        });
    }
}

#[test]
fn nothing_is_defaulted_nullable_or_formatted() {
    for crd in &*CRDS {
        assert_eq!(paths_where(crd, |schema| schema.default.is_some()), [""; 0]);
        assert_eq!(
            paths_where(crd, |schema| schema.nullable.is_some()),
            [""; 0]
        );
        assert_eq!(paths_where(crd, |schema| schema.format.is_some()), [""; 0]);
        assert_eq!(paths_where(crd, |schema| schema.minimum.is_some()), [""; 0]);
    }
}

#[test]
fn nothing_is_required_but_the_key_of_conditions() {
    for crd in &*CRDS {
        assert_eq!(
            paths_where(crd, |s| s.required.is_some()),
            [".status.conditions[]"]
        );
        assert_eq!(
            at(crd, "status.conditions[]").required,
            Some(vec!["type".to_owned()])
        );
        let conditions = at(crd, "status").properties.as_ref().unwrap()["conditions"].clone();
        assert_eq!(conditions.x_kubernetes_list_type.as_deref(), Some("map"));
        assert_eq!(
            conditions.x_kubernetes_list_map_keys,
            Some(vec!["type".to_owned()])
        );
    }
}

#[test]
fn only_the_configuration_is_free() {
    let free = |crd| paths_where(crd, |s| s.x_kubernetes_preserve_unknown_fields.is_some());
    let [deployment, session_job, state_snapshot, blue_green] = kinds();
    assert_eq!(free(deployment), [".spec.flinkConfiguration"]);
    assert_eq!(free(session_job), [".spec.flinkConfiguration"]);
    assert_eq!(free(state_snapshot), [""; 0]);
    assert_eq!(free(blue_green), [".spec.template.spec.flinkConfiguration"]);
    assert_eq!(at(deployment, "spec.flinkConfiguration").type_, None);
}

#[test]
fn a_blue_green_template_is_a_deployment_and_its_metadata_that_of_an_object() {
    let [deployment, _, _, blue_green] = kinds();
    let fields = |schema: &JSONSchemaProps| -> Vec<String> {
        schema
            .properties
            .as_ref()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let template = at(blue_green, "spec.template.spec");
    assert_eq!(fields(template), fields(at(deployment, "spec")));
    assert_eq!(
        at(blue_green, "spec.template.spec.podTemplate").properties,
        at(deployment, "spec.podTemplate").properties
    );
    let metadata = at(blue_green, "spec.template.metadata");
    let of_a_pod = at(deployment, "spec.podTemplate.metadata");
    assert_eq!(metadata.properties, of_a_pod.properties);
}

#[test]
fn pod_templates_are_complete_pods_in_three_places() {
    let crd = deployment();
    for place in ["spec", "spec.jobManager", "spec.taskManager"] {
        let pod = at(crd, &format!("{place}.podTemplate"));
        let parts: Vec<_> = pod.properties.as_ref().unwrap().keys().collect();
        assert_eq!(parts, ["apiVersion", "kind", "metadata", "spec", "status"]);
        assert_eq!(pod.properties, at(crd, "spec.podTemplate").properties);
    }
    let is_int_or_string = |path: &str| {
        at(crd, &format!("spec.podTemplate.{path}")).x_kubernetes_int_or_string == Some(true)
    };
    assert!(is_int_or_string(
        "spec.containers[].livenessProbe.httpGet.port"
    ));
    assert!(is_int_or_string("spec.volumes[].emptyDir.sizeLimit"));
    let text = |path: &str| at(crd, &format!("spec.podTemplate.{path}")).type_.clone();
    assert_eq!(text("metadata.name").as_deref(), Some("string"));
    assert_eq!(
        text("metadata.creationTimestamp").as_deref(),
        Some("string")
    );
    assert_eq!(
        text("spec.schedulingGroup.podGroupName").as_deref(),
        Some("string")
    );
    for lists in [
        "containerStatuses",
        "initContainerStatuses",
        "ephemeralContainerStatuses",
    ] {
        assert_eq!(
            text(&format!(
                "status.{lists}[].volumeMounts[].volumeStatus.image.imageRef"
            ))
            .as_deref(),
            Some("string")
        );
    }
}

#[test]
fn every_field_of_ours_is_described() {
    for crd in &*CRDS {
        let silent = paths_where(crd, |schema| schema.description.is_none());
        // Items and values of a described list or map need no words of their own; what is Kubernetes' own has
        // no room.
        let silent: Vec<_> = silent
            .iter()
            .filter(|path| {
                let is_kubernetes =
                    path.contains(".podTemplate.") || path.contains(".template.metadata.");
                !is_kubernetes && !path.ends_with("[]") && !path.ends_with("{}")
            })
            .collect();
        assert_eq!(silent, [".status"; 0], "{}", crd.spec.names.kind);
    }
}

#[test]
fn descriptions_are_single_lines_for_people() {
    for crd in &*CRDS {
        visit("", root(crd), &mut |path, schema| {
            let text = schema.description.as_deref().unwrap_or("Fine.");
            assert!(
                !text.contains('\n') && !text.contains("  "),
                "{path}: {text}"
            );
            assert!(text.ends_with('.'), "{path}: {text}");
        });
    }
}

/// What a kind is called, and the columns of its table: those of upstream, and those of `-o wide`.
struct Table {
    kind: &'static str,
    singular: &'static str,
    short: &'static str,
    narrow: &'static [(&'static str, &'static str)],
    wide: &'static [(&'static str, &'static str)],
}

const READY_REASON: &str = ".status.conditions[?(@.type=='Ready')].reason";
const AGE: (&str, &str) = ("Age", ".metadata.creationTimestamp");

const TABLES: [Table; 4] = [
    Table {
        kind: "FlinkDeployment",
        singular: "flinkdeployment",
        short: "flinkdep",
        narrow: &[
            ("Job Status", ".status.jobStatus.state"),
            ("Lifecycle State", ".status.lifecycleState"),
        ],
        wide: &[
            ("Flink Version", ".spec.flinkVersion"),
            ("Parallelism", ".spec.job.parallelism"),
            ("Restore Point", ".status.lineage.newest.at"),
            ("Reason", READY_REASON),
            AGE,
        ],
    },
    Table {
        kind: "FlinkSessionJob",
        singular: "flinksessionjob",
        short: "sessionjob",
        narrow: &[
            ("Job Status", ".status.jobStatus.state"),
            ("Lifecycle State", ".status.lifecycleState"),
        ],
        wide: &[
            ("Cluster", ".spec.deploymentName"),
            ("Parallelism", ".spec.job.parallelism"),
            ("Restore Point", ".status.lineage.newest.at"),
            ("Reason", READY_REASON),
            AGE,
        ],
    },
    Table {
        kind: "FlinkStateSnapshot",
        singular: "flinkstatesnapshot",
        short: "flinksnp",
        narrow: &[
            ("Path", ".status.path"),
            ("Result Timestamp", ".status.resultTimestamp"),
            ("Snapshot State", ".status.state"),
        ],
        wide: &[
            ("Job", ".spec.jobReference.name"),
            ("Restore Point", ".status.resultTimestamp"),
            ("Reason", READY_REASON),
            AGE,
        ],
    },
    Table {
        kind: "FlinkBlueGreenDeployment",
        singular: "flinkbluegreendeployment",
        short: "flinkbgdep",
        narrow: &[("Job Status", ".status.jobStatus.state")],
        wide: &[
            ("Blue Green State", ".status.blueGreenState"),
            ("Flink Version", ".spec.template.spec.flinkVersion"),
            ("Parallelism", ".spec.template.spec.job.parallelism"),
            ("Restore Point", ".status.lineage.newest.at"),
            ("Reason", READY_REASON),
            AGE,
        ],
    },
];

#[test]
fn names_and_columns_are_upstreams_and_wide_ones_are_added() {
    for (crd, table) in CRDS.iter().zip(TABLES) {
        let names = &crd.spec.names;
        let plural = format!("{}s", table.singular);
        assert_eq!(names.kind, table.kind);
        assert_eq!(names.plural, plural);
        assert_eq!(names.singular.as_deref(), Some(table.singular));
        assert_eq!(names.short_names, Some(vec![table.short.to_owned()]));
        assert_eq!(
            crd.metadata.name,
            Some(format!("{plural}.flink.apache.org"))
        );
        assert_eq!(crd.spec.scope, "Namespaced");

        let columns = crd.spec.versions[0].additional_printer_columns.as_ref();
        let columns = columns.unwrap();
        let of = |priority: i32| -> Vec<_> {
            let chosen = columns
                .iter()
                .filter(|column| column.priority == Some(priority));
            chosen
                .map(|column| (column.name.as_str(), column.json_path.as_str()))
                .collect()
        };
        assert_eq!(of(0), table.narrow, "{}", table.kind);
        assert_eq!(of(1), table.wide, "{}", table.kind);
        assert_eq!(of(0).len() + of(1).len(), columns.len());
    }
}

#[test]
fn there_is_one_version_with_a_status_and_only_deployments_scale() {
    for crd in &*CRDS {
        let [version] = crd.spec.versions.as_slice() else {
            panic!("one version")
        };
        assert_eq!(
            (version.name.as_str(), version.served, version.storage),
            ("v1beta1", true, true)
        );
        let subresources = version.subresources.as_ref().unwrap();
        assert!(subresources.status.is_some());
        let scale = subresources.scale.as_ref().map(|scale| {
            (
                scale.spec_replicas_path.as_str(),
                scale.status_replicas_path.as_str(),
                scale.label_selector_path.as_deref(),
            )
        });
        let expected = (
            ".spec.taskManager.replicas",
            ".status.taskManager.replicas",
            Some(".status.taskManager.labelSelector"),
        );
        let scales = crd.spec.names.kind == "FlinkDeployment";
        assert_eq!(scale, scales.then_some(expected));
    }
}

#[test]
fn group_and_version_are_said_once_more_as_constants() {
    use flink_operator_api::{
        FlinkBlueGreenDeployment, FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot, names,
    };
    use kube::Resource;

    fn is_of_the_api<K: Resource<DynamicType = ()>>() {
        assert_eq!(K::group(&()), names::GROUP);
        assert_eq!(K::version(&()), names::VERSION);
        assert_eq!(K::api_version(&()), names::API_VERSION);
    }
    is_of_the_api::<FlinkDeployment>();
    is_of_the_api::<FlinkSessionJob>();
    is_of_the_api::<FlinkStateSnapshot>();
    is_of_the_api::<FlinkBlueGreenDeployment>();
}
