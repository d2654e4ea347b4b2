//! The tasks of this process, by name: which run, which were asked to stop, which failed. Pure but
//! for the beats' clock.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::beat::Beat;

/// When a task is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// First: what serves viewers and senders, and drains them.
    Front,
    /// When the front has ended: the archiver takes the last messages.
    Archiver,
    /// Last of those that drain: health and metrics answer until here.
    Admin,
    /// Aborted at the end: tasks with nothing to drain.
    Background,
}

impl Stage {
    /// The stages with a drain, in their order.
    pub(crate) const DRAINED: [Stage; 3] = [Stage::Front, Stage::Archiver, Stage::Admin];
}

/// A task as it is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    stage: Stage,
    may_end: bool,
}

impl Task {
    /// A task that runs until its stage is stopped.
    pub(crate) const fn new(name: &'static str, stage: Stage) -> Self {
        Task { name, stage, may_end: false }
    }

    /// A task that may be done earlier.
    pub(crate) const fn may_end(self) -> Self {
        Task { may_end: true, ..self }
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It returned without an error.
    Returned,
    /// It returned an error.
    Error(String),
    /// It panicked.
    Panicked(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Returned => f.write_str("ended before the shutdown"),
            Cause::Error(text) => write!(f, "failed: {text}"),
            Cause::Panicked(text) => write!(f, "panicked: {text}"),
        }
    }
}

/// An end that ends the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {task} {cause}")]
pub(crate) struct Failure {
    pub(crate) task: &'static str,
    pub(crate) cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    /// Asked to stop, not ended yet; its beat does not count any more.
    Stopping,
    Stopped,
    Failed,
}

struct Known {
    task: Task,
    state: State,
    beat: Beat,
}

/// Names of parts that run inside a task, such as the threads of a gateway, each with the age of
/// its last beat.
type Parts = Box<dyn Fn() -> Vec<(String, Duration)> + Send>;

/// The tasks. Bounded: they are added at the start alone.
#[derive(Default)]
pub(crate) struct Roster {
    tasks: Vec<Known>,
    parts: Vec<(&'static str, Parts)>,
}

/// One line of a health report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Vital {
    name: String,
    state: State,
    /// Absent for a task that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    beat_age_ms: Option<u64>,
    is_well: bool,
}

impl Roster {
    /// Adds a task.
    pub(crate) fn started(&mut self, task: Task, beat: Beat) {
        debug_assert!(self.tasks.iter().all(|known| known.task.name != task.name), "{}", task.name);
        self.tasks.push(Known { task, state: State::Running, beat });
    }

    /// Adds the parts of a task that beat on their own. They are judged while the task runs.
    pub(crate) fn parts_of(
        &mut self,
        task: &'static str,
        parts: impl Fn() -> Vec<(String, Duration)> + Send + 'static,
    ) {
        self.parts.push((task, Box::new(parts)));
    }

    /// Notes that a stage is asked to stop.
    pub(crate) fn stopping(&mut self, stage: Stage) {
        for known in self.tasks.iter_mut().filter(|known| known.task.stage == stage) {
            if known.state == State::Running {
                known.state = State::Stopping;
            }
        }
    }

    /// Notes the end of a task. Returns a failure unless the task returned without an error and
    /// was allowed to.
    pub(crate) fn ended(&mut self, name: &'static str, cause: Cause) -> Option<Failure> {
        let known = self.tasks.iter_mut().find(|known| known.task.name == name);
        let may_end =
            known.as_ref().is_some_and(|known| known.task.may_end || known.state == State::Stopping);
        let is_failure = cause != Cause::Returned || !may_end;
        if let Some(known) = known {
            known.state = if is_failure { State::Failed } else { State::Stopped };
        }
        is_failure.then_some(Failure { task: name, cause })
    }

    /// Whether any task of a stage has not ended.
    pub(crate) fn is_running(&self, stage: Stage) -> bool {
        let of_stage = |known: &&Known| known.task.stage == stage;
        self.tasks
            .iter()
            .filter(of_stage)
            .any(|known| matches!(known.state, State::Running | State::Stopping))
    }

    /// All tasks, and whether each is well: it has not failed, and it beat within `beat_max` or
    /// was asked to stop.
    pub(crate) fn vitals(&self, beat_max: Duration) -> Vec<Vital> {
        let tasks = self.tasks.iter().map(|known| {
            let is_live = matches!(known.state, State::Running | State::Stopping);
            Vital::new(known.task.name.into(), known.state, is_live.then(|| known.beat.age()), beat_max)
        });
        let parts = self.parts.iter().flat_map(|(task, parts)| {
            let known = self.tasks.iter().find(|known| known.task.name == *task);
            let state = known.map_or(State::Running, |known| known.state);
            let vital = move |(part, age)| Vital::new(format!("{task}/{part}"), state, Some(age), beat_max);
            parts().into_iter().map(vital)
        });
        tasks.chain(parts).collect()
    }
}

impl Vital {
    fn new(name: String, state: State, age: Option<Duration>, beat_max: Duration) -> Self {
        let is_well = match state {
            State::Running => age.is_some_and(|age| age <= beat_max),
            State::Stopping | State::Stopped => true,
            State::Failed => false,
        };
        let beat_age_ms = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        Vital { name, state, beat_age_ms, is_well }
    }

    /// Whether the task neither failed nor missed its beat.
    pub(crate) fn is_well(&self) -> bool {
        self.is_well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(10);

    fn sick(roster: &Roster) -> Vec<String> {
        roster.vitals(MAX).into_iter().filter(|vital| !vital.is_well()).map(|vital| vital.name).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_sick_when_it_missed_its_beat_and_well_again_with_the_next() {
        let (mut roster, beat) = (Roster::default(), Beat::new());
        roster.started(Task::new("gateway", Stage::Front), beat.clone());
        tokio::time::advance(MAX).await;
        assert!(sick(&roster).is_empty());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(sick(&roster), ["gateway"]);
        beat.strike();
        assert!(sick(&roster).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_is_well_without_beats_and_a_failure_is_not() {
        let mut roster = Roster::default();
        for (name, stage) in [("gateway", Stage::Front), ("uplink", Stage::Front), ("admin", Stage::Admin)] {
            roster.started(Task::new(name, stage), Beat::new());
        }
        roster.parts_of("gateway", || vec![("shard-0".into(), 2 * MAX), ("shard-1".into(), MAX)]);
        assert_eq!(
            sick(&roster),
            ["gateway/shard-0"],
            "a part without a beat is sick, though its task beats"
        );
        roster.stopping(Stage::Front);
        tokio::time::advance(2 * MAX).await;
        assert_eq!(sick(&roster), ["admin"], "of the others no beat is expected");
        assert_eq!(roster.ended("gateway", Cause::Returned), None);
        assert!(roster.is_running(Stage::Front));
        let failure = roster.ended("uplink", Cause::Panicked("planted".into())).unwrap();
        assert_eq!(failure.to_string(), "task uplink panicked: planted");
        assert!(!roster.is_running(Stage::Front));
        assert_eq!(sick(&roster), ["uplink", "admin"]);
    }
}
