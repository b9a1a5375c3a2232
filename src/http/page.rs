//! The page of actors for browsers: one table, without scripts, with nothing loaded from elsewhere.

use std::fmt::{self, Display, Write as _};

use flink_operator_actors::health::{
    Activity, ActorView, Counts, Due, Readiness, Role, Snapshot, Waiting,
};
use jiff::{SignedDuration, Timestamp};

use super::selection::Selection;

/// The most rows of a page, unless more are asked for; those that need attention come first.
const ROWS: usize = 200;
/// The most namespaces and details that a page lists.
const LISTED: usize = 50;

const STYLE: &str = "\
:root { color-scheme: light dark; --line: #8884; --dim: #888; --bad: #d33; --busy: #27c; }
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; }
h1 { font-size: 1.25rem; margin: 0 0 .25rem; }
p, ul { margin: .25rem 0; }
table { border-collapse: collapse; margin-top: 1rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; white-space: nowrap; }
td.narrow { white-space: nowrap; }
small, .dim { color: var(--dim); }
.bad { color: var(--bad); }
.busy { color: var(--busy); }
";

/// Writes the page.
pub(super) fn html(
    snapshot: &mut Snapshot,
    readiness: &Readiness,
    selection: &Selection,
) -> String {
    snapshot.actors.sort_by_key(urgency);
    selection.cut(&mut snapshot.actors, ROWS);
    let mut page = String::new();
    write(&mut page, snapshot, readiness, selection).expect("writing to a String never fails");
    page
}

fn write(
    page: &mut String,
    snapshot: &Snapshot,
    readiness: &Readiness,
    selection: &Selection,
) -> fmt::Result {
    page.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str(
        "<meta http-equiv=\"refresh\" content=\"5\"><title>Flink operator: actors</title>",
    );
    write!(
        page,
        "<style>{STYLE}</style></head><body><h1>Flink operator</h1>"
    )?;
    let state = if readiness.ready {
        "ready"
    } else {
        "not ready"
    };
    write!(
        page,
        "<p>{state}, {}, {} at {} <small>(refreshed every 5 s; JSON for other clients)</small></p>",
        role(snapshot.role),
        Count(snapshot.counts.actors, "actor"),
        snapshot.at.strftime("%F %T UTC"),
    )?;
    details(page, &readiness.details)?;
    choices(page, &snapshot.counts)?;
    pieces(page, snapshot, selection)?;
    page.push_str(
        "<table><tr><th>resource<th>actor<th>state<th>waits for<th>last pass<th>next look</tr>",
    );
    for actor in &snapshot.actors {
        row(page, actor, snapshot.at)?;
    }
    page.push_str("</table>");
    page.push_str("</body></html>\n");
    Ok(())
}

/// Writes links to those in one state, or in one namespace.
fn choices(page: &mut String, counts: &Counts) -> fmt::Result {
    let state = |word: &str| Selection {
        state: Some(word.to_owned()),
        ..Selection::default()
    };
    write!(page, "<p><a href=\"/actors\">all {}</a>", counts.actors)?;
    let gathered = [
        ("waiting", counts.waiting),
        ("failing", counts.failing),
        ("crash-looping", counts.crash_looping),
    ];
    let gathered = gathered.into_iter().filter(|(_, count)| *count > 0);
    let lifecycle = counts.lifecycle.iter().map(|(word, count)| (*word, *count));
    for (word, count) in gathered.chain(lifecycle) {
        link(page, &state(word), word, count)?;
    }
    page.push_str("</p>");
    if counts.namespaces.len() < 2 {
        return Ok(());
    }
    page.push_str("<p>namespaces:");
    for (namespace, count) in counts.namespaces.iter().take(LISTED) {
        let selection = Selection {
            namespace: Some(namespace.clone()),
            ..Selection::default()
        };
        link(page, &selection, namespace, *count)?;
    }
    more(page, counts.namespaces.len())?;
    page.push_str("</p>");
    Ok(())
}

fn link(page: &mut String, selection: &Selection, text: &str, count: usize) -> fmt::Result {
    let address = selection.address();
    write!(
        page,
        " <a href=\"{}\">{}&nbsp;{count}</a>",
        Escaped(&address),
        Escaped(text)
    )
}

/// Says which of those that were asked for are shown, with links to those before and after them.
fn pieces(page: &mut String, snapshot: &Snapshot, selection: &Selection) -> fmt::Result {
    let (found, shown) = (snapshot.found, snapshot.actors.len());
    if shown == found && *selection == Selection::default() {
        return Ok(());
    }
    page.push_str("<p>");
    for (name, text) in [
        ("namespace", &selection.namespace),
        ("name", &selection.name),
        ("state", &selection.state),
    ] {
        if let Some(text) = text {
            write!(page, "{name} <b>{}</b>: ", Escaped(text))?;
        }
    }
    let (first, step) = (selection.offset, selection.limit.unwrap_or(ROWS).max(1));
    match shown {
        0 => write!(page, "none of {found}")?,
        _ => write!(page, "{}–{} of {found}", first + 1, first + shown)?,
    }
    let at = |offset: usize| Selection {
        offset,
        ..selection.clone()
    };
    let before = (first > 0).then(|| (at(first.saturating_sub(step)), "previous"));
    let after =
        (first.saturating_add(shown) < found && shown > 0).then(|| (at(first + step), "next"));
    for (selection, text) in [before, after].into_iter().flatten() {
        let address = selection.address();
        write!(page, " <a href=\"{}\">{text}</a>", Escaped(&address))?;
    }
    page.push_str("</p>");
    Ok(())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Leading => "leading",
        Role::Standby => "standing by",
        Role::Stopping => "stopping",
    }
}

