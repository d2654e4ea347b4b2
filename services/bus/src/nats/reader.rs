//! Reads of what the stream holds.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::{Duration, SystemTime};

use async_nats::header::{NATS_LAST_SEQUENCE, NATS_SEQUENCE, NATS_SUBJECT};
use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Info, LastRawMessageErrorKind, State, Stream};
use async_nats::{Client, HeaderMap, StatusCode, Subject, Subscriber};
use barrage_protocol::{Message, Sequence};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::Instant;

use super::envelope::{Envelope, number};
use super::link::Pauses;
use crate::bus::BusError;

/// Messages of one read; the answer must fit into a subscription's channel.
const PAGE_MESSAGES_MAX: usize = 512;

/// A page may take so many times as long as the wait for any of its messages.
const PAGE_TIMES_MAX: u32 = 4;

/// Status of the answer that ends a batch.
const END_OF_BATCH: u16 = 204;

/// One read's answer: positions in order, and the messages that could be understood.
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    /// The position that the read came to.
    pub(crate) reached: Sequence,
    /// Whether the stream held more behind it.
    pub(crate) more: bool,
}

/// Reads from one stream.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    client: Client,
    stream: Stream<()>,
    pages: Subject,
    timeout: Duration,
    page_messages_max: usize,
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
            pages: format!("$JS.API.DIRECT.GET.{stream}").into(),
            timeout,
            page_messages_max: PAGE_MESSAGES_MAX.min(channel / 2).max(1),
        })
    }

    /// What the stream holds now, as its leader knows.
    pub(crate) async fn state(&self) -> Result<State, BusError> {
        self.info().await.map(|info| info.state)
    }

    /// The stream as its leader knows it.
    pub(crate) async fn info(&self) -> Result<Info, BusError> {
        self.stream.get_info().await.map_err(|e| unavailable(&e))
    }

    /// The newest position of a subject; zero when nothing is kept. The answer comes
    /// from the stream's leader, and so after whatever this client subscribed before
    /// has reached it: what is stored later arrives there.
    pub(crate) async fn last(&self, subject: &str) -> Result<Sequence, BusError> {
        match self.stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Sequence(message.sequence)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => {
                Ok(Sequence::ZERO)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The envelope of the message at a position, unless it has left.
    pub(crate) async fn envelope(&self, sequence: Sequence) -> Result<Option<Envelope>, BusError> {
        match self.stream.get_raw_message(sequence.0).await {
            Ok(message) => Ok(Envelope::read(&message.headers)),
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Up to `limit` messages of a subject after a position. Any replica may answer,
    /// and may be a moment behind. An answer that ceases half-way counts as far as it came:
    /// where the servers have much to do, asking for the whole again would never end.
    pub(crate) async fn page(&self, subject: &str, after: Sequence, limit: usize) -> Result<Page, BusError> {
        #[derive(Serialize)]
        struct Ask<'a> {
            seq: u64,
            batch: usize,
            next_by_subj: &'a str,
        }
        let limit = limit.clamp(1, self.page_messages_max);
        let ask = Ask { seq: after.0 + 1, batch: limit, next_by_subj: subject };
        let mut answers = within(self.timeout, self.ask(&ask)).await?;
        let mut page = Page { messages: Vec::new(), reached: after, more: false };
        let deadline = Instant::now() + self.timeout * PAGE_TIMES_MAX;
        loop {
            let Answer { sequence, headers, payload } = match within(self.timeout, answers.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => break page.more = answers.more,
                Err(_) if page.reached > after => break page.more = true,
                Err(error) => return Err(error),
            };
            match Envelope::read(&headers) {
                Some(envelope) => page.messages.push(envelope.message(sequence, page.reached, payload)),
                None => tracing::warn!(%sequence, "the stream holds a message that nobody here wrote"),
            }
            page.reached = sequence;
            if Instant::now() > deadline {
                break page.more = true;
            }
        }
        Ok(page)
    }

    /// The newest positions of those subjects that have any, as some replica knows them.
    pub(crate) async fn lasts(&self, subjects: &[&str]) -> Result<HashMap<String, Sequence>, BusError> {
        #[derive(Serialize)]
        struct Ask<'a> {
            multi_last: &'a [&'a str],
        }
        let read = async {
            let mut lasts = HashMap::new();
            for some in subjects.chunks(self.page_messages_max) {
                let mut answers = self.ask(&Ask { multi_last: some }).await?;
                while let Some(Answer { sequence, headers, .. }) = answers.next().await? {
                    let subject = headers.get(NATS_SUBJECT).map(ToString::to_string);
                    lasts.insert(subject.unwrap_or_default(), sequence);
                }
            }
            Ok(lasts)
        };
        within(self.timeout, read).await
    }

    /// The first position that the stream still holds, as some replica knows; `None` when it
    /// is empty.
    pub(crate) async fn first(&self) -> Result<Option<Sequence>, BusError> {
        let reached = self.page(">", Sequence::ZERO, 1).await?.reached;
        Ok((reached > Sequence::ZERO).then_some(reached))
    }

    async fn ask(&self, question: &impl Serialize) -> Result<Answers, BusError> {
        let question = serde_json::to_vec(question).expect("a question is plain data");
        let inbox = Subject::from(self.client.new_inbox());
        let answers = self.client.subscribe(inbox.clone()).await.map_err(|e| unavailable(&e))?;
        let asked = self.client.publish_with_reply(self.pages.clone(), inbox, question.into()).await;
        asked.map_err(|e| unavailable(&e))?;
        Ok(Answers { answers, before: 0, more: false })
    }

    /// The first position of a subject that was stored since a moment.
    pub(crate) async fn first_since(
        &self,
        subject: &str,
        since: SystemTime,
    ) -> Result<Option<Sequence>, BusError> {
        #[derive(Serialize)]
        struct Ask<'a> {
            start_time: String,
            batch: usize,
            next_by_subj: &'a str,
        }
        let start_time = humantime::format_rfc3339_millis(since).to_string();
        let read = async {
            let mut answers = self.ask(&Ask { start_time, batch: 1, next_by_subj: subject }).await?;
            Ok(answers.next().await?.map(|answer| answer.sequence))
        };
        within(self.timeout, read).await
    }

    /// Hands over a subject's messages after a position in order, until the visitor
    /// breaks off or `last`, which the leader has named, is reached.
    pub(crate) async fn scan(
        &self,
        subject: &str,
        after: Sequence,
        last: Sequence,
        mut visit: impl FnMut(Message) -> ControlFlow<()>,
    ) -> Result<(), BusError> {
        let deadline = Instant::now() + self.timeout;
        let (mut reached, mut pauses) = (after, Pauses::new());
        while reached < last {
            let page = self.page(subject, reached, self.page_messages_max).await?;
            for message in page.messages {
                if visit(message).is_break() {
                    return Ok(());
                }
            }
            if page.reached > reached {
                reached = page.reached;
            } else if self.state().await.is_ok_and(|state| state.first_sequence > last.0) {
                // It has left the stream in the meantime.
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

/// One stored message of an answer.
struct Answer {
    sequence: Sequence,
    headers: HeaderMap,
    payload: Bytes,
}

/// The messages that answer one question, each naming the one before it.
struct Answers {
    answers: Subscriber,
    before: u64,
    /// Whether the stream held more behind them.
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

pub(crate) fn unavailable(error: &dyn std::error::Error) -> BusError {
    BusError::Unavailable(error.to_string())
}
