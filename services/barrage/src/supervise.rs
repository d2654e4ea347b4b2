//! Supervises the tasks of this process: each has a name, and an end that nobody asked for ends
//! the process.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use crate::beat::{Beat, Beating, Pace};
use crate::roster::{Cause, Failure, Roster, Stage, Task};
use crate::stop::Stop;

/// Longest drain after a failure. It is above the longest drain of a gateway (120 s by default),
/// and bounds the time that a process without one of its parts stays.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(180);

/// Result of a task; an error ends the process.
pub(crate) type TaskResult = anyhow::Result<()>;

/// The roster as health sees it.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Roster>>);

impl Watch {
    /// The roster.
    pub(crate) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs named tasks. Tasks are added at the start alone, so their number is that of the roles'
/// parts.
pub(crate) struct Supervisor {
    tasks: JoinSet<TaskResult>,
    names: HashMap<Id, &'static str>,
    watch: Watch,
    stop: Stop,
}

impl Supervisor {
    /// A supervisor without tasks, which stops them in the order of `stop`.
    pub(crate) fn new(stop: Stop) -> Self {
        Supervisor { tasks: JoinSet::new(), names: HashMap::new(), watch: Watch::default(), stop }
    }

    /// Starts a task. Names are distinct.
    pub(crate) fn spawn(
        &mut self,
        task: Task,
        pace: Pace,
        work: impl Future<Output = TaskResult> + Send + 'static,
    ) {
        let (name, beat) = (task.name, Beat::new());
        self.watch.roster().started(task, beat.clone());
        let handle = self.tasks.spawn(Beating::new(work, beat, pace));
        self.names.insert(handle.id(), name);
    }

    /// The tasks and their beats.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Waits until `asked` ends or a task fails, then stops all tasks, stage by stage. The error
    /// is the first failure.
    pub(crate) async fn run(mut self, asked: impl Future<Output = ()>) -> anyhow::Result<()> {
        let failure = tokio::select! {
            () = asked => None,
            failure = self.failure() => Some(failure),
        };
        let Some(failure) = failure else {
            tracing::info!("draining");
            return match self.drain().await {
                Some(failure) => {
                    tracing::error!(task = failure.task, cause = %failure.cause, "a task failed during the shutdown");
                    Err(failure.into())
                }
                None => Ok(()),
            };
        };
        tracing::error!(task = failure.task, cause = %failure.cause, "a task failed; the process drains and exits");
        if tokio::time::timeout(FAILED_DRAIN_MAX, self.drain()).await.is_err() {
            tracing::error!(secs = FAILED_DRAIN_MAX.as_secs(), "the drain after a failure took too long");
        }
        Err(failure.into())
    }

