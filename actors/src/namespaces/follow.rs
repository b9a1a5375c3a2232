//! One watch: what it brings goes to its shelf, what that tells goes to the supervisor.

use super::set::Scope;
use super::shelf::{Shelf, covered};
use super::watched::{Slim, Watched};
use crate::announcer::Board;
use crate::backoff::{Delays, Growth, Jitter};
use crate::health::{Health, Trouble};
use crate::supervisor::Sighting;
use actix::prelude::*;
use futures::StreamExt;
use kube::Api;
use kube::runtime::utils::Backoff as _;
use kube::runtime::{WatchStreamExt, watcher};
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The pauses after errors.
const ERRORS: Growth = Growth {
    first: Duration::from_millis(800),
    factor: 2.0,
    longest: Duration::from_secs(30),
};
/// A watch without an error for this long is healed: longer than any pause after one.
const HEALED: Duration = Duration::from_secs(45);
/// A listing that brings nothing for this long is begun again: the API server sets no deadline for it.
const STUCK: Duration = Duration::from_secs(60);

/// The pauses while the CRD of a kind that is not carried out is not installed, or rights on it are missing: so
/// long that what is at rest stays quiet.
const ABSENT: Growth = Growth {
    first: Duration::from_secs(5),
    factor: 2.0,
    longest: Duration::from_secs(300),
};

/// A watch has listed everything for the first time.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Listed {
    /// The number of the scope's life.
    pub(super) life: u64,
    /// The plural of the kind.
    pub(super) plural: &'static str,
}

/// What the watches of one scope share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: kube::Client,
    pub(super) scope: Arc<Scope>,
    pub(super) life: u64,
    /// Whether all kinds have been listed, so that changes are told one by one.
    pub(super) ready: Arc<AtomicBool>,
    pub(super) selector: Option<String>,
    pub(super) relist: Duration,
    pub(super) jitter: Jitter,
    pub(super) health: Health,
    pub(super) clock: crate::clock::Clock,
    pub(super) watcher: Recipient<Listed>,
    pub(super) supervisor: Recipient<Sighting>,
}

/// Follows one kind in one scope until dropped.
pub(super) async fn follow<S: Shelf>(shelf: S, context: Context) {
    let mut watch = Watch {
        shelf,
        absences: Delays::new(ABSENT).spread(context.jitter.clone()),
        context,
        listing: Listing::No,
        trouble: false,
        undecodable: BTreeSet::new(),
    };
    loop {
        watch.once().await;
    }
}

enum Listing {
    No,
    /// Everything listed so far; `whole` is false if there was an object without a name.
    Yes {
        seen: BTreeSet<(String, String)>,
        whole: bool,
    },
}

struct Watch<S: Shelf> {
    shelf: S,
    context: Context,
    listing: Listing,
    trouble: bool,
    /// Namespace and name of objects that could not be decoded.
    undecodable: BTreeSet<(String, String)>,
    absences: Delays,
}

impl<S: Shelf> Drop for Watch<S> {
    /// What is watched no more is not complained about.
    fn drop(&mut self) {
        for ident in &self.undecodable {
            self.context.health.decoded(&describe::<S>(ident));
        }
    }
}

