//! Tells a waiting person what is being done, how long it usually takes and how long it took.
//!
//! On a terminal a spinner runs; elsewhere there is a line at the beginning, every half minute and at
//! the end, so that a log of an automated build never looks stuck.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

const REPEAT: Duration = Duration::from_secs(30);

/// Reports the steps of long work.
#[derive(Debug, Clone)]
pub struct Progress {
    output: Output,
}

#[derive(Debug, Clone)]
enum Output {
    Silent,
    Terminal,
    Lines(Lines),
}

#[derive(Clone)]
struct Lines(Arc<Mutex<dyn Write + Send>>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Lines")
    }
}

impl Lines {
    fn print(&self, line: &str) {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that went away must not end the work that is being reported.
        let _ = writeln!(output, "{line}").and_then(|()| output.flush());
    }
}

impl Progress {
    /// Reports on standard error, with a spinner if that is a terminal.
    pub fn stderr() -> Self {
        if std::io::stderr().is_terminal() {
            return Self {
                output: Output::Terminal,
            };
        }
        Self::lines(std::io::stderr())
    }

    /// Reports as lines of text.
    pub fn lines(output: impl Write + Send + 'static) -> Self {
        Self {
            output: Output::Lines(Lines(Arc::new(Mutex::new(output)))),
        }
    }

    /// Reports nothing.
    pub fn silent() -> Self {
        Self {
            output: Output::Silent,
        }
    }

    /// Prints one sentence of its own.
    pub fn note(&self, sentence: &str) {
        match &self.output {
            Output::Silent => {}
            Output::Terminal => eprintln!("{sentence}"),
            Output::Lines(lines) => lines.print(sentence),
        }
    }

    /// Begins a step, for example `build etcd`; `usually` is how long it takes on two cores.
    pub fn begin(&self, what: impl Into<String>, usually: Duration) -> Step {
        let what = what.into();
        let announced = format!("{what} (usually {})", duration(usually));
        let began = Instant::now();
        let running = match &self.output {
            Output::Silent => Running::Silent,
            Output::Terminal => {
                let bar = ProgressBar::new_spinner().with_message(announced);
                let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}");
                bar.set_style(style.expect("the template is constant and valid"));
                bar.enable_steady_tick(Duration::from_millis(120));
                Running::Spinner(bar)
            }
            Output::Lines(lines) => {
                lines.print(&format!("{announced} ..."));
                Running::Lines {
                    lines: lines.clone(),
                    last: Mutex::new(began),
                }
            }
        };
        Step {
            what,
            began,
            running,
        }
    }
}

/// Shows one running step; dropping it without [`Step::done`] says that it was not finished.
#[derive(Debug)]
pub struct Step {
    what: String,
    began: Instant,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Silent,
    Spinner(ProgressBar),
    Lines { lines: Lines, last: Mutex<Instant> },
    Over,
}

impl Step {
    /// Tells how far the step has come, for example `120 of 230 MB`; call it as often as you like.
    pub fn advance(&self, how_far: &str) {
        match &self.running {
            Running::Silent | Running::Over => {}
            Running::Spinner(bar) => bar.set_message(format!("{}: {how_far}", self.what)),
            Running::Lines { lines, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if last.elapsed() >= REPEAT {
                    *last = Instant::now();
                    lines.print(&format!(
                        "{}: {how_far}, {} so far",
                        self.what,
                        duration(self.began.elapsed())
                    ));
                }
            }
        }
    }

    /// Awaits the work of this step, saying now and then that it still runs.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let mut tick = tokio::time::interval(REPEAT / 10);
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = tick.tick() => self.still_running(),
            }
        }
    }

    fn still_running(&self) {
        match &self.running {
            // The spinner shows the elapsed time by itself.
            Running::Silent | Running::Over | Running::Spinner(_) => {}
            Running::Lines { .. } => self.advance("still running"),
        }
    }

    /// Ends the step and prints how long it took.
    pub fn done(mut self) {
        self.end("");
    }

    fn end(&mut self, remark: &str) {
        let line = format!("{}{remark}: {}", self.what, duration(self.began.elapsed()));
        match std::mem::replace(&mut self.running, Running::Over) {
            Running::Silent | Running::Over => {}
            Running::Spinner(bar) => {
                bar.finish_and_clear();
                eprintln!("{line}");
            }
            Running::Lines { lines, .. } => lines.print(&line),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.end(" not finished");
    }
}

/// Writes a duration the way a person says it: `850 ms`, `4.2 s`, `3 min 20 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..60 => format!("{seconds} s"),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn durations_read_naturally() {
        let texts = [250, 4_200, 59_999, 120_000, 200_000]
            .map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(texts, ["250 ms", "4.2 s", "59 s", "2 min", "3 min 20 s"]);
    }

    #[test]
    fn a_step_says_what_it_is_how_long_it_takes_and_that_it_ended() {
        let page = Page::default();
        let progress = Progress::lines(page.clone());
        progress.begin("build etcd", Duration::from_secs(22)).done();
        assert!(
            page.text()
                .starts_with("build etcd (usually 22 s) ...\nbuild etcd: "),
            "{}",
            page.text()
        );
    }

    #[test]
    fn an_abandoned_step_does_not_look_finished() {
        let page = Page::default();
        let progress = Progress::lines(page.clone());
        drop(progress.begin("build etcd", Duration::from_secs(22)));
        assert!(
            page.text().contains("build etcd not finished: "),
            "{}",
            page.text()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn long_work_is_reported_every_half_minute() {
        let page = Page::default();
        let step = Progress::lines(page.clone()).begin("build etcd", Duration::from_secs(22));
        step.during(tokio::time::sleep(Duration::from_secs(70)))
            .await;
        let text = page.text();
        let repeats: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            repeats,
            [
                "build etcd: still running, 30 s so far",
                "build etcd: still running, 1 min so far"
            ]
        );
    }
}
