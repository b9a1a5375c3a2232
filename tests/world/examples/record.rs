//! Runs the common script on the server of the current kubeconfig and prints its answers.
//!
//! `cargo run -p flink-operator-world --example record > tests/world/script/recorded.json` renews what the
//! in-memory server is compared with. The namespace `world-script` and the CRD of `Specimen` come and go.

use flink_operator_world::script;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = kube::Client::try_default().await?;
    let answers = script::run(&client, "world-script").await?;
    // One answer a line, so that a difference between two records is one line too.
    let lines: Vec<String> = answers.iter().map(ToString::to_string).collect();
    println!("[\n{}\n]", lines.join(",\n"));
    Ok(())
}
