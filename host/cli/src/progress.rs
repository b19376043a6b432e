//! What a person sees while it runs: on stderr, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar, a spinner, or nothing.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Nothing, if `quiet` or if stderr is no terminal.
    pub(crate) fn new(quiet: bool) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let bar = if shown {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
        } else {
            ProgressBar::hidden()
        };
        Self { bar }
    }

    /// A compile is under way.
    pub(crate) fn compiling(&self, name: &str, passed: Duration) {
        if passed < Duration::from_millis(300) {
            return;
        }
        self.bar.set_style(style("{spinner} {msg}"));
        let name = crate::output::visible(name);
        self.bar.set_message(format!("compiling {name} ({:.0} s; the next time it comes from the cache)", passed.as_secs_f64()));
        self.bar.tick();
    }

    /// Tasks are under way; `total` if it is known.
    pub(crate) fn tasks(&self, total: Option<u64>) {
        self.bar.set_message(String::new());
        match total {
            Some(total) => {
                self.bar.set_length(total);
                self.bar.set_style(style("{bar:30} {human_pos}/{human_len} {per_sec} {elapsed}, {eta} to go {msg}"));
            }
            None => self.bar.set_style(style("{spinner} {human_pos} {per_sec} {elapsed} {msg}")),
        }
        self.bar.reset();
    }

    /// So many tasks ended, so many of them badly.
    pub(crate) fn ended(&self, count: u64, failed: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_position(count);
            if failed > 0 {
                self.bar.set_message(format!("{failed} failed"));
            }
            // Moves the clock even when no task ended.
            self.bar.tick();
        }
    }

    /// Does something that writes to the terminal, with the bar out of the way.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// No more.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
