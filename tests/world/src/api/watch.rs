//! Watches: what a client is told, in order, from where it left off.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::ApiServer;
use super::delivery::{Delivery, DeliveryAction, EventType};
use super::error::ApiError;
use super::kinds::Kind;
use super::link::{Link, Orders};
use super::object;
use super::rest::view;
use super::route::Call;
use super::select::Selector;
use super::store::{Change, State, with_version};
use super::violation::Violation;
use crate::points::Cut;

/// How often a client that asked for bookmarks gets one.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);

/// A watch as asked for, with the events it begins with.
#[derive(Debug)]
pub(crate) struct Plan {
    call: Call,
    selector: Selector,
    /// Everything up to this version has been told.
    position: u64,
    first: VecDeque<Event>,
    bookmarks: bool,
    timeout: Duration,
}

/// One event before it is sent.
#[derive(Clone, Debug)]
struct Event {
    event: EventType,
    object: Arc<Value>,
}

impl Plan {
    /// Finds where a watch begins; an expired beginning becomes its only event, as with the real server.
    pub(crate) fn new(state: &State, call: &Call) -> Result<Self, ApiError> {
        let mut selector = Selector::parse(
            call.kind,
            call.option("labelSelector"),
            call.option("fieldSelector"),
        )?;
        if !call.name.is_empty() {
            selector = selector.and_name(&call.name);
        }
        let asked = call.option("resourceVersion");
        let asked: u64 = if asked.is_empty() {
            0
        } else {
            asked
                .parse()
                .map_err(|_| ApiError::bad_version(asked, true))?
        };
        let initial = call.flag("sendInitialEvents");
        let mut plan = Self {
            call: call.clone(),
            selector,
            position: asked,
            first: VecDeque::new(),
            bookmarks: call.flag("allowWatchBookmarks"),
            timeout: Duration::from_secs(call.option("timeoutSeconds").parse().unwrap_or(1800)),
        };
        if initial && call.option("resourceVersionMatch") != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            let wrong = Violation::forbidden("resourceVersionMatch", why);
            return Err(ApiError::invalid_options("ListOptions", &[wrong]));
        }
        if initial || asked == 0 {
            plan.start_from_now(state, initial);
        } else if asked < state.compacted() {
            let why = format!("too old resource version: {asked} ({})", state.compacted());
            plan.first.push_back(Event {
                event: EventType::Error,
                object: Arc::new(ApiError::expired(why).status()),
            });
        }
        Ok(plan)
    }

    /// Tells everything there is as added, then goes on from here.
    fn start_from_now(&mut self, state: &State, mark_end: bool) {
        for object in state.list(self.call.kind, &self.call.namespace) {
            if self.selector.matches(&object) {
                self.first.push_back(Event {
                    event: EventType::Added,
                    object,
                });
            }
        }
        self.position = state.version();
        if mark_end {
            let mut mark = bookmark(self.call.kind, self.position);
            mark["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
            self.first.push_back(Event {
                event: EventType::Bookmark,
                object: Arc::new(mark),
            });
        }
    }

    /// Tells what a change means to this watch: objects come into and leave a selection.
    fn event_of(&self, change: &Change) -> Option<Event> {
        let inside = self.call.namespace.is_empty() || change.key.namespace == self.call.namespace;
        if change.key.kind != self.call.kind || !inside {
            return None;
        }
        let matching = |object: &Option<Arc<Value>>| {
            object
                .clone()
                .filter(|object| self.selector.matches(object))
        };
        match (matching(&change.old), matching(&change.new)) {
            (None, None) => None,
            (None, Some(object)) => Some(Event {
                event: EventType::Added,
                object,
            }),
            (Some(_), Some(object)) => Some(Event {
                event: EventType::Modified,
                object,
            }),
            (Some(old), None) => {
                let last = with_version(&old, change.version);
                Some(Event {
                    event: EventType::Deleted,
                    object: Arc::new(last),
                })
            }
        }
    }
}

fn bookmark(kind: &Kind, version: u64) -> Value {
    json!({
        "kind": kind.kind,
        "apiVersion": kind.api_version(),
        "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null },
    })
}

/// A watch that is open.
struct Open {
    server: ApiServer,
    link: Arc<Link>,
    plan: Plan,
    queue: VecDeque<Event>,
    orders: Orders,
    deadline: Instant,
    next_bookmark: Instant,
    ended: bool,
}

/// Opens a watch: a stream of lines of JSON.
pub(crate) fn open(
    server: ApiServer,
    link: Arc<Link>,
    mut plan: Plan,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let now = Instant::now();
    let open = Open {
        server,
        orders: link.orders(),
        link,
        queue: std::mem::take(&mut plan.first),
        deadline: now + plan.timeout,
        next_bookmark: now + BOOKMARK_PERIOD,
        plan,
        ended: false,
    };
    futures::stream::unfold(open, |mut watch| async move {
        let next = watch.next().await?;
        Some((next, watch))
    })
}

