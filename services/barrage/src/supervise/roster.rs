//! State of each task of this process: running, stopping, stopped or failed. Pure, except that a
//! heartbeat reads the clock.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::heartbeat::Heartbeat;

/// Position of a task in the order of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Stops first: tasks that serve viewers and senders, and drain them.
    Front,
    /// Stops when the front has ended: the archiver reads the last messages.
    Archiver,
    /// Stops last of the stages with a drain: health and metrics answer until then.
    Admin,
    /// Aborted after all other stages, because there is nothing to drain.
    Background,
}

impl Stage {
    /// Stages with a drain, in the order in which they stop.
    pub(crate) const DRAINED: [Stage; 3] = [Stage::Front, Stage::Archiver, Stage::Admin];
}

/// Name of a task, and the ends that are no failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    stage: Stage,
    may_end: bool,
}

impl Task {
    /// Declares a task that runs until its stage stops.
    pub(crate) const fn new(name: &'static str, stage: Stage) -> Self {
        Task { name, stage, may_end: false }
    }

    /// Allows the task to return before its stage stops.
    pub(crate) const fn may_end(self) -> Self {
        Task { may_end: true, ..self }
    }
}

/// Cause of the end of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The task returned without an error, which is a failure unless it may end.
    Returned,
    /// The task was aborted, or it returned this error with its causes.
    Error(String),
    /// The task panicked; the text is the panic message.
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

/// End of a task that ends the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {task} {cause}")]
pub(crate) struct Failure {
    pub(crate) task: &'static str,
    pub(crate) cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    /// Asked to stop and not ended yet; the heartbeat no longer counts.
    Stopping,
    Stopped,
    Failed,
}

struct Entry {
    task: Task,
    state: State,
    heartbeat: Heartbeat,
}

/// Returns the parts inside a task, such as the threads of a gateway, each with its name and the
/// age of its heartbeat.
type Parts = Box<dyn Fn() -> Vec<(String, Duration)> + Send>;

/// All tasks of the process. Bounded, because tasks are added at the start alone.
#[derive(Default)]
pub(crate) struct Roster {
    tasks: Vec<Entry>,
    parts: Vec<(&'static str, Parts)>,
}

/// One task or part of a task in the answer of `/healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Vital {
    /// Name of the task.
    name: String,
    /// Whether the task runs, has ended or has failed.
    state: State,
    /// Absent for a task that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    beat_age_ms: Option<u64>,
    /// Whether the task has not failed and its heartbeat is young.
    is_well: bool,
}

impl Roster {
    /// Adds a task that has started. Task names are unique.
    pub(crate) fn started(&mut self, task: Task, heartbeat: Heartbeat) {
        debug_assert!(self.tasks.iter().all(|entry| entry.task.name != task.name), "{}", task.name);
        self.tasks.push(Entry { task, state: State::Running, heartbeat });
    }

    /// Adds parts of a task that have heartbeats of their own. They count while the task runs.
    pub(crate) fn parts_of(
        &mut self,
        task: &'static str,
        parts: impl Fn() -> Vec<(String, Duration)> + Send + 'static,
    ) {
        self.parts.push((task, Box::new(parts)));
    }

    /// Records that the tasks of a stage were asked to stop.
    pub(crate) fn stopping(&mut self, stage: Stage) {
        for entry in self.tasks.iter_mut().filter(|entry| entry.task.stage == stage) {
            if entry.state == State::Running {
                entry.state = State::Stopping;
            }
        }
    }

    /// Records the end of a task. Returns a failure, unless the task returned without an error at a
    /// time when it may end.
    pub(crate) fn ended(&mut self, name: &'static str, cause: Cause) -> Option<Failure> {
        let entry = self.tasks.iter_mut().find(|entry| entry.task.name == name);
        let may_end =
            entry.as_ref().is_some_and(|entry| entry.task.may_end || entry.state == State::Stopping);
        let is_failure = cause != Cause::Returned || !may_end;
        if let Some(entry) = entry {
            entry.state = if is_failure { State::Failed } else { State::Stopped };
        }
        is_failure.then_some(Failure { task: name, cause })
    }

