//! Where the logs of containers are, and how they are found and shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWrite};

/// How often a followed log is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Returns the log of one start of one container; `start` counts from 0.
pub fn log_file(
    log_dir: &Path,
    namespace: &str,
    pod: &str,
    container: &str,
    start: u32,
) -> PathBuf {
    log_dir
        .join(namespace)
        .join(pod)
        .join(format!("{container}.{start}.log"))
}

/// Says which log is meant.
#[derive(Debug, Clone)]
pub struct Question {
    /// The pod's name, or its beginning if that is enough to tell it from others.
    pub pod: String,
    /// Its namespace; if absent, all are searched.
    pub namespace: Option<String>,
    /// The container; needed only if the pod has several.
    pub container: Option<String>,
    /// Whether the start before the last one is meant.
    pub previous: bool,
}

impl Question {
    /// Finds the one log that is meant.
    pub fn answer(&self, log_dir: &Path) -> Result<PathBuf> {
        let pod = self.pod_directory(log_dir)?;
        let mut starts = self.starts(&pod)?;
        starts.sort_by_key(|(start, _)| *start);
        let back = if self.previous { 2 } else { 1 };
        let Some((_, path)) = starts
            .len()
            .checked_sub(back)
            .and_then(|index| starts.get(index))
        else {
            bail!(
                "{} has started {} times, there is no log before that",
                self.pod,
                starts.len()
            );
        };
        Ok(path.clone())
    }

    fn pod_directory(&self, log_dir: &Path) -> Result<PathBuf> {
        let mut all = Vec::new();
        for namespace in children(log_dir) {
            if self
                .namespace
                .as_ref()
                .is_none_or(|wanted| namespace.ends_with(wanted))
            {
                all.extend(children(&namespace));
            }
        }
        let named = |directory: &PathBuf| directory.ends_with(&self.pod);
        let begins = |directory: &PathBuf| {
            directory
                .file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(&self.pod))
        };
        let exact: Vec<_> = all.iter().filter(|directory| named(directory)).collect();
        let meant = if exact.is_empty() {
            all.iter().filter(|directory| begins(directory)).collect()
        } else {
            exact
        };
        match meant.as_slice() {
            [one] => Ok((*one).clone()),
            [] => bail!(
                "no pod {} has a log; there are: {}",
                self.pod,
                names(log_dir, &all.iter().collect::<Vec<_>>())
            ),
            several => bail!(
                "{} may be any of {}; say more of the name, or --namespace",
                self.pod,
                names(log_dir, several)
            ),
        }
    }

    /// Lists the starts of the container that is meant.
    fn starts(&self, pod: &Path) -> Result<Vec<(u32, PathBuf)>> {
        let logs: Vec<_> = children(pod)
            .into_iter()
            .filter_map(|path| parse(&path))
            .collect();
        let mut containers: Vec<_> = logs
            .iter()
            .map(|(container, _, _)| container.as_str())
            .collect();
        containers.sort_unstable();
        containers.dedup();
        let wanted = match (&self.container, containers.as_slice()) {
            (Some(container), all) if all.contains(&container.as_str()) => container.as_str(),
            (None, [only]) => only,
            (_, all) => bail!("say which container of {}: {}", self.pod, all.join(", ")),
        };
        let wanted = logs.iter().filter(|(container, _, _)| container == wanted);
        Ok(wanted
            .map(|(_, start, path)| (*start, path.clone()))
            .collect())
    }
}

/// Copies a log to the output; with `follow`, does not end at its end.
pub async fn show(log: &Path, follow: bool, output: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
    let mut file = File::open(log)
        .await
        .with_context(|| format!("cannot open {}", log.display()))?;
    loop {
        copy(&mut file, output).await?;
        if !follow {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    use tokio::io::AsyncWriteExt;
    tokio::io::copy(from, to).await?;
    Ok(to.flush().await?)
}

/// Takes `<container>.<start>.log` apart; container names have no dots.
fn parse(path: &Path) -> Option<(String, u32, PathBuf)> {
    let (container, start) = path
        .file_name()?
        .to_str()?
        .strip_suffix(".log")?
        .rsplit_once('.')?;
    Some((container.to_owned(), start.parse().ok()?, path.to_owned()))
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn names(log_dir: &Path, pods: &[&PathBuf]) -> String {
    let relative = pods.iter().map(|pod| {
        pod.strip_prefix(log_dir)
            .unwrap_or(pod)
            .display()
            .to_string()
    });
    let names: Vec<_> = relative.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn logs() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let all = [
            ("a", "job-1", "main", 0),
            ("a", "job-1", "main", 9),
            ("a", "job-1", "main", 10),
            ("a", "job-1-taskmanager-1", "main", 0),
        ];
        let others = [
            ("b", "web", "main", 0),
            ("b", "web", "side", 0),
            ("c", "job-1", "main", 0),
        ];
        for (namespace, pod, container, start) in all.into_iter().chain(others) {
            let path = log_file(directory.path(), namespace, pod, container, start);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{namespace} {pod} {container} {start}")).unwrap();
        }
        directory
    }

    fn question(pod: &str, namespace: Option<&str>) -> Question {
        Question {
            pod: pod.into(),
            namespace: namespace.map(Into::into),
            container: None,
            previous: false,
        }
    }

    #[test]
    fn the_last_start_is_meant_unless_the_previous_one_is_asked_for() {
        let logs = logs();
        let read = |question: &Question| {
            fs::read_to_string(question.answer(logs.path()).unwrap()).unwrap()
        };
        let last = question("job-1", Some("a"));
        assert_eq!(read(&last), "a job-1 main 10");
        assert_eq!(
            read(&Question {
                previous: true,
                ..last
            }),
            "a job-1 main 9"
        );
        let only = question("job-1-t", None);
        assert_eq!(read(&only), "a job-1-taskmanager-1 main 0");
        let error = Question {
            previous: true,
            ..only
        }
        .answer(logs.path())
        .unwrap_err()
        .to_string();
        assert!(error.contains("started 1 times"), "{error}");
    }

    #[test]
    fn what_is_not_clear_is_asked_back() {
        let logs = logs();
        let error = |question: &Question| question.answer(logs.path()).unwrap_err().to_string();
        assert!(error(&question("job-1", None)).contains("a/job-1, c/job-1"));
        assert!(error(&question("nothing", Some("b"))).ends_with("there are: b/web"));
        assert!(error(&question("web", None)).ends_with("main, side"));
        let side = Question {
            container: Some("side".into()),
            ..question("web", None)
        };
        assert!(side.answer(logs.path()).is_ok());
    }
}
