//! Progress of long work, drawn on the terminal where there is one and nowhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

#[cfg(test)]
mod tests;

/// How often a bar is drawn again while nothing moves, so that it is seen to be alive.
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// What a bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressUnit {
    /// Bytes.
    Bytes,
    /// Things of a kind, such as commits.
    Items,
}

/// A bar on the terminal of standard error. It is taken away when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Begins a bar, or nothing where standard error is not a terminal.
    pub(crate) fn begin(label: &str, total: Option<u64>, unit: ProgressUnit) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self::draw_on(target, label, total, unit)
    }

    /// So much is done.
    pub(crate) fn set(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// Says beside the bar what it can't show.
    pub(crate) fn tell(&self, label: String) {
        self.bar.set_message(label);
    }

    /// So much more is done.
    pub(crate) fn advance(&self, more: u64) {
        self.bar.inc(more);
    }

    fn draw_on(
        target: ProgressDrawTarget,
        label: &str,
        total: Option<u64>,
        unit: ProgressUnit,
    ) -> Self {
        let hidden = target.is_hidden();
        let bar = ProgressBar::with_draw_target(total, target);
        let template = match (unit, total) {
            (ProgressUnit::Bytes, Some(_)) => {
                "{msg} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go"
            }
            (ProgressUnit::Bytes, None) => "{msg} {bytes}, {bytes_per_sec}",
            (ProgressUnit::Items, Some(_)) => {
                "{msg} [{bar:30}] {human_pos} of {human_len}, {per_sec}, {eta} to go"
            }
            (ProgressUnit::Items, None) => "{msg} {human_pos}, {per_sec}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates are right");
        bar.set_style(style.progress_chars("━╸ "));
        bar.set_message(label.to_owned());
        // The drawing thread is only worth having where there is something to draw.
        if !hidden {
            bar.enable_steady_tick(REDRAW_INTERVAL);
        }
        Self { bar }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