    /// The next failure; never returns while there is none.
    async fn failure(&mut self) -> Failure {
        loop {
            match self.next_end().await {
                Some(Some(failure)) => return failure,
                Some(None) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Stops the stages in their order, each when the one before has ended. Background tasks have
    /// nothing to drain and are aborted at last. Returns the first failure.
    async fn drain(&mut self) -> Option<Failure> {
        let mut first = None;
        for stage in Stage::DRAINED {
            self.watch.roster().stopping(stage);
            self.stop.token(stage).cancel();
            while self.watch.roster().is_running(stage) {
                match self.next_end().await {
                    Some(failure) => first = first.or(failure),
                    None => break,
                }
            }
        }
        self.tasks.shutdown().await;
        first
    }

    /// Waits for the next end of a task; the outer `None` when no task is left.
    async fn next_end(&mut self) -> Option<Option<Failure>> {
        let ended = self.tasks.join_next_with_id().await?;
        let (id, cause) = match ended {
            Ok((id, Ok(()))) => (id, Cause::Returned),
            Ok((id, Err(error))) => (id, Cause::Error(format!("{error:#}"))),
            Err(error) => (error.id(), cause(error)),
        };
        let name = self.names.remove(&id).unwrap_or("unnamed");
        Some(self.watch.roster().ended(name, cause))
    }
}

/// The panic's message, where it has one.
fn cause(error: JoinError) -> Cause {
    let Ok(panic) = error.try_into_panic() else { return Cause::Error("the task was aborted".into()) };
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Cause::Panicked(text.unwrap_or_else(|| "no message".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(stop: &Stop, stage: Stage) -> impl Future<Output = TaskResult> + Send + 'static {
        let token = stop.token(stage).clone();
        async move {
            token.cancelled().await;
            Ok(())
        }
    }

    /// Tasks of every stage; `order` has the stages as they end.
    fn supervised(order: &Arc<Mutex<Vec<Stage>>>) -> (Supervisor, Stop) {
        let stop = Stop::default();
        let mut supervisor = Supervisor::new(stop.clone());
        for (name, stage) in [
            ("admin", Stage::Admin),
            ("archiver", Stage::Archiver),
            ("front", Stage::Front),
            ("front-2", Stage::Front),
        ] {
            let (work, order) = (until(&stop, stage), Arc::clone(order));
            supervisor.spawn(Task::new(name, stage), Pace::Waits, async move {
                work.await?;
                // Others must not overtake a stage that takes its time.
                tokio::time::sleep(Duration::from_secs(3)).await;
                order.lock().unwrap().push(stage);
                Ok(())
            });
        }
        supervisor.spawn(Task::new("background", Stage::Background), Pace::Ticks, std::future::pending());
        (supervisor, stop)
    }

    const ORDER: [Stage; 4] = [Stage::Front, Stage::Front, Stage::Archiver, Stage::Admin];

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_drains_stage_by_stage() {
        let order = Arc::default();
        let (supervisor, _) = supervised(&order);
        supervisor.run(std::future::ready(())).await.unwrap();
        assert_eq!(*order.lock().unwrap(), ORDER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_ends_the_process_by_its_name_after_the_drain() {
        type Work = fn() -> TaskResult;
        let cases: [(Work, &str); 4] = [
            (|| panic!("planted"), "task hub panicked: planted"),
            (|| panic!("planted {}", 7), "task hub panicked: planted 7"),
            (|| Ok(()), "task hub ended before the shutdown"),
            (|| Err(anyhow::anyhow!("inner").context("outer")), "task hub failed: outer: inner"),
        ];
        for stage in [Stage::Front, Stage::Archiver, Stage::Admin, Stage::Background] {
            for (work, expected) in cases {
                let order = Arc::default();
                let (mut supervisor, _) = supervised(&order);
                supervisor.spawn(Task::new("hub", stage), Pace::Waits, async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    work()
                });
                let error = supervisor.run(std::future::pending()).await.unwrap_err();
                assert_eq!(format!("{error:#}"), expected);
                assert_eq!(*order.lock().unwrap(), ORDER, "{stage:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_may_end_is_no_failure_unless_it_panics() {
        let order = Arc::default();
        let (mut supervisor, _) = supervised(&order);
        supervisor.spawn(Task::new("replay", Stage::Front).may_end(), Pace::Waits, async { Ok(()) });
        supervisor.run(tokio::time::sleep(Duration::from_secs(9))).await.unwrap();
        let (mut supervisor, _) = supervised(&order);
        supervisor
            .spawn(Task::new("replay", Stage::Front).may_end(), Pace::Waits, async { panic!("planted") });
        let error = supervisor.run(std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), "task replay panicked: planted");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_during_the_drain_is_an_error_and_the_other_stages_still_stop() {
        let order = Arc::default();
        let (mut supervisor, stop) = supervised(&order);
        let work = until(&stop, Stage::Front);
        supervisor.spawn(Task::new("hub", Stage::Front), Pace::Waits, async move {
            work.await?;
            panic!("planted")
        });
        let error = supervisor.run(std::future::ready(())).await.unwrap_err();
        assert_eq!(error.to_string(), "task hub panicked: planted");
        assert_eq!(*order.lock().unwrap(), ORDER);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_that_hangs_after_a_failure_has_an_end() {
        let order = Arc::default();
        let (mut supervisor, _) = supervised(&order);
        supervisor.spawn(Task::new("stuck", Stage::Front), Pace::Waits, std::future::pending());
        supervisor.spawn(Task::new("hub", Stage::Front), Pace::Waits, async { panic!("planted") });
        let error = supervisor.run(std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), "task hub panicked: planted");
    }
}
