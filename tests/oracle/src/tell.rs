//! Tells a history in lines, for a person who wants to know how a plan went wrong.

use std::fmt::Write as _;

use serde_json::Value;

use crate::history::{Change, History, Moment};

/// Tells what happened, in order, one line each: requests with `>`, calls to Flink with `»`, changes with their kind.
pub fn tell(history: &History) -> String {
    let mut lines: Vec<(Moment, String)> = Vec::new();
    for request in history
        .requests
        .iter()
        .filter(|request| request.verb.mutates())
    {
        let fate = if request.applied {
            ""
        } else {
            " (not applied)"
        };
        let slash = if request.subresource.is_empty() {
            ""
        } else {
            "/"
        };
        let what = format!(
            "> {} {:?} {}{slash}{} {}{fate}",
            request.instance, request.verb, request.resource, request.subresource, request.name
        );
        lines.push((request.moment, what));
    }
    for call in &history.calls {
        let heard = if call.received.is_some() {
            ""
        } else {
            " (unheard)"
        };
        lines.push((
            call.moment,
            format!(
                "» {} {} {} -> {}{heard}",
                call.instance, call.method, call.path, call.code
            ),
        ));
    }
    for change in &history.changes {
        lines.push((change.moment, describe(change)));
    }
    for run in &history.runs {
        let from = run
            .restored
            .as_ref()
            .map_or("nothing", |restored| restored.path.as_str());
        lines.push((
            run.started,
            format!(
                "* job {} starts in {}.{} from {from}",
                run.job, run.pod, run.container
            ),
        ));
        if let Some(working) = run.working {
            lines.push((working, format!("* job {} is at work", run.job)));
        }
        if let Some((moment, end)) = run.ended {
            lines.push((
                moment,
                format!("* job {} ends: {end:?}, progress {}", run.job, run.progress),
            ));
        }
    }
    for snapshot in &history.snapshots {
        lines.push((
            snapshot.completed,
            format!("* {} is complete", snapshot.path),
        ));
        if let Some(discarded) = snapshot.discarded {
            lines.push((discarded, format!("* {} is discarded", snapshot.path)));
        }
    }
    lines.sort();
    let mut text = String::new();
    for (moment, line) in lines {
        writeln!(text, "{} #{} {line}", moment.at, moment.order)
            .expect("writing to a string cannot fail");
    }
    text
}

fn describe(change: &Change) -> String {
    let what = match (&change.old, &change.new) {
        (None, _) => "created".to_owned(),
        (Some(_), None) => "gone".to_owned(),
        (Some(old), Some(new)) => {
            let mut paths = Vec::new();
            differences("", old, new, &mut paths);
            paths.retain(|path| !path.starts_with(".metadata.resourceVersion"));
            paths.join(", ")
        }
    };
    format!("{} {}: {what}", change.kind, change.name)
}

/// Names what differs, with the new value where it is short.
fn differences(path: &str, old: &Value, new: &Value, into: &mut Vec<String>) {
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
        let text: String = new.to_string().chars().take(60).collect();
        into.push(format!("{path}={text}"));
        return;
    };
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let (before, after) = (&old[key.as_str()], &new[key.as_str()]);
        if before != after {
            differences(&format!("{path}.{key}"), before, after, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::{Story, stateless};

    #[test]
    fn a_deploy_reads_like_a_story() {
        let mut story = Story::new();
        story.resource(stateless());
        story.deploy("at1", None);
        let text = super::tell(&story.history);
        let position = |part: &str| {
            text.find(part)
                .unwrap_or_else(|| panic!("{part} is missing in:\n{text}"))
        };
        assert!(
            position("> op Update flinkdeployments/status a")
                < position("> op Create deployments a")
        );
        assert!(position("ConfigMap flink-config-a: created") < position("is at work"));
        assert!(position(".status.jobStatus.state=\"RUNNING\"") > position("is at work"));
        assert_eq!(text.matches("resourceVersion").count(), 0);
    }
}