    /// Whether a task of the stage has not ended yet.
    pub(crate) fn is_running(&self, stage: Stage) -> bool {
        let of_stage = |entry: &&Entry| entry.task.stage == stage;
        self.tasks
            .iter()
            .filter(of_stage)
            .any(|entry| matches!(entry.state, State::Running | State::Stopping))
    }

    /// Returns all tasks and their parts. A task is well while it has not failed, and its
    /// heartbeat is younger than `heartbeat_max` or the task was asked to stop.
    pub(crate) fn vitals(&self, heartbeat_max: Duration) -> Vec<Vital> {
        let tasks = self.tasks.iter().map(|entry| {
            let is_live = matches!(entry.state, State::Running | State::Stopping);
            Vital::new(
                entry.task.name.into(),
                entry.state,
                is_live.then(|| entry.heartbeat.age()),
                heartbeat_max,
            )
        });
        let parts = self.parts.iter().flat_map(|(task, parts)| {
            let entry = self.tasks.iter().find(|entry| entry.task.name == *task);
            let state = entry.map_or(State::Running, |entry| entry.state);
            let vital =
                move |(part, age)| Vital::new(format!("{task}/{part}"), state, Some(age), heartbeat_max);
            parts().into_iter().map(vital)
        });
        tasks.chain(parts).collect()
    }
}

impl Vital {
    fn new(name: String, state: State, age: Option<Duration>, heartbeat_max: Duration) -> Self {
        let is_well = match state {
            State::Running => age.is_some_and(|age| age <= heartbeat_max),
            State::Stopping | State::Stopped => true,
            State::Failed => false,
        };
        let beat_age_ms = age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        Vital { name, state, beat_age_ms, is_well }
    }

    /// Whether the task neither failed nor missed its heartbeat.
    pub(crate) fn is_well(&self) -> bool {
        self.is_well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(10);

    fn unwell(roster: &Roster) -> Vec<String> {
        roster.vitals(MAX).into_iter().filter(|vital| !vital.is_well()).map(|vital| vital.name).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn task_is_unwell_from_a_missed_heartbeat_until_the_next_one() {
        let (mut roster, heartbeat) = (Roster::default(), Heartbeat::new());
        roster.started(Task::new("gateway", Stage::Front), heartbeat.clone());
        tokio::time::advance(MAX).await;
        assert!(unwell(&roster).is_empty());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(unwell(&roster), ["gateway"]);
        heartbeat.record();
        assert!(unwell(&roster).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn task_that_stops_is_well_without_heartbeats_and_a_failed_one_is_not() {
        let mut roster = Roster::default();
        for (name, stage) in [("gateway", Stage::Front), ("uplink", Stage::Front), ("admin", Stage::Admin)] {
            roster.started(Task::new(name, stage), Heartbeat::new());
        }
        roster.parts_of("gateway", || vec![("shard-0".into(), 2 * MAX), ("shard-1".into(), MAX)]);
        assert_eq!(
            unwell(&roster),
            ["gateway/shard-0"],
            "a part without a heartbeat is unwell, although its task has one"
        );
        roster.stopping(Stage::Front);
        tokio::time::advance(2 * MAX).await;
        assert_eq!(unwell(&roster), ["admin"], "tasks that stop need no heartbeat");
        assert_eq!(roster.ended("gateway", Cause::Returned), None);
        assert!(roster.is_running(Stage::Front));
        let failure = roster.ended("uplink", Cause::Panicked("planted".into())).unwrap();
        assert_eq!(failure.to_string(), "task uplink panicked: planted");
        assert!(!roster.is_running(Stage::Front));
        assert_eq!(unwell(&roster), ["uplink", "admin"]);
    }
}
