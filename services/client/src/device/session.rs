//! The task of a device: its connections one after the other, and the requests beside them.

use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_protocol::Code;
use barrage_protocol::code::{Advice, Refusal};
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::frame::{ClientFrame, ServerFrame};
use barrage_protocol::inbox::{InboxAnswer, InboxQuery};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::change::{DeviceEvent, InboxChange, KeptInbox, Parts};
use super::config::DeviceConfig;
use super::following::{Ended, Following, Gone, Turn, of, until};
use super::link::{self, DeviceLink, Found};
use super::questions::Questions;
use crate::error::{ConnectError, SendError};
use crate::heartbeat::{Action, Close, Keeper};
use crate::http::{HttpPool, from_ms};
use crate::inbox::{InboxBook, InboxNews, InboxStep};
use crate::link::Incoming;
use crate::sender::Letters;

/// Random spread of an immediate reconnect, because many devices may get the same order.
const NOW_SPREAD: Duration = Duration::from_millis(250);
/// Shortest connection that counts as a success and resets the backoff.
const STABLE: Duration = Duration::from_secs(5);
/// Mean time between two attempts to move: the queue of a full server is shorter by then.
const MOVE_AGAIN: Duration = Duration::from_secs(2);
/// Bounds of the backoff until entry has named others.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// An event, with the number of the last change up to it.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) number: u64,
    pub(super) event: DeviceEvent,
}

/// State of a device that outlives its connections.
pub(super) struct Session {
    config: Arc<DeviceConfig>,
    pool: HttpPool,
    letters: Letters,
    events: mpsc::Sender<Numbered>,
    written: watch::Receiver<u64>,
    /// Number of the last change.
    number: u64,
    /// Number of the change that has `cursor`: the cursor is presented once the program has written it.
    cursor_number: u64,
    cursor: Option<String>,
    book: Option<InboxBook>,
    questions: Questions,
    asking: Option<BoxFuture<'static, Result<InboxAnswer, SendError>>>,
    keeper: Keeper,
    backoff: Backoff,
    /// Endpoints of the last `reconnect` frame; used for one connect.
    named: Vec<Endpoint>,
}

impl Session {
    pub(super) fn new(
        mut config: DeviceConfig,
        pool: HttpPool,
        letters: Letters,
        events: mpsc::Sender<Numbered>,
        written: watch::Receiver<u64>,
    ) -> Self {
        let KeptInbox { place, conversations } = std::mem::take(&mut config.kept);
        let cursor = place.as_ref().and_then(|place| place.cursor.clone());
        let book = place.map(|place| {
            let rows = conversations.into_values().collect();
            InboxBook::kept(place.user, place.version, place.unread_direct, rows)
        });
        Session {
            keeper: Keeper::new(config.heartbeat.clone(), Instant::now()),
            config: Arc::new(config),
            pool,
            letters,
            events,
            written,
            number: 0,
            cursor_number: 0,
            cursor,
            book,
            questions: Questions::default(),
            asking: None,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            named: Vec::new(),
        }
    }

