//! Objects that the server takes and the operator cannot carry out: each is told where its fault is, and
//! the others don't notice.

use serde_json::{Value, json};

use crate::stage::accounts;
use crate::stage::node::{Node, Pace};
use crate::stage::operator::{Operator, Settings};
use crate::stage::plane::Plane;
use crate::stage::space::{Space, application, eventually};

/// A fault, and what must be said about it in status, event and log.
struct Fault {
    name: &'static str,
    change: fn(&mut Value),
    says: &'static [&'static str],
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "negative-memory",
        change: |object| object["spec"]["jobManager"]["resource"]["memory"] = json!("-1m"),
        says: &["JobManager", "-1m"],
    },
    Fault {
        name: "forbidden-key",
        change: |object| {
            object["spec"]["flinkConfiguration"]["kubernetes.namespace"] = json!("elsewhere");
        },
        says: &["kubernetes.namespace"],
    },
    Fault {
        name: "too-little-memory",
        change: |object| object["spec"]["taskManager"]["resource"]["memory"] = json!("64m"),
        says: &["taskmanager.memory.process.size", "64 mb"],
    },
    Fault {
        name: "refused-template",
        change: |object| {
            object["spec"]["podTemplate"] = json!({ "spec": { "containers": [
                { "name": "flink-main-container", "env": [{ "name": "=", "value": "x" }] } ] } });
        },
        says: &["spec.template.spec.containers[0].env", "Invalid value"],
    },
];

#[tokio::test]
async fn a_fault_is_named_in_status_event_and_log_and_others_do_not_notice() {
    let plane = Plane::shared().await;
    let space = Space::new(plane, "faults").await;
    accounts::install(&space).await;
    let _node = Node::start(&space, Pace::default());
    let operator = Operator::start(plane, &space, &Settings::default()).await;
    for fault in FAULTS {
        let mut object = application(fault.name);
        (fault.change)(&mut object);
        space.create(&object).await;
    }
    space.create(&application("fine")).await;
    space.until_state("fine", "STABLE").await;
    for fault in FAULTS {
        let complete = |text: &str| {
            fault
                .says
                .iter()
                .all(|part| text.contains(part))
                .then_some(())
        };
        space
            .until(
                fault.name,
                &format!("an error that says {:?}", fault.says),
                |object| {
                    object["status"]["error"]
                        .as_str()
                        .is_some_and(|error| complete(error).is_some())
                },
            )
            .await;
        eventually(&format!("{}: an event", fault.name), async || {
            let events = space.events(fault.name).await;
            let found = events
                .iter()
                .any(|(_, message)| complete(message).is_some());
            if found {
                Ok(())
            } else {
                Err(format!("{events:#?}"))
            }
        })
        .await;
        space.delete(fault.name).await;
        space.until_gone(fault.name).await;
    }
    space.until_state("fine", "STABLE").await;
    for fault in FAULTS {
        let complete = |text: &str| {
            fault
                .says
                .iter()
                .all(|part| text.contains(part))
                .then_some(())
        };
        eventually(&format!("{}: a line in the log", fault.name), async || {
            let log = operator.log();
            let mut own = log.lines().filter(|line| line.contains(fault.name));
            if own.any(|line| complete(line).is_some()) {
                Ok(())
            } else {
                Err(log)
            }
        })
        .await;
    }
    operator.stop().await;
}