fn details(page: &mut String, details: &[String]) -> fmt::Result {
    if details.is_empty() {
        return Ok(());
    }
    page.push_str("<ul class=bad>");
    for detail in details.iter().take(LISTED) {
        write!(page, "<li>{}", Escaped(detail))?;
    }
    page.push_str("</ul>");
    more(page, details.len())
}

/// Counts those that a list does not have room for.
fn more(page: &mut String, all: usize) -> fmt::Result {
    match all.saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(page, " and {more} more"),
    }
}

fn row(page: &mut String, actor: &ActorView, now: Timestamp) -> fmt::Result {
    let health = &actor.health;
    write!(
        page,
        "<tr><td>{}/<b>{}</b><br><small>{}</small>",
        Escaped(&actor.namespace),
        Escaped(&actor.name),
        actor.kind
    )?;
    let class = match health.activity {
        Activity::Idle => "dim",
        Activity::Queued | Activity::Busy | Activity::Draining => "busy",
        Activity::Crashed => "bad",
    };
    let since = Span(now.duration_since(health.since));
    write!(
        page,
        "<td class=narrow><span class={class}>{}</span> <small>{since}</small>",
        health.activity.as_str()
    )?;
    if health.restarts > 0 {
        let looping = if health.crash_looping {
            ", again and again"
        } else {
            ""
        };
        write!(
            page,
            "<br><span class=bad>crashed {} times{looping}</span>",
            health.restarts
        )?;
    }
    write!(page, "<td class=narrow>{}", health.lifecycle.unwrap_or("-"))?;
    for state in [health.job_manager, health.job].into_iter().flatten() {
        write!(page, "<br><small>{state}</small>")?;
    }
    waits(page, actor.waiting.as_ref(), now)?;
    last_pass(page, actor, now)?;
    next_look(page, health.next.as_ref(), now)?;
    page.push_str("</tr>");
    Ok(())
}

fn waits(page: &mut String, waiting: Option<&Waiting>, now: Timestamp) -> fmt::Result {
    page.push_str("<td>");
    let Some(waiting) = waiting else {
        return Ok(());
    };
    let since = Span(now.duration_since(waiting.since));
    write!(
        page,
        "{} <small title=\"since {}\">for {since}</small><br><small>{}</small>",
        Escaped(&waiting.reason),
        waiting.since.strftime("%F %T UTC"),
        Escaped(&waiting.message)
    )
}

fn next_look(page: &mut String, due: Option<&Due>, now: Timestamp) -> fmt::Result {
    page.push_str("<td class=narrow>");
    let Some(due) = due else {
        return Ok(());
    };
    match due.at {
        Some(at) => write!(page, "in {}", Span(at.duration_since(now)))?,
        None => page.push_str("on change"),
    }
    write!(page, "<br><small>{}</small>", Escaped(due.why))
}

fn last_pass(page: &mut String, actor: &ActorView, now: Timestamp) -> fmt::Result {
    page.push_str("<td>");
    let Some(pass) = &actor.health.last_pass else {
        return Ok(());
    };
    let ago = Span(now.duration_since(pass.ended));
    let took = pass.took_seconds.as_millis();
    write!(
        page,
        "{} <small>{ago} ago, took {took} ms</small>",
        Escaped(pass.outcome)
    )?;
    if actor.health.consecutive_failures > 0 {
        let failures = Count(actor.health.consecutive_failures as usize, "failure");
        write!(page, "<br><span class=bad>{failures} in a row</span>")?;
    }
    if let Some(detail) = &pass.detail {
        write!(page, "<br><small>{}</small>", Escaped(detail))?;
    }
    Ok(())
}

/// Ranks actors: what is broken, then what waits, then what is at rest; within each the stored order stays.
fn urgency(actor: &ActorView) -> u8 {
    let health = &actor.health;
    let broken = health.activity == Activity::Crashed
        || health.crash_looping
        || health.consecutive_failures > 0;
    match (broken, &actor.waiting) {
        (true, _) => 0,
        (false, Some(_)) => 1,
        (false, None) => 2,
    }
}

/// A text in which nothing is markup: names and messages come from users.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A number of things.
struct Count(usize, &'static str);

impl Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

/// A span of time, to one unit.
struct Span(SignedDuration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs().max(0);
        match seconds {
            0..120 => write!(f, "{seconds} s"),
            120..7_200 => write!(f, "{} min", seconds / 60),
            7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            _ => write!(f, "{} d", seconds / 86_400),
        }
    }
}
