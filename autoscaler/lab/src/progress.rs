//! Progress of long work, on standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::console::note;

/// A progress bar on a terminal; elsewhere a line at each tenth.
pub(crate) struct Progress {
    bar: indicatif::ProgressBar,
    is_terminal: bool,
    steps: usize,
    done: AtomicUsize,
    task: &'static str,
}

impl Progress {
    pub(crate) fn new(steps: usize, task: &'static str) -> Self {
        let bar = indicatif::ProgressBar::new(steps as u64);
        let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let is_terminal = std::io::stderr().is_terminal();
        Progress { bar: bar.with_message(task), is_terminal, steps, done: AtomicUsize::new(0), task }
    }

    /// Counts one completed step. Any thread may call it.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.is_terminal && is_tenth(done, self.steps) {
            note(&format!("{} {done}/{}", self.task, self.steps));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whether step number `done` completes a tenth of all steps.
fn is_tenth(done: usize, steps: usize) -> bool {
    done * 10 / steps.max(1) > (done - 1) * 10 / steps.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_prints_ten_lines_at_most() {
        for steps in [1, 3, 10, 37, 180] {
            let noted = (1..=steps).filter(|done| is_tenth(*done, steps)).count();
            assert_eq!(noted, steps.min(10), "{steps} steps");
            assert!(is_tenth(steps, steps));
        }
    }
}
