//! The committed CRDs are those that the types generate.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

/// Set to write the files instead of comparing them.
const UPDATE: &str = "UPDATE";

#[test]
fn the_charts_crds_are_up_to_date() {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../helm/flink-kubernetes-operator/crds");
    let generated = flink_operator_api::crd_files();
    for (name, generated) in &generated {
        let path = folder.join(name);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == *generated,
            "{} differs from the types; run {UPDATE}=1 cargo test -p flink-operator-api",
            path.display()
        );
    }
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let is_generated = generated.iter().any(|(name, _)| *name == file);
        assert!(is_generated, "{file} belongs to no kind");
    }
}