impl Open {
    /// Waits for the next line; none means that the server ended the watch.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some(cut) = self.link.cut() {
                return Some(Err(self.cut_off(cut).await));
            }
            let orders = self.link.orders();
            if orders.end > self.orders.end || self.ended {
                return None;
            }
            if orders.expire > self.orders.expire {
                return Some(Ok(self.expire()));
            }
            if let Some(event) = self.queue.pop_front() {
                if let Some(line) = self.deliver(event).await {
                    return Some(Ok(line));
                }
                continue;
            }
            // Subscribed before looking, so that nothing slips in between.
            let mut changed = self.server.changed();
            let mut ordered = self.link.changed();
            self.fetch();
            if !self.queue.is_empty() {
                continue;
            }
            let now = Instant::now();
            if now >= self.deadline {
                return None;
            }
            if self.plan.bookmarks && now >= self.next_bookmark {
                self.next_bookmark = now + BOOKMARK_PERIOD;
                let object = Arc::new(bookmark(self.plan.call.kind, self.plan.position));
                self.queue.push_back(Event {
                    event: EventType::Bookmark,
                    object,
                });
                continue;
            }
            let wake = if self.plan.bookmarks {
                self.deadline.min(self.next_bookmark)
            } else {
                self.deadline
            };
            // Whatever ends the wait, the loop looks again at everything.
            tokio::select! {
                biased;
                _ = changed.changed() => {}
                _ = ordered.changed() => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Takes over the changes since the last look; a watch that has missed some is over.
    fn fetch(&mut self) {
        let state = self.server.state();
        if self.plan.position < state.forgotten() {
            let why = format!(
                "too old resource version: {} ({})",
                self.plan.position,
                state.forgotten()
            );
            let object = Arc::new(ApiError::expired(why).status());
            self.queue.push_back(Event {
                event: EventType::Error,
                object,
            });
            return;
        }
        let news = state.since(self.plan.position).iter();
        self.queue
            .extend(news.filter_map(|change| self.plan.event_of(change)));
        self.plan.position = self.plan.position.max(state.version());
    }

    /// Sends one event, unless the test has other plans for it.
    async fn deliver(&mut self, event: Event) -> Option<Bytes> {
        let line = self.line(&event);
        match event.event {
            EventType::Bookmark => return Some(line),
            EventType::Error => {
                self.ended = true;
                return Some(line);
            }
            EventType::Added | EventType::Modified | EventType::Deleted => {}
        }
        let delivery = Delivery {
            number: 0,
            instance: self.link.instance().to_owned(),
            event: event.event,
            kind: self.plan.call.kind,
            namespace: object::namespace(&event.object).to_owned(),
            name: object::name(&event.object).to_owned(),
            version: object::version(&event.object),
            moment: self.server.clock().moment(),
        };
        match self.server.deliveries().pass(delivery) {
            DeliveryAction::Deliver => Some(line),
            DeliveryAction::Drop => None,
            DeliveryAction::Delay(time) => {
                // Later events wait behind this one: a watch keeps its order.
                self.wait(time).await;
                if self.link.cut().is_some() {
                    None
                } else {
                    Some(line)
                }
            }
            DeliveryAction::Expire => Some(self.expire()),
            DeliveryAction::End => {
                self.ended = true;
                None
            }
        }
    }

    /// Waits, but not past being cut off.
    async fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let mut ordered = self.link.changed();
            if self.link.cut().is_some() {
                return;
            }
            tokio::select! {
                biased;
                _ = ordered.changed() => {}
                () = sleep_until(until) => return,
            }
        }
    }

    fn expire(&mut self) -> Bytes {
        self.ended = true;
        let why = format!(
            "too old resource version: {} ({})",
            self.plan.position,
            self.plan.position + 1
        );
        self.line(&Event {
            event: EventType::Error,
            object: Arc::new(ApiError::expired(why).status()),
        })
    }

    fn line(&self, event: &Event) -> Bytes {
        let object = match event.event {
            EventType::Error => Value::clone(&event.object),
            EventType::Added | EventType::Modified | EventType::Deleted | EventType::Bookmark => {
                view(&self.plan.call, &event.object)
            }
        };
        // The type comes first, as the real server writes it: clients rely on it to read the object as it comes.
        format!(
            "{{\"type\":\"{}\",\"object\":{object}}}\n",
            event.event.word()
        )
        .into()
    }

    async fn cut_off(&mut self, cut: Cut) -> io::Error {
        match cut {
            Cut::Silent => {
                self.link.mended().await;
                self.ended = true;
            }
            Cut::Refusing => self.ended = true,
        }
        io::Error::new(
            io::ErrorKind::ConnectionReset,
            "the connection to the API server broke",
        )
    }
}