impl<S: Shelf> Watch<S> {
    /// Lists, then watches until it is time to list again.
    ///
    /// Listing again is what repairs events that never came; the watch itself goes on from where it was.
    async fn once(&mut self) {
        let api: Api<Watched<S::Object>> = match self.context.scope.namespace() {
            Some(namespace) => Api::namespaced(self.context.client.clone(), namespace),
            None => Api::all(self.context.client.clone()),
        };
        let config = watcher::Config {
            label_selector: S::selector(self.context.selector.as_deref()),
            ..watcher::Config::default()
        };
        let delays = Delays::new(ERRORS).spread(self.context.jitter.clone());
        let mut events = pin!(watcher(api, config).backoff(delays));
        let relist = Instant::now() + self.context.jitter.spread(self.context.relist);
        let mut healed = Instant::now() + HEALED;
        loop {
            let listing = matches!(self.listing, Listing::Yes { .. });
            let limit = if listing {
                Instant::now() + STUCK
            } else {
                relist
            };
            let event = tokio::select! {
                biased;
                event = events.next() => event,
                () = sleep_until(healed), if self.trouble && !listing => {
                    self.well();
                    continue;
                }
                () = sleep_until(limit) => return,
            };
            match event {
                Some(Ok(event)) => self.event(event),
                Some(Err(error)) => {
                    healed = Instant::now() + HEALED;
                    let (code, message) = explain(&error);
                    match (self.shelf.optional(), code) {
                        (Some(board), Some(404)) => self.not_installed(&board),
                        (Some(_), Some(401 | 403)) => self.error(code, message),
                        (Some(_) | None, _) => {
                            self.error(code, message);
                            continue;
                        }
                    }
                    sleep(self.absences.pause()).await;
                    return;
                }
                None => return,
            }
        }
    }

    fn event(&mut self, event: watcher::Event<Watched<S::Object>>) {
        match event {
            watcher::Event::Init => {
                self.listing = Listing::Yes {
                    seen: BTreeSet::new(),
                    whole: true,
                }
            }
            watcher::Event::InitApply(watched) => {
                let ident = watched.ident();
                if let Listing::Yes { seen, whole } = &mut self.listing {
                    *whole &= !ident.1.is_empty();
                    seen.insert(ident);
                }
                self.put(watched);
            }
            watcher::Event::InitDone => self.listed(),
            watcher::Event::Apply(watched) => {
                self.well();
                self.put(watched);
            }
            watcher::Event::Delete(watched) => {
                self.well();
                self.gone(&watched);
            }
        }
    }

    fn put(&mut self, watched: Watched<S::Object>) {
        let ident = watched.ident();
        if !self.context.scope.covers(&ident.0) {
            return;
        }
        match watched.object {
            Ok(slim) => {
                self.decoded(&ident);
                self.tell(self.shelf.put(slim));
            }
            Err(problem) => {
                // What is known of it stays: an object that cannot be read is not absent.
                let object = describe::<S>(&ident);
                if self.context.health.undecodable(&object, &problem) {
                    tracing::warn!(object, problem, "object cannot be decoded; left alone");
                }
                self.undecodable.insert(ident);
            }
        }
    }

    fn decoded(&mut self, ident: &(String, String)) {
        if self.undecodable.remove(ident) {
            self.context.health.decoded(&describe::<S>(ident));
        }
    }

    fn gone(&mut self, watched: &Watched<S::Object>) {
        let ident = watched.ident();
        self.decoded(&ident);
        let place = if let Ok(object) = &watched.object {
            Some(S::place(object))
        } else {
            let mut places = self.shelf.places().into_iter();
            places.find(|place| place.namespace == ident.0 && place.name == ident.1)
        };
        if let Some(place) = place.filter(|place| self.context.scope.covers(&place.namespace)) {
            self.tell(self.shelf.remove(&place));
        }
    }

    /// A listing has ended: what it did not contain is gone.
    fn listed(&mut self) {
        let Listing::Yes { seen, whole } = std::mem::replace(&mut self.listing, Listing::No) else {
            return;
        };
        self.well();
        if whole {
            let unseen: Vec<_> = self.undecodable.difference(&seen).cloned().collect();
            for ident in unseen {
                self.decoded(&ident);
            }
            for place in covered(&self.shelf, &self.context.scope) {
                if !seen.contains(&(place.namespace.clone(), place.name.clone())) {
                    self.tell(self.shelf.remove(&place));
                }
            }
        }
        let plural = S::Object::PLURAL;
        let Some(board) = self.shelf.optional() else {
            let life = self.context.life;
            return self.context.watcher.do_send(Listed { life, plural });
        };
        self.absences.reset();
        if board.installed(plural, true) {
            tracing::info!(plural, "CRD is installed by now");
        }
    }

