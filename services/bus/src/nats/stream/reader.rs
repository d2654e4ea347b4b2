//! Reads of the messages that a stream holds.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_nats::header::{NATS_LAST_SEQUENCE, NATS_MESSAGE_ID, NATS_SEQUENCE, NATS_SUBJECT};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Info, LastRawMessageErrorKind, State, Stream};
use async_nats::{Client, HeaderMap, StatusCode, Subject, Subscriber};
use barrage_protocol::{Message, Sequence};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::Instant;

use super::envelope::{Envelope, number};
use super::last::Last;
use crate::error::BusError;
use crate::log::Stored;
use crate::nats::connection::link::{Pauses, unavailable};
use crate::nats::stream::gate;

/// Maximum number of messages of one read; the answer must fit into a subscription's channel.
const READ_MESSAGES_MAX: usize = 512;

/// Longest time of a read, as a multiple of the longest wait for one of its messages.
const READ_TIMEOUTS_MAX: u32 = 4;

/// Status of the answer that ends a batch of direct reads.
const END_OF_BATCH: u16 = 204;

/// Answer to one read: the messages that could be parsed, in order.
pub(crate) struct ReadResult {
    pub(crate) messages: Vec<Stored>,
    /// Position in the stream of the last message that was read.
    pub(crate) reached: Sequence,
    /// The stream held more messages behind it.
    pub(crate) more: bool,
}

/// A direct read of a subject's messages, from a position on.
#[derive(Serialize)]
struct Query<'a> {
    seq: u64,
    batch: usize,
    next_by_subj: &'a str,
}

/// Reads from one stream, by direct reads that any replica answers or by requests to its leader.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    client: Client,
    stream: Stream<()>,
    queries: Subject,
    timeout: Duration,
    read_messages_max: usize,
}

impl Reader {
    pub(crate) async fn new(
        context: &Context,
        stream: &str,
        timeout: Duration,
        channel: usize,
    ) -> Result<Self, BusError> {
        Ok(Reader {
            client: context.client(),
            stream: context.get_stream_no_info(stream).await.map_err(|e| unavailable(&e))?,
            queries: format!("$JS.API.DIRECT.GET.{stream}").into(),
            timeout,
            read_messages_max: READ_MESSAGES_MAX.min(channel / 2).max(1),
        })
    }

    /// Returns the state of the stream, from its leader.
    pub(crate) async fn state(&self) -> Result<State, BusError> {
        self.info().await.map(|info| info.state)
    }

    /// Returns configuration and state of the stream, from its leader.
    pub(crate) async fn info(&self) -> Result<Info, BusError> {
        self.stream.get_info().await.map_err(|e| unavailable(&e))
    }

