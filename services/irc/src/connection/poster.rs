//! Makes the posts and actions of one connection, one after the other, so that they keep their order.

use std::sync::Arc;

use barrage_client::{HttpPool, SendError, Sender, SenderConfig};
use barrage_protocol::MessageId;
use barrage_protocol::action::ActionRequest;
use barrage_protocol::post::{Outcome, Post};
use tokio::sync::mpsc;

use crate::metrics::{self, IrcMetrics};
use crate::session::{Answered, Work, WorkResult, WorkTask};

/// Sender of one user, with the queue of work before it.
pub(super) struct Poster {
    pub(super) sender: Sender,
    pub(super) metrics: Arc<IrcMetrics>,
}

impl Poster {
    pub(super) fn new(
        entry_url: &str,
        token: &str,
        pool: &HttpPool,
        metrics: &Arc<IrcMetrics>,
    ) -> Result<Self, SendError> {
        let sender = Sender::with_pool(SenderConfig::through_entry(entry_url, token), pool)?;
        Ok(Poster { sender, metrics: Arc::clone(metrics) })
    }

    /// Makes all work of the queue until its connection is gone.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Work>, answers: mpsc::Sender<Answered>) {
        while let Some(work) = queue.recv().await {
            let result = self.make(&work).await;
            self.metrics.posted(match &result {
                Ok(Outcome::Held) => metrics::Outcome::Held,
                Ok(_) => metrics::Outcome::Accepted,
                Err(SendError::Refused(_)) => metrics::Outcome::Refused,
                Err(SendError::Deadline(_) | SendError::Config(_)) => metrics::Outcome::Failed,
            });
            if answers.send(Answered { work, result }).await.is_err() {
                return;
            }
        }
    }

    async fn make(&self, work: &Work) -> WorkResult {
        match &work.task {
            WorkTask::Chat { text } => {
                let post = Post::chat(work.id.clone(), text.clone());
                Ok(self.sender.send_until_refused(&work.room, &post).await?.outcome)
            }
            WorkTask::Act { actions, reason, .. } => {
                for (at, action) in actions.iter().enumerate() {
                    let id = MessageId::parse(&format!("{}.{at}", work.id)).unwrap_or(work.id.clone());
                    let request = ActionRequest { id, action: action.clone(), reason: reason.clone() };
                    match self.sender.act(&work.room, &request).await {
                        Ok(_) => {}
                        // The first action is the command itself; the others only add to it.
                        Err(error) if at > 0 => tracing::debug!(%error, "a further action was refused"),
                        Err(error) => return Err(error),
                    }
                }
                Ok(Outcome::Broadcast)
            }
        }
    }
}
