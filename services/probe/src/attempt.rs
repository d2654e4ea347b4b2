//! One examination: connects to a gateway, posts through an uplink, and waits for the message. One
//! attempt, without a retry.

use std::time::Duration;

use barrage_client::{DirectViewer, SendError, Sender, SenderConfig};
use barrage_protocol::frame::Batch;
use barrage_protocol::post::{Outcome, Post, PostAnswer};
use barrage_protocol::{MessageId, RoomId, Sequence};
use tokio::time::Instant;

use crate::phase::{Failure, Phase};
use crate::site::Site;

/// Longest wait for the `traced` frame of a delivered message. The gateway sends it behind the batch, for
/// the messages that it samples alone.
const TRACED_MAX: Duration = Duration::from_millis(200);

/// Side of an examination: a site with a token for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) site: &'a Site,
    pub(crate) token: &'a str,
}

/// One examination of a gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    /// Site that the viewer listens at, and the URL of the room at one of its gateways.
    pub(crate) at: Side<'a>,
    pub(crate) gateway_url: &'a str,
    /// Site that the message is posted at, and one of its uplinks.
    pub(crate) from: Side<'a>,
    pub(crate) uplink: &'a str,
    pub(crate) id: &'a MessageId,
    pub(crate) timeout: Duration,
    pub(crate) delay_max: Duration,
}

/// Times of the phases that were reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Time of TCP, TLS and upgrade.
    pub connect: Option<Duration>,
    /// Time from the upgrade to the hello.
    pub join: Option<Duration>,
    /// Time of the post.
    pub post: Option<Duration>,
    /// Time from the uplink's answer to the message.
    pub deliver: Option<Duration>,
    /// Time from the start of the post to the message.
    pub end_to_end: Option<Duration>,
}

impl Attempt<'_> {
    /// Examines the path. `times` has the phases that were reached, whatever the result is.
    pub(crate) async fn run(&self, times: &mut Times) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        let connecting = DirectViewer::connect(self.gateway_url, self.at.token, &self.at.site.pool);
        let mut viewer = self.timed(Phase::Connect, deadline, &mut times.connect, connecting).await?;
        self.timed(Phase::Join, deadline, &mut times.join, viewer.join()).await?;
        let (end_to_end, sampled) = self.deliver(&mut viewer, deadline, times).await?;
        if let Some(sequence) = sampled {
            // The path works without the acknowledgement, which shows in the trace alone.
            drop(tokio::time::timeout(TRACED_MAX, viewer.acknowledge(sequence)).await);
        }
        if end_to_end > self.delay_max {
            let (ms, max_ms) = (end_to_end.as_millis(), self.delay_max.as_millis());
            let reason =
                format!("delivered after {ms} ms, above the limit of {max_ms} ms (probe.delay_max_ms)");
            return Err(Failure::new(Phase::Deliver, reason));
        }
        Ok(())
    }

    /// Runs a phase to its end, and records its time.
    async fn timed<T, E: std::fmt::Display>(
        &self,
        phase: Phase,
        deadline: Instant,
        time: &mut Option<Duration>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        let done = tokio::time::timeout_at(deadline, work).await.map_err(|_| self.late(phase))?;
        let done = done.map_err(|error| Failure::new(phase, error))?;
        *time = Some(started.elapsed());
        Ok(done)
    }

    fn late(&self, phase: Phase) -> Failure {
        Failure::new(phase, format!("not done within {} ms (probe.timeout_ms)", self.timeout.as_millis()))
    }

    /// Posts, and waits for the answer and for the message, which may come first. Returns the time from
    /// the start of the post to the message, and the position of a message whose post was sampled.
    async fn deliver(
        &self,
        viewer: &mut DirectViewer,
        deadline: Instant,
        times: &mut Times,
    ) -> Result<(Duration, Option<Sequence>), Failure> {
        let sending =
            SenderConfig { deadline: self.timeout, attempt_timeout: self.timeout, ..self.sender_config() };
        let sender = Sender::with_pool(sending, &self.from.site.pool)
            .map_err(|error| Failure::new(Phase::Post, error))?;
        let post = Post::chat(self.id.clone(), "probe");
        let (room, started) = (RoomId::probe(), Instant::now());
        let mut posting = std::pin::pin!(sender.send_once(&room, &post));
        let (mut arrival, mut sampled) = (Arrival::new(self.id), None);
        loop {
            if let (Some(posted), Some(arrived)) = (times.post, arrival.at) {
                let end_to_end = arrived.duration_since(started);
                times.deliver = Some(end_to_end.saturating_sub(posted));
                times.end_to_end = Some(end_to_end);
                return Ok((end_to_end, sampled));
            }
            tokio::select! {
                answer = &mut posting, if times.post.is_none() => {
                    let (sequence, is_sampled) = accepted(answer)?;
                    arrival.posted(sequence);
                    sampled = is_sampled.then_some(sequence);
                    times.post = Some(started.elapsed());
                }
                batch = viewer.next_batch() => {
                    arrival.take(&batch.map_err(|error| Failure::new(Phase::Deliver, error))?);
                }
                () = tokio::time::sleep_until(deadline) => {
                    let phase = if times.post.is_none() { Phase::Post } else { Phase::Deliver };
                    return Err(self.late(phase));
                }
            }
        }
    }

    fn sender_config(&self) -> SenderConfig {
        SenderConfig::new(self.uplink, self.from.token)
    }
}

/// Returns the position of an accepted message, and whether its post was sampled.
fn accepted(answer: Result<PostAnswer, SendError>) -> Result<(Sequence, bool), Failure> {
    let answer = answer.map_err(|error| Failure::new(Phase::Post, error))?;
    match (answer.outcome, answer.sequence) {
        (Outcome::Broadcast | Outcome::Duplicate, Some(sequence)) => Ok((sequence, answer.trace.is_some())),
        _ => Err(Failure::new(Phase::Post, "the uplink accepted the message and did not publish it")),
    }
}

/// Arrival of one message, by its id. An overloaded gateway drops chat and reports the drop: a batch
/// that covers the message and reports drops shows that the path works.
struct Arrival {
    wanted: String,
    sequence: Option<Sequence>,
    dropped_up_to: Option<(Sequence, Instant)>,
    at: Option<Instant>,
}

impl Arrival {
    fn new(id: &MessageId) -> Self {
        Arrival { wanted: format!("\"id\":\"{id}\""), sequence: None, dropped_up_to: None, at: None }
    }

    fn posted(&mut self, sequence: Sequence) {
        self.sequence = Some(sequence);
        self.settle();
    }

    fn take(&mut self, batch: &Batch) {
        if batch.messages.iter().any(|message| message.body.get().contains(&self.wanted)) {
            self.at = self.at.or_else(|| Some(Instant::now()));
        } else if batch.left_out.chat > 0 {
            self.dropped_up_to = Some((batch.sequence, Instant::now()));
        }
        self.settle();
    }

    fn settle(&mut self) {
        if let (None, Some(sequence), Some((up_to, at))) = (self.at, self.sequence, self.dropped_up_to)
            && up_to >= sequence
        {
            self.at = Some(at);
        }
    }
}