    /// Returns the newest message of a subject; the default when nothing is stored. The leader answers
    /// after earlier subscriptions of this client have reached it: messages that are stored later
    /// arrive on those.
    pub(crate) async fn last(&self, subject: &str) -> Result<Last, BusError> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Last::new(Sequence(message.sequence), &message.headers)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                Ok(Last::default())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Returns position and payload of the newest message of a subject, from the leader.
    pub(crate) async fn newest(&self, subject: &str) -> Result<Option<(Sequence, Bytes)>, BusError> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some((Sequence(message.sequence), message.payload))),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Finds a message of a subject by its id for deduplication, among those that were stored since a time.
    pub(crate) async fn find(
        &self,
        subject: &str,
        message_id: &str,
        since: SystemTime,
    ) -> Result<Option<(Sequence, Envelope)>, BusError> {
        let deadline = Instant::now() + self.timeout * READ_TIMEOUTS_MAX;
        let Some(mut from) = self.first_since(subject, since).await? else { return Ok(None) };
        while Instant::now() < deadline {
            let query = Query { seq: from.0, batch: self.read_messages_max, next_by_subj: subject };
            let mut answers = within(self.timeout, self.query(&query)).await?;
            while let Some(answer) = within(self.timeout, answers.next()).await? {
                if answer.headers.get(NATS_MESSAGE_ID).is_some_and(|id| id.as_str() == message_id) {
                    return Ok(Envelope::read(&answer.headers).map(|envelope| (answer.sequence, envelope)));
                }
                from = Sequence(answer.sequence.0 + 1);
            }
            if !answers.more {
                return Ok(None);
            }
        }
        Err(BusError::Unavailable("a message was not found in time".into()))
    }

    /// Returns the envelope of the message at a position; `None` when the message has left the stream.
    pub(crate) async fn envelope(&self, sequence: Sequence) -> Result<Option<Envelope>, BusError> {
        Ok(self.headers(sequence).await?.as_ref().and_then(Envelope::read))
    }

    /// Reads up to `limit` messages of a subject after a position. Any replica may answer, and may
    /// be a moment behind. An answer that ends half-way counts up to there: on busy servers,
    /// reading the whole again would never end.
    pub(crate) async fn read(
        &self,
        subject: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<ReadResult, BusError> {
        let limit = limit.clamp(1, self.read_messages_max);
        let query = Query { seq: after.0 + 1, batch: limit, next_by_subj: subject };
        let mut answers = within(self.timeout, self.query(&query)).await?;
        let mut read = ReadResult { messages: Vec::new(), reached: after, more: false };
        let deadline = Instant::now() + self.timeout * READ_TIMEOUTS_MAX;
        loop {
            let Answer { sequence, headers, payload } = match within(self.timeout, answers.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => break read.more = answers.more,
                Err(_) if read.reached > after => break read.more = true,
                Err(error) => return Err(error),
            };
            match Envelope::read(&headers) {
                Some(envelope) => {
                    let message = Arc::new(envelope.message(sequence, read.reached, payload));
                    read.messages.push(Stored { at: sequence, message });
                }
                None if headers.get(gate::HEADER).is_some() => {}
                None => tracing::warn!(%sequence, "the stream holds a message that Barrage did not write"),
            }
            read.reached = sequence;
            if Instant::now() > deadline {
                break read.more = true;
            }
        }
        Ok(read)
    }

    /// Reads up to `limit` messages of a subject from a position on, as the stream holds them. Any replica may
    /// answer, and may be a moment behind.
    pub(crate) async fn raw(
        &self,
        subject: &str,
        from: Sequence,
        limit: usize,
    ) -> Result<Vec<Answer>, BusError> {
        let batch = limit.clamp(1, self.read_messages_max);
        let query = Query { seq: from.0, batch, next_by_subj: subject };
        let mut answers = within(self.timeout, self.query(&query)).await?;
        let mut read = Vec::new();
        loop {
            match within(self.timeout, answers.next()).await {
                Ok(Some(answer)) => read.push(answer),
                Ok(None) => return Ok(read),
                Err(_) if !read.is_empty() => return Ok(read),
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the headers of the message at a position; `None` when the message has left the stream.
    pub(crate) async fn headers(&self, sequence: Sequence) -> Result<Option<HeaderMap>, BusError> {
        match self.stream.get_raw_message(sequence.0).await {
            Ok(message) => Ok(Some(message.headers)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Returns the newest message of each subject that has some, from any replica.
    pub(crate) async fn lasts(&self, subjects: &[&str]) -> Result<HashMap<String, Last>, BusError> {
        #[derive(Serialize)]
        struct Lasts<'a> {
            multi_last: &'a [&'a str],
        }
        let read = async {
            let mut lasts = HashMap::new();
            for some in subjects.chunks(self.read_messages_max) {
                let mut answers = self.query(&Lasts { multi_last: some }).await?;
                while let Some(Answer { sequence, headers, .. }) = answers.next().await? {
                    let subject = headers.get(NATS_SUBJECT).map(ToString::to_string);
                    lasts.insert(subject.unwrap_or_default(), Last::new(sequence, &headers));
                }
            }
            Ok(lasts)
        };
        within(self.timeout, read).await
    }

    /// Returns the first position that the stream still holds, from any replica; `None` when it is
    /// empty.
    pub(crate) async fn first(&self) -> Result<Option<Sequence>, BusError> {
        let reached = self.read(">", Sequence::ZERO, 1).await?.reached;
        Ok((reached > Sequence::ZERO).then_some(reached))
    }

    async fn query(&self, query: &impl Serialize) -> Result<Answers, BusError> {
        let query = serde_json::to_vec(query).expect("a query is plain data");
        let inbox = Subject::from(self.client.new_inbox());
        let answers = self.client.subscribe(inbox.clone()).await.map_err(|e| unavailable(&e))?;
        let sent = self.client.publish_with_reply(self.queries.clone(), inbox, query.into()).await;
        sent.map_err(|e| unavailable(&e))?;
        Ok(Answers { answers, before: 0, more: false })
    }

    /// Returns the first position of a subject that was stored since a time.
    pub(crate) async fn first_since(
        &self,
        subject: &str,
        since: SystemTime,
    ) -> Result<Option<Sequence>, BusError> {
        #[derive(Serialize)]
        struct Since<'a> {
            start_time: String,
            batch: usize,
            next_by_subj: &'a str,
        }
        let start_time = humantime::format_rfc3339_millis(since).to_string();
        let read = async {
            let mut answers = self.query(&Since { start_time, batch: 1, next_by_subj: subject }).await?;
            Ok(answers.next().await?.map(|answer| answer.sequence))
        };
        within(self.timeout, read).await
    }

    /// Passes a subject's messages after a position of the stream to `visit` in order, until it breaks or
    /// `last`, a position that the leader has named, is reached.
    pub(crate) async fn scan(
        &self,
        subject: &str,
        after: Sequence,
        last: Sequence,
        mut visit: impl FnMut(Arc<Message>) -> ControlFlow<()>,
    ) -> Result<(), BusError> {
        let deadline = Instant::now() + self.timeout;
        let (mut reached, mut pauses) = (after, Pauses::new());
        while reached < last {
            let read = self.read(subject, reached, self.read_messages_max).await?;
            for stored in read.messages {
                if visit(stored.message).is_break() {
                    return Ok(());
                }
            }
            if read.reached > reached {
                reached = read.reached;
            } else if self.state().await.is_ok_and(|state| state.first_sequence > last.0) {
                // The message at `last` has left the stream in the meantime.
                return Ok(());
            } else if Instant::now() > deadline {
                return Err(BusError::Unavailable("a replica stays behind".into()));
            } else {
                pauses.pause().await;
            }
        }
        Ok(())
    }
}

/// A message as the stream holds it.
pub(crate) struct Answer {
    pub(crate) sequence: Sequence,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

/// The messages that answer one query; each names the one before it.
struct Answers {
    answers: Subscriber,
    before: u64,
    /// The stream held more messages behind them.
    more: bool,
}

impl Answers {
    async fn next(&mut self) -> Result<Option<Answer>, BusError> {
        let Some(answer) = self.answers.next().await else {
            return Err(BusError::Unavailable("the client has stopped".into()));
        };
        let headers = answer.headers.unwrap_or_default();
        if answer.status == Some(StatusCode::NOT_FOUND) {
            return Ok(None);
        }
        if number(&headers, NATS_LAST_SEQUENCE) != Some(self.before) {
            return Err(BusError::Unavailable("an answer was lost on the way".into()));
        }
        match answer.status.map(|status| status.as_u16()) {
            None => {}
            Some(END_OF_BATCH) => {
                self.more = number(&headers, "Nats-Num-Pending").is_some_and(|pending| pending > 0);
                return Ok(None);
            }
            Some(status) => return Err(BusError::Unavailable(format!("a read was answered {status}"))),
        }
        self.before = number(&headers, NATS_SEQUENCE).unwrap_or_default();
        Ok(Some(Answer { sequence: Sequence(self.before), headers, payload: answer.payload }))
    }
}

async fn within<T>(time: Duration, read: impl Future<Output = Result<T, BusError>>) -> Result<T, BusError> {
    let timed = tokio::time::timeout(time, read).await;
    timed.unwrap_or_else(|_| Err(BusError::Unavailable("a read got no answer in time".into())))
}