    /// The CRD of a kind that is not carried out is not there, so neither are resources.
    fn not_installed(&mut self, board: &Board) {
        self.well();
        self.listing = Listing::No;
        for place in covered(&self.shelf, &self.context.scope) {
            self.tell(self.shelf.remove(&place));
        }
        let plural = S::Object::PLURAL;
        if board.installed(plural, false) {
            tracing::info!(
                plural,
                "CRD is not installed; it is looked for again now and then"
            );
        }
    }

    fn tell(&self, sighting: Option<Sighting>) {
        if let Some(sighting) = sighting
            && (self.context.ready.load(Ordering::Acquire)
                || matches!(sighting, Sighting::Vanished(_)))
        {
            self.context.supervisor.do_send(sighting);
        }
    }

    fn error(&mut self, code: Option<u16>, message: String) {
        // An expired watch is normal: it lists again.
        if code == Some(410) {
            return;
        }
        self.trouble = true;
        let forbidden = matches!(code, Some(401 | 403));
        let message = match code {
            Some(404) if S::Object::GROUP == "flink.apache.org" => {
                format!("{message}; is the CRD installed? `flink-operator crds apply` does it")
            }
            Some(_) | None => message,
        };
        let (plural, scope) = (S::Object::PLURAL, self.context.scope.name());
        let now = self.context.clock.now();
        let optional = self.shelf.optional().is_some();
        self.context.health.of_watch(scope, |watch| {
            let troubles = if optional {
                &mut watch.unannounced
            } else {
                &mut watch.troubles
            };
            let known = troubles.get(plural);
            if known.is_none_or(|known| known.message != message) {
                tracing::warn!(
                    scope,
                    plural,
                    error = message,
                    "watch failed; it is tried again"
                );
            }
            let since = known.map_or(now, |known| known.since);
            troubles.insert(
                plural,
                Trouble {
                    forbidden,
                    message,
                    since,
                },
            );
        });
    }

    fn well(&mut self) {
        if !self.trouble {
            return;
        }
        self.trouble = false;
        let (plural, scope) = (S::Object::PLURAL, self.context.scope.name());
        self.context.health.of_watch(scope, |watch| {
            watch.troubles.remove(plural);
            watch.unannounced.remove(plural);
        });
        tracing::info!(scope, plural, "watch works again");
    }
}

fn describe<S: Shelf>((namespace, name): &(String, String)) -> String {
    format!("{} {namespace}/{name}", S::Object::KIND)
}

/// Returns the HTTP status of an error, if there is one, and its innermost cause, which says most.
fn explain(error: &watcher::Error) -> (Option<u16>, String) {
    let status = match error {
        watcher::Error::WatchError(status)
        | watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status)) => Some(status),
        watcher::Error::InitialListFailed(_)
        | watcher::Error::WatchStartFailed(_)
        | watcher::Error::WatchFailed(_)
        | watcher::Error::NoResourceVersion => None,
    };
    if let Some(status) = status {
        return (Some(status.code), status.message.clone());
    }
    let (mut cause, mut text): (&dyn std::error::Error, _) = (error, error.to_string());
    while let Some(deeper) = cause.source() {
        cause = deeper;
        // Some causes have no words of their own.
        text = Some(cause.to_string())
            .filter(|words| !words.is_empty())
            .unwrap_or(text);
    }
    (None, text)
}

#[cfg(test)]
mod tests {
    use super::explain;
    use kube::runtime::watcher;
    use std::fmt;

    #[derive(Debug)]
    struct Silent;

    impl fmt::Display for Silent {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    impl std::error::Error for Silent {}

    #[test]
    fn the_deepest_cause_that_has_words_is_told() {
        let failed = |cause| watcher::Error::WatchFailed(kube::Error::ReadEvents(cause));
        let (_, text) = explain(&failed(std::io::Error::other("line too long")));
        assert_eq!(text, "line too long");
        let (_, text) = explain(&failed(std::io::Error::other(Silent)));
        assert!(text.contains("reading events"), "{text}");
    }
}
