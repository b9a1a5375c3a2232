//! An object as a watch brings it: decoded slim, or with the reason why it cannot be.
//!
//! One object that cannot be decoded must not fail the list that it is in.

use crate::slim::SlimMeta;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A slim type that is watched.
pub(super) trait Slim:
    DeserializeOwned + Clone + std::fmt::Debug + Send + Sync + 'static
{
    /// API group.
    const GROUP: &'static str;
    /// API version.
    const VERSION: &'static str;
    /// Kind.
    const KIND: &'static str;
    /// Plural of the kind, as in paths.
    const PLURAL: &'static str;

    /// Returns the metadata.
    fn meta(&self) -> &SlimMeta;
}

/// One object from a list or watch.
#[derive(Clone, Debug)]
pub(super) struct Watched<T> {
    /// Only name, namespace and resourceVersion: what the watcher itself looks at.
    meta: ObjectMeta,
    /// The object, or what is wrong with it.
    pub(super) object: Result<T, String>,
}

impl<T> Watched<T> {
    /// Returns namespace and name; empty texts if not even these could be read.
    pub(super) fn ident(&self) -> (String, String) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (text(&self.meta.namespace), text(&self.meta.name))
    }
}

/// What can be read of nearly any object.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Bare {
    metadata: BareMeta,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BareMeta {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
}

impl<'de, T: Slim> Deserialize<'de> for Watched<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is kept first, because a decoder that has failed cannot go on behind the object.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let mut decoder = serde_json::Deserializer::from_str(text.get());
        let object: Result<T, String> = serde_path_to_error::deserialize(&mut decoder)
            .map_err(|error| format!("{}: {}", error.path(), error.inner()));
        let bare = match &object {
            Ok(object) => {
                let meta = object.meta();
                let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
                BareMeta {
                    name: some(&meta.name),
                    namespace: some(&meta.namespace),
                    resource_version: some(&meta.resource_version),
                }
            }
            Err(_) => {
                serde_json::from_str::<Bare>(text.get())
                    .unwrap_or_default()
                    .metadata
            }
        };
        let BareMeta {
            name,
            namespace,
            resource_version,
        } = bare;
        Ok(Self {
            meta: ObjectMeta {
                name,
                namespace,
                resource_version,
                ..ObjectMeta::default()
            },
            object,
        })
    }
}

impl<T: Slim> Resource for Watched<T> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        T::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        T::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        T::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        T::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Watched;
    use crate::slim::{SlimPod, SlimResource};
    use kube::Resource;
    use serde_json::json;

    #[test]
    fn one_broken_object_leaves_its_list_readable() {
        let list = json!([
            { "metadata": { "name": "good", "namespace": "a", "resourceVersion": "1" } },
            { "metadata": { "name": "bad", "namespace": "a", "resourceVersion": "2", "finalizers": "none" } },
            { "metadata": "nothing" },
        ]);
        let list: Vec<Watched<SlimPod>> = serde_json::from_str(&list.to_string()).unwrap();
        assert!(list[0].object.is_ok());
        let problem = list[1].object.as_ref().unwrap_err();
        assert!(problem.starts_with("metadata.finalizers: "), "{problem}");
        assert_eq!(list[1].ident(), ("a".to_owned(), "bad".to_owned()));
        assert_eq!(list[1].meta().resource_version.as_deref(), Some("2"));
        assert_eq!(list[2].ident(), (String::new(), String::new()));
    }

    #[test]
    fn a_spec_of_any_shape_is_kept_as_text() {
        let text = r#"{"metadata":{"name":"a","namespace":"b","managedFields":[{"manager":"x"}]},"spec":{"job": [1.50]}}"#;
        let resource: Watched<SlimResource> = serde_json::from_str(text).unwrap();
        assert_eq!(
            resource.object.unwrap().spec.unwrap().get(),
            r#"{"job": [1.50]}"#
        );
    }
}
