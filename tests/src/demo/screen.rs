//! Progress: bars on a terminal, one line a step elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// Where progress is shown.
pub(super) struct Screen {
    terminal: bool,
}

/// One step under way.
pub(super) struct Step {
    bar: ProgressBar,
    what: &'static str,
    started: Instant,
}

impl std::ops::Deref for Step {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.bar
    }
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal() }
    }

    /// Begins a step of so many parts.
    pub(super) fn step(&self, what: &'static str, parts: u64) -> Step {
        let bar = if self.terminal { ProgressBar::new(parts) } else { ProgressBar::hidden() };
        bar.set_length(parts);
        if let Ok(style) = ProgressStyle::with_template("{prefix:48} {bar:32} {human_pos}/{human_len} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Step { bar, what, started: Instant::now() }
    }

    /// Ends a step.
    #[allow(clippy::unused_self)] // a step belongs to the screen it was begun on
    pub(super) fn done(&self, step: Step) {
        let parts = step.bar.position();
        step.bar.finish_and_clear();
        println!("{}: {parts}，{:.1} s", step.what, step.started.elapsed().as_secs_f64());
    }
}

/// Memory that this process has taken at most, where the system says it.
pub(super) fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.map_or_else(|| "?".into(), |kib| taizhang_node::show::bytes(kib * 1024))
}
