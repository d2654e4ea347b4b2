//! Runs the named tasks of a process. A task that ends unasked ends the process.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::task::{Id, JoinError, JoinSet};

use super::heartbeat::{Heartbeat, Monitored, Wakeup};
use super::roster::{Cause, Failure, Roster, Stage, Task};
use super::stop::Stop;

/// Longest drain after a failure. Above the longest drain of a gateway (120 s by default); bounds
/// the time that a process runs without one of its tasks.
const FAILED_DRAIN_MAX: Duration = Duration::from_secs(180);

/// Result of a task; an error ends the process.
pub(crate) type TaskResult = anyhow::Result<()>;

/// Shared view of the tasks, for `/healthz`.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Roster>>);

impl Watch {
    /// Locks the roster. Callers hold the guard for a few lines without an await.
    pub(crate) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.0.lock()
    }
}

/// Runs named tasks. Tasks are added at the start alone, so that their number is bounded by the
/// roles.
pub(crate) struct Supervisor {
    tasks: JoinSet<TaskResult>,
    names: HashMap<Id, &'static str>,
    watch: Watch,
    stop: Stop,
}

impl Supervisor {
    /// Creates a supervisor without tasks. `stop` has the tokens that the tasks wait for.
    pub(crate) fn new(stop: Stop) -> Self {
        Supervisor { tasks: JoinSet::new(), names: HashMap::new(), watch: Watch::default(), stop }
    }

    /// Starts a task. The name must differ from those of all other tasks.
    pub(crate) fn spawn(
        &mut self,
        task: Task,
        wakeup: Wakeup,
        work: impl Future<Output = TaskResult> + Send + 'static,
    ) {
        let (name, heartbeat) = (task.name, Heartbeat::new());
        self.watch.roster().started(task, heartbeat.clone());
        let handle = self.tasks.spawn(Monitored::new(work, heartbeat, wakeup));
        self.names.insert(handle.id(), name);
    }

    /// Returns the shared view of the tasks.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Waits until `stop_requested` ends or a task fails, then stops all tasks stage by stage.
    /// Returns the first failure as the error.
    pub(crate) async fn run(mut self, stop_requested: impl Future<Output = ()>) -> anyhow::Result<()> {
        let failure = tokio::select! {
            () = stop_requested => None,
            failure = self.failure() => Some(failure),
        };
        let Some(failure) = failure else {
            tracing::info!("the process drains");
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
            tracing::error!(
                secs = FAILED_DRAIN_MAX.as_secs(),
                "the drain after a failure exceeded its limit; the remaining tasks are aborted"
            );
        }
        Err(failure.into())
    }

    /// Waits for the next failure; never returns while all tasks run.
    async fn failure(&mut self) -> Failure {
        loop {
            match self.next_end().await {
                Some(Some(failure)) => return failure,
                Some(None) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Stops the stages in order, each when the stage before has ended, then aborts the background
    /// tasks. Returns the first failure.
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

    /// Waits for the next end of a task. Returns `None` when no task is left, and `Some(None)` for
    /// an end that is no failure.
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

/// Returns the message of a panic, where the panic has one.
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

    /// Starts tasks of every stage; each adds its stage to `order` when it ends.
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
            supervisor.spawn(Task::new(name, stage), Wakeup::Supervisor, async move {
                work.await?;
                // A later stage must not overtake a slow one.
                tokio::time::sleep(Duration::from_secs(3)).await;
                order.lock().push(stage);
                Ok(())
            });
        }
        supervisor.spawn(
            Task::new("background", Stage::Background),
            Wakeup::OwnTimer,
            std::future::pending(),
        );
        (supervisor, stop)
    }

    const ORDER: [Stage; 4] = [Stage::Front, Stage::Front, Stage::Archiver, Stage::Admin];

    #[tokio::test(start_paused = true)]
    async fn shutdown_stops_the_stages_in_order() {
        let order = Arc::default();
        let (supervisor, _) = supervised(&order);
        supervisor.run(std::future::ready(())).await.unwrap();
        assert_eq!(*order.lock(), ORDER);
    }

    #[tokio::test(start_paused = true)]
    async fn failed_task_is_named_after_a_drain_of_all_stages() {
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
                supervisor.spawn(Task::new("hub", stage), Wakeup::Supervisor, async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    work()
                });
                let error = supervisor.run(std::future::pending()).await.unwrap_err();
                assert_eq!(format!("{error:#}"), expected);
                assert_eq!(*order.lock(), ORDER, "{stage:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn task_that_may_end_fails_by_a_panic_alone() {
        let order = Arc::default();
        let (mut supervisor, _) = supervised(&order);
        supervisor.spawn(Task::new("replay", Stage::Front).may_end(), Wakeup::Supervisor, async { Ok(()) });
        supervisor.run(tokio::time::sleep(Duration::from_secs(9))).await.unwrap();
        let (mut supervisor, _) = supervised(&order);
        supervisor.spawn(Task::new("replay", Stage::Front).may_end(), Wakeup::Supervisor, async {
            panic!("planted")
        });
        let error = supervisor.run(std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), "task replay panicked: planted");
    }

    #[tokio::test(start_paused = true)]
    async fn panic_during_the_drain_is_an_error_and_later_stages_stop() {
        let order = Arc::default();
        let (mut supervisor, stop) = supervised(&order);
        let work = until(&stop, Stage::Front);
        supervisor.spawn(Task::new("hub", Stage::Front), Wakeup::Supervisor, async move {
            work.await?;
            panic!("planted")
        });
        let error = supervisor.run(std::future::ready(())).await.unwrap_err();
        assert_eq!(error.to_string(), "task hub panicked: planted");
        assert_eq!(*order.lock(), ORDER);
    }

    #[tokio::test(start_paused = true)]
    async fn drain_after_a_failure_ends_at_its_limit() {
        let order = Arc::default();
        let (mut supervisor, _) = supervised(&order);
        supervisor.spawn(Task::new("stuck", Stage::Front), Wakeup::Supervisor, std::future::pending());
        supervisor.spawn(Task::new("hub", Stage::Front), Wakeup::Supervisor, async { panic!("planted") });
        let error = supervisor.run(std::future::pending()).await.unwrap_err();
        assert_eq!(error.to_string(), "task hub panicked: planted");
    }
}
