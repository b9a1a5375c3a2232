//! The watcher of the configuration files: reads them again now and then, and passes on what changed.
//!
//! A file that cannot be read is reported, and the last good configuration stays in force.

use crate::config_files::{BadFiles, ReadSettings};
use crate::health::Health;
use crate::namespaces::{Follow, NamespaceSet};
use crate::supervisor::{CutOff, Reconfigured};
use crate::tasks::Tasks;
use actix::prelude::*;
use operator_core::config::{OperatorSettings, options};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Reads the namespaces to watch from a configuration; `None` if they are fixed otherwise.
pub(crate) fn namespaces(settings: &OperatorSettings, own: &str) -> Result<NamespaceSet, String> {
    let text = settings
        .get(&options::WATCHED_NAMESPACES)
        .map_err(|error| error.to_string())?;
    let wrong = |error| format!("kubernetes.operator.watched.namespaces: {error}");
    NamespaceSet::parse(&text, own).map_err(wrong)
}

/// The watcher of the configuration files of one instance.
pub struct ConfigWatcher {
    read: ReadSettings,
    interval: Duration,
    settings: watch::Sender<Arc<OperatorSettings>>,
    health: Health,
    tasks: Tasks,
    /// Whom to tell that resources are to be looked at anew.
    resources: Recipient<Reconfigured>,
    /// Whom to tell about namespaces; nobody if the environment fixes them.
    namespaces: Option<Recipient<Follow>>,
    /// The operator's own namespace.
    own: String,
    reading: bool,
}

impl ConfigWatcher {
    /// Makes a watcher that sends what changed.
    pub fn new(
        (read, interval): (ReadSettings, Duration),
        settings: watch::Sender<Arc<OperatorSettings>>,
        (health, tasks): (Health, Tasks),
        (resources, namespaces): (Recipient<Reconfigured>, Option<Recipient<Follow>>),
        own: String,
    ) -> Self {
        Self {
            read,
            interval,
            settings,
            health,
            tasks,
            resources,
            namespaces,
            own,
            reading: false,
        }
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.reading, true) {
            return;
        }
        let read = Arc::clone(&self.read);
        // Files are on a disk that may hang: nothing else waits for it.
        let read = self
            .tasks
            .spawn(async move { tokio::task::spawn_blocking(move || read()).await });
        ctx.spawn(read.into_actor(self).map(|read, watcher, ctx| {
            watcher.reading = false;
            match read {
                Ok(Ok(Ok(read))) => watcher.take(read),
                Ok(Ok(Err(_))) => {
                    watcher.report(Some("reading the files panicked; this is a bug".to_owned()));
                }
                Ok(Err(_)) | Err(_) => ctx.stop(),
            }
        }));
    }

    fn take(&mut self, read: Result<OperatorSettings, BadFiles>) {
        let checked = read
            .map_err(|error| with_cause(&error))
            .and_then(|settings| {
                let namespaces = namespaces(&settings, &self.own)?;
                Ok((settings, namespaces))
            });
        let (settings, namespaces) = match checked {
            Ok(checked) => checked,
            Err(problem) => return self.report(Some(problem)),
        };
        self.report(None);
        if **self.settings.borrow() == settings {
            return;
        }
        tell_changes(&self.settings.borrow(), &settings);
        let dynamic = settings
            .get(&options::DYNAMIC_NAMESPACES_ENABLED)
            .unwrap_or(false);
        self.settings.send_replace(Arc::new(settings));
        self.resources.do_send(Reconfigured);
        if let Some(watcher) = self.namespaces.as_ref().filter(|_| dynamic) {
            watcher.do_send(Follow(namespaces));
        }
    }

    fn report(&self, problem: Option<String>) {
        let before = self.health.configuration_problem();
        if before == problem {
            return;
        }
        if let Some(error) = &problem {
            tracing::error!(
                error,
                "configuration cannot be read; the last good one stays in force"
            );
        } else {
            tracing::info!("configuration can be read again");
        }
        self.health.configuration(problem);
    }
}

/// Logs which keys changed, without values: they may be secrets.
fn tell_changes(before: &OperatorSettings, after: &OperatorSettings) {
    let (before, after) = (before.base(), after.base());
    let differs = |key: &str| before.text(key) != after.text(key);
    let mut keys: Vec<&str> = after
        .iter()
        .chain(before.iter())
        .map(|(key, _)| key)
        .filter(|key| differs(key))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    tracing::info!(keys = keys.join(", "), "configuration changed");
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl Actor for ConfigWatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(self.interval.max(Duration::from_millis(100)), Self::look);
    }
}

impl Handler<CutOff> for ConfigWatcher {
    type Result = ();

    fn handle(&mut self, _: CutOff, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
