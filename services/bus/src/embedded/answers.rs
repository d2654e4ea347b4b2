//! Answers of a commit, given to all of its callers at once.
//!
//! The sequencer is no thread of the callers' runtime: a wake from it costs a lock and often a system call. So
//! one task of the runtime takes the answers of a whole commit and gives them there, where a wake costs neither.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::error::BusError;
use crate::log::Receipt;

/// Commits whose answers wait for the task. Beyond, the sequencer gives the answers itself.
const COMMITS_MAX: usize = 16;

/// The place where a caller waits for its answer.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, BusError>>;

/// A caller and its answer.
pub(crate) struct Answer {
    pub(crate) reply: Reply<Vec<Receipt>>,
    pub(crate) result: Result<Vec<Receipt>, BusError>,
}

/// Gives the answers of commits to their callers.
pub(crate) struct Answers {
    /// `None` where no runtime ran when the engine was opened.
    task: Option<mpsc::Sender<Vec<Answer>>>,
}

impl Answers {
    /// Starts the task on the runtime of the caller. It ends when this value is dropped.
    pub(crate) fn start() -> Self {
        let Ok(runtime) = Handle::try_current() else { return Answers { task: None } };
        let (task, mut commits) = mpsc::channel::<Vec<Answer>>(COMMITS_MAX);
        runtime.spawn(async move {
            while let Some(answers) = commits.recv().await {
                give(answers);
            }
        });
        Answers { task: Some(task) }
    }

    /// Gives all answers of a commit, in the order of its callers.
    pub(crate) fn give(&self, answers: Vec<Answer>) {
        // One caller is woken as cheaply without the task.
        let task = self.task.as_ref().filter(|_| answers.len() > 1);
        match task {
            Some(task) => {
                // Without a runtime, or while it is busy, the answers are given here.
                if let Err(error) = task.try_send(answers) {
                    give(error.into_inner());
                }
            }
            None => give(answers),
        }
    }
}

fn give(answers: Vec<Answer>) {
    for Answer { reply, result } in answers {
        answer(reply, result);
    }
}

/// Answers a caller. One that has given up loses the answer: the message stays accepted, and a
/// retry under the same id is answered as a duplicate.
pub(crate) fn answer<T>(reply: Reply<T>, result: Result<T, BusError>) {
    drop(reply.send(result));
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answered = oneshot::Receiver<Result<Vec<Receipt>, BusError>>;

    fn answers(count: usize) -> (Vec<Answer>, Vec<Answered>) {
        let channels = (0..count).map(|_| oneshot::channel());
        channels.map(|(reply, answered)| (Answer { reply, result: Ok(Vec::new()) }, answered)).unzip()
    }

    #[tokio::test]
    async fn every_caller_of_a_commit_is_answered_also_beyond_the_bound_and_beside_one_that_gave_up() {
        let given = Answers::start();
        let mut waiting = Vec::new();
        // The task does not run between these calls: commits beyond the bound are answered at once.
        for commit in 0..2 * COMMITS_MAX {
            let (answers, mut answered) = answers(3);
            drop(answered.remove(0));
            given.give(answers);
            let is_beyond = commit >= COMMITS_MAX;
            assert!(answered.iter_mut().all(|answered| answered.try_recv().is_ok() == is_beyond), "{commit}");
            waiting.extend(answered.into_iter().filter(|_| !is_beyond));
        }
        for answered in waiting {
            assert_eq!(answered.await.unwrap().unwrap(), []);
        }
    }

    #[test]
    fn callers_are_answered_without_a_runtime_and_after_its_end() {
        let (own, mut answered) = answers(2);
        Answers::start().give(own);
        assert!(answered.iter_mut().all(|answered| answered.try_recv().is_ok()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let given = runtime.block_on(async { Answers::start() });
        drop(runtime);
        let (own, mut answered) = answers(2);
        given.give(own);
        assert!(answered.iter_mut().all(|answered| answered.try_recv().is_ok()));
    }
}
