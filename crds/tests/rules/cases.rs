//! The objects of `cases.json`.

use std::collections::BTreeMap;

use flink_operator_api::{
    FlinkBlueGreenDeployment, FlinkDeployment, FlinkSessionJob, FlinkStateSnapshot,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cases {
    #[serde(rename = "about")]
    _about: String,
    sound: BTreeMap<String, Value>,
    #[serde(rename = "cases")]
    pub(crate) all: Vec<Case>,
}

/// One object, or one change of an object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// Number of the rule that it is about.
    pub(crate) rule: Option<String>,
    pub(crate) kind: String,
    pub(crate) name: String,
    sound: Option<Value>,
    create: Option<Value>,
    #[serde(rename = "last")]
    _last: Option<Value>,
    edit: Option<Value>,
    /// What the API server says, with the field that it blames.
    pub(crate) refused: Option<String>,
}

impl Cases {
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("cases.json")).unwrap()
    }

    /// Returns the objects that a case sends, in order.
    pub(crate) fn objects_of(&self, case: &Case) -> Vec<Value> {
        let mut object = self.sound[&case.kind].clone();
        let mut objects = vec![];
        assert!(
            case.create.is_some() != case.edit.is_some(),
            "{}",
            case.name
        );
        for patch in [&case.sound, &case.create, &case.edit]
            .into_iter()
            .flatten()
        {
            merge(&mut object, patch);
            objects.push(object.clone());
        }
        objects
    }
}

/// Applies a merge patch (RFC 7386).
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(serde_json::Map::new());
    }
    let fields = object.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Reads an object as one of its kind.
pub(crate) fn read_as(kind: &str, object: &Value) -> Result<(), serde_json::Error> {
    fn read<K: DeserializeOwned>(object: &Value) -> Result<(), serde_json::Error> {
        // An object without a spec is one that the operator tells about itself.
        if object.get("spec").is_none() {
            return Ok(());
        }
        K::deserialize(object).map(|_| ())
    }
    match kind {
        "FlinkDeployment" => read::<FlinkDeployment>(object),
        "FlinkSessionJob" => read::<FlinkSessionJob>(object),
        "FlinkStateSnapshot" => read::<FlinkStateSnapshot>(object),
        "FlinkBlueGreenDeployment" => read::<FlinkBlueGreenDeployment>(object),
        other => panic!("{other} is no kind"),
    }
}
