//! The committed CRDs are those that the types generate.

use std::path::PathBuf;

/// Set to write the files instead of comparing them.
const UPDATE: &str = "UPDATE";

#[test]
fn the_charts_crds_are_up_to_date() {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../helm/flink-kubernetes-operator/crds");
    for (name, generated) in flink_operator_api::crd_files() {
        let path = folder.join(name);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == generated,
            "{} differs from the types; run {UPDATE}=1 cargo test -p flink-operator-api",
            path.display()
        );
    }
}
