//! Plays one scenario: on a runtime of its own, within a deadline, with panics as failures.

use std::time::Duration;

use crate::outcome::{Outcome, Verdict};
use crate::run::Run;
use crate::scenarios::Scenario;

/// Time beside the load for the start and the end of the processes.
const OVERHEAD_MAX: Duration = Duration::from_secs(180);
/// Threads of the runtime that has the viewers and the writer.
const THREADS: usize = 2;

/// Plays a scenario, or skips it with the first need that the machine lacks.
#[must_use]
pub fn play(scenario: &'static Scenario, run: &Run) -> Outcome {
    let began = barrage_clock::now();
    let mut outcome = Outcome {
        scenario: scenario.name,
        row: scenario.row,
        verdict: Verdict::Passed,
        secs: 0.0,
        seed: run.seed,
        figures: Vec::new(),
    };
    if let Some(reason) = scenario.needs.iter().find_map(|need| need.missing()) {
        outcome.verdict = Verdict::Skipped(reason);
        return outcome;
    }
    let run = run.clone();
    // A scenario's futures need not be `Send`; its leftover tasks end with the runtime.
    let played = std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).enable_all().build().unwrap();
        let deadline = OVERHEAD_MAX + Duration::from_secs(run.secs(scenario.secs.0, scenario.secs.1));
        let ended = runtime.block_on(async { tokio::time::timeout(deadline, (scenario.play)(run)).await });
        runtime.shutdown_timeout(Duration::from_secs(2));
        ended.map_err(|_| format!("no end within {deadline:?}"))
    });
    match played.join() {
        Ok(Ok(figures)) => {
            outcome.verdict = Outcome::judge(&figures);
            outcome.figures = figures;
        }
        Ok(Err(reason)) => outcome.verdict = Verdict::Failed(vec![reason]),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            outcome.verdict = Verdict::Failed(vec![text.unwrap_or_else(|| "a panic".into())]);
        }
    }
    outcome.secs = began.elapsed().as_secs_f64();
    outcome
}
