//! The committed page about options is the one that their table generates.

#![allow(clippy::disallowed_methods)] // a test may read and write files; the crate itself does not

use std::path::PathBuf;

/// Set to write the file instead of comparing it.
const UPDATE: &str = "UPDATE";

#[test]
fn the_page_about_options_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let generated = operator_core::config::reference::markdown();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "{} differs from the table of options; run make generate",
        path.display()
    );
}