    pub(super) async fn run_until_closed(mut self) {
        self.keeper.load().await;
        // The session ends without an event only when the program has dropped the device.
        drop(self.run().await);
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let (code, message, named) = match self.open().await {
                Ok(link) => {
                    let ended = self.follow(link).await?;
                    if ended.is_stable {
                        self.backoff.reset();
                    }
                    let is_soon = ended.is_stable || !self.named.is_empty();
                    (ended.code, ended.message, is_soon.then_some(Duration::ZERO))
                }
                Err(ConnectError::Refused(refusal)) => {
                    (Some(refusal.code.close()), refusal.message, refusal.retry_after_ms.map(from_ms))
                }
                Err(error) => {
                    tracing::debug!(%error, "a connect to all endpoints failed");
                    (None, error.to_string(), None)
                }
            };
            let wait = match code.map_or(Advice::Backoff, Advice::of_close) {
                Advice::Never => return self.closed(code, message).await,
                Advice::Backoff => named.filter(|named| !named.is_zero()),
                Advice::Now | Advice::Named => named,
            };
            let spread = || NOW_SPREAD.mul_f64(rand::random());
            let wait = wait.map_or_else(|| self.backoff.next_wait(rand::random()), |wait| wait + spread());
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.emit(DeviceEvent::Reconnecting { wait_ms, code }).await?;
            tokio::time::sleep(wait).await;
        }
    }

    async fn open(&mut self) -> Result<DeviceLink, ConnectError> {
        let named = std::mem::take(&mut self.named);
        let found = link::open(self.pool.clone(), Arc::clone(&self.config), named).await?;
        self.placed(&found);
        Ok(found.link)
    }

    /// Takes what entry's answer says about this client.
    fn placed(&mut self, found: &Found) {
        if let Some(answer) = &found.answer {
            self.keeper.placed(answer);
            self.backoff.set_bounds(from_ms(answer.backoff_base_ms), from_ms(answer.backoff_max_ms));
        }
    }

    /// Follows a connection, and the connections that replace it, to the end.
    async fn follow(&mut self, link: DeviceLink) -> Result<Ended, Gone> {
        let opened_at = Instant::now();
        let mut following = Following { link, leave_at: None, successor: None };
        self.attached(&following.link).await?;
        loop {
            let beat_at = self.keeper.wake_at();
            let ask_at = self.questions.due_at().filter(|_| self.asking.is_none() && self.may_present());
            let may_read = !self.may_present();
            let Following { link, leave_at, successor } = &mut following;
            let turn = tokio::select! {
                incoming = link.incoming.recv() => self.receive(incoming, &mut following).await?,
                answer = of(&mut self.asking) => {
                    self.asking = None;
                    self.answered(answer).await?;
                    Turn::Stay
                }
                () = until(ask_at) => {
                    self.ask();
                    Turn::Stay
                }
                Ok(()) = self.written.changed(), if may_read => Turn::Stay,
                found = of(successor) => {
                    following.successor = None;
                    self.moved(found, &mut following)
                }
                () = until(*leave_at) => {
                    following.leave_at = None;
                    let named = std::mem::take(&mut self.named);
                    let opening = link::open(self.pool.clone(), Arc::clone(&self.config), named);
                    following.successor = Some(opening.boxed());
                    Turn::Stay
                }
                // Frames that wait to be read come first: the program is slow, not the server.
                () = until(Some(beat_at)), if link.incoming.is_empty() => match self.keeper.poll() {
                    Action::Wait => Turn::Stay,
                    Action::Ping(id) => {
                        link.send(ClientFrame::Ping { id });
                        Turn::Stay
                    }
                    Action::Dead => Turn::Over(None, "the server did not answer a heartbeat".into()),
                },
                () = self.events.closed() => return Err(Gone),
            };
            match turn {
                Turn::Stay => {}
                Turn::Move(link) => {
                    self.keeper.closed(Close::Orderly);
                    following = Following { link, leave_at: None, successor: None };
                    self.attached(&following.link).await?;
                }
                Turn::Over(code, message) => {
                    // The next connection asks anew.
                    self.asking = None;
                    return Ok(Ended { code, message, is_stable: opened_at.elapsed() >= STABLE });
                }
            }
        }
    }

    fn moved(&mut self, found: Result<Found, ConnectError>, following: &mut Following) -> Turn {
        match found {
            Ok(found) => {
                self.placed(&found);
                Turn::Move(found.link)
            }
            Err(error) => {
                tracing::debug!(%error, "a move to another endpoint failed");
                // This connection works until its deadline, so there is time for another attempt.
                let again = MOVE_AGAIN.mul_f64(rand::random_range(0.5..1.5));
                following.leave_at = Some(Instant::now() + again);
                Turn::Stay
            }
        }
    }

    async fn receive(&mut self, incoming: Option<Incoming>, following: &mut Following) -> Result<Turn, Gone> {
        match incoming {
            Some(Incoming::Frame(ServerFrame::Reconnect(reconnect))) => {
                if following.leave_at.is_none() && following.successor.is_none() {
                    following.leave_at = Some(Instant::now() + from_ms(reconnect.after_ms));
                    self.named = reconnect.endpoints;
                }
            }
            Some(Incoming::Frame(frame)) => self.take(frame).await?,
            Some(Incoming::Alive) => {}
            Some(Incoming::Closed { code, message, .. }) => {
                self.keeper.closed(if code.is_none() { Close::Failed } else { Close::Orderly });
                return Ok(self.replaced(following).await.unwrap_or(Turn::Over(code, message)));
            }
            None => return Ok(Turn::Over(None, "the connection ended".into())),
        }
        // After the frame was delivered: a slow program must not count as a silent server.
        self.keeper.received();
        Ok(Turn::Stay)
    }

    /// Waits for the connection of a move that has begun; `None` without one.
    async fn replaced(&mut self, following: &mut Following) -> Option<Turn> {
        let found = following.successor.take()?.await.ok()?;
        self.placed(&found);
        Some(Turn::Move(found.link))
    }

    async fn take(&mut self, frame: ServerFrame) -> Result<(), Gone> {
        match frame {
            ServerFrame::Mail(mail) => self.news(InboxNews::Mail(Box::new(mail))).await,
            ServerFrame::Bell(bell) => self.news(InboxNews::Bell(bell)).await,
            ServerFrame::Pong(pong) => {
                self.keeper.pong(&pong);
                self.keeper.store().await;
                Ok(())
            }
            ServerFrame::Error(refusal) => {
                tracing::debug!(code = refusal.code.label(), "the server refused a frame");
                Ok(())
            }
            // Frames of rooms, and answers to frames that a device does not send.
            _ => Ok(()),
        }
    }

    /// Takes an open connection. A book of another user is forgotten.
    async fn attached(&mut self, link: &DeviceLink) -> Result<(), Gone> {
        let terms = &link.terms;
        self.keeper.opened_with(Transport::Ws, terms.ping_interval_ms, terms.ping_interval_ms_max);
        self.keeper.store().await;
        if self.book.as_ref().is_none_or(|book| *book.user() != link.user) {
            self.book = Some(InboxBook::new(link.user.clone()));
            self.cursor = None;
        }
        self.emit(DeviceEvent::Attached { user: link.user.clone() }).await?;
        self.news(InboxNews::Attached).await
    }

    async fn news(&mut self, news: InboxNews) -> Result<(), Gone> {
        let Some(book) = &mut self.book else { return Ok(()) };
        let before = book.version();
        match (book.take(&news), &news) {
            (InboxStep::Ask { spread_ms }, _) => {
                self.questions.ask(spread_ms, Instant::now(), rand::random());
                Ok(())
            }
            (InboxStep::Taken, InboxNews::Mail(mail)) => {
                let is_new = mail.version.is_none_or(|version| version > before);
                let change = Parts::of_mail(mail, is_new).into_change(book, self.cursor.clone());
                self.change(change).await
            }
            (InboxStep::Taken, _) => Ok(()),
        }
    }

    /// Whether the program has written the change that has the cursor.
    fn may_present(&self) -> bool {
        *self.written.borrow() >= self.cursor_number
    }

    /// Asks for what the device lacks.
    fn ask(&mut self) {
        self.questions.began();
        let query = InboxQuery {
            cursor: self.cursor.clone(),
            top: Some(self.config.top),
            items: Some(self.config.items),
            ..InboxQuery::default()
        };
        let letters = self.letters.clone();
        self.asking = Some(async move { letters.sync(&query).await }.boxed());
    }

    async fn answered(&mut self, answer: Result<InboxAnswer, SendError>) -> Result<(), Gone> {
        let now = Instant::now();
        match answer {
            Ok(answer) => self.take_answer(answer, now).await,
            Err(SendError::Refused(refusal)) if refusal.code == Code::BadCursor => {
                self.cursor = None;
                self.questions.failed(None, now, rand::random());
                Ok(())
            }
            Err(SendError::Refused(Refusal { code, message, .. })) if !code.is_retryable() => {
                self.closed(Some(code.close()), message).await
            }
            Err(SendError::Refused(refusal)) => {
                self.questions.failed(refusal.retry_after_ms.map(from_ms), now, rand::random());
                Ok(())
            }
            Err(SendError::Deadline(error) | SendError::Config(error)) => {
                tracing::debug!(error, "the inbox was not answered");
                self.questions.failed(None, now, rand::random());
                Ok(())
            }
        }
    }

    async fn take_answer(&mut self, answer: InboxAnswer, now: Instant) -> Result<(), Gone> {
        let Some(book) = &mut self.book else { return Ok(()) };
        let (parts, has_more, cursor) = (Parts::of_answer(&answer), answer.more, answer.cursor.clone());
        match book.answered(answer) {
            InboxStep::Taken => self.questions.settled(),
            InboxStep::Ask { .. } if has_more => self.questions.continued(now),
            // Mail has overtaken the answer.
            InboxStep::Ask { .. } => self.questions.failed(None, now, rand::random()),
        }
        self.cursor = Some(cursor);
        let change = parts.into_change(book, self.cursor.clone());
        self.cursor_number = self.number + 1;
        self.change(change).await
    }

    async fn change(&mut self, change: InboxChange) -> Result<(), Gone> {
        self.number += 1;
        self.emit(DeviceEvent::Change(Box::new(change))).await
    }

    /// Tells the program that the device is at its end.
    async fn closed(&mut self, code: Option<u16>, message: String) -> Result<(), Gone> {
        self.emit(DeviceEvent::Closed { code, advice: Advice::Never, message }).await?;
        Err(Gone)
    }

    async fn emit(&mut self, event: DeviceEvent) -> Result<(), Gone> {
        self.events.send(Numbered { number: self.number, event }).await.map_err(|_| Gone)
    }
}
