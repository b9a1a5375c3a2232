//! The page of actors for browsers: one table, without scripts, with nothing loaded from elsewhere.

use std::fmt::{self, Display, Write as _};

use flink_operator_actors::health::{Activity, ActorView, Readiness, Role, Snapshot};
use jiff::{SignedDuration, Timestamp};

/// The most rows of a page; those that need attention come first.
const ROWS: usize = 500;

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
pub(super) fn html(snapshot: &Snapshot, readiness: &Readiness) -> String {
    let mut page = String::new();
    write(&mut page, snapshot, readiness).expect("writing to a String never fails");
    page
}

fn write(page: &mut String, snapshot: &Snapshot, readiness: &Readiness) -> fmt::Result {
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
        "<p>{state}, {}, {} at {} <small>(refreshed every 5 s; JSON for other clients; \
         ?namespace=…&amp;name=… shows some)</small></p>",
        role(snapshot.role),
        Count(snapshot.actors.len(), "actor"),
        snapshot.at.strftime("%F %T UTC"),
    )?;
    list(page, &readiness.details)?;
    let mut actors: Vec<&ActorView> = snapshot.actors.iter().collect();
    actors.sort_by_key(|actor| !needs_attention(actor));
    page.push_str(
        "<table><tr><th>resource<th>actor<th>state<th>waits for<th>last pass<th>next look</tr>",
    );
    for actor in actors.iter().take(ROWS) {
        row(page, actor, snapshot.at)?;
    }
    page.push_str("</table>");
    if actors.len() > ROWS {
        write!(page, "<p class=dim>and {} more</p>", actors.len() - ROWS)?;
    }
    page.push_str("</body></html>\n");
    Ok(())
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Leading => "leading",
        Role::Standby => "standing by",
        Role::Stopping => "stopping",
    }
}

fn list(page: &mut String, details: &[String]) -> fmt::Result {
    if details.is_empty() {
        return Ok(());
    }
    page.push_str("<ul class=bad>");
    for detail in details {
        write!(page, "<li>{}", Escaped(detail))?;
    }
    page.push_str("</ul>");
    Ok(())
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
    page.push_str("<td>");
    if let Some(waiting) = &health.waiting {
        write!(
            page,
            "{}<br><small>{}</small>",
            Escaped(&waiting.reason),
            Escaped(&waiting.message)
        )?;
    }
    last_pass(page, actor, now)?;
    page.push_str("<td class=narrow>");
    if let Some(due) = &health.next {
        match due.at {
            Some(at) => write!(page, "in {}", Span(at.duration_since(now)))?,
            None => page.push_str("on change"),
        }
        write!(page, "<br><small>{}</small>", Escaped(due.why))?;
    }
    page.push_str("</tr>");
    Ok(())
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

fn needs_attention(actor: &ActorView) -> bool {
    let health = &actor.health;
    health.activity == Activity::Crashed || health.crash_looping || health.consecutive_failures > 0
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
