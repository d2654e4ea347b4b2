//! State of a viewer over its connections: position, chain, notices and backoff.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use barrage_backoff::Backoff;
use barrage_protocol::batch::Pulse;
use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, Transport};
use barrage_protocol::event::CustomEvent;
use barrage_protocol::frame::{Batch, ClientFrame, Notice, ServerFrame, Traced};
use barrage_protocol::state::RoomState;
use barrage_protocol::{Class, Code, Sequence};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::Visibility;
use crate::chain::{RoomChain, Step};
use crate::config::ViewerConfig;
use crate::connect::{self, Purpose, Round};
use crate::error::ConnectError;
use crate::event::Event;
use crate::heartbeat::{Action, Keeper, Network};
use crate::http::{HttpPool, from_ms};
use crate::inbox::InboxNews;
use crate::ladder::{Ladder, LadderAction, LadderEvent};
use crate::link::Link;
use crate::room_state;

/// Maximum notices remembered, so that none is delivered twice.
const NOTICES_MAX: usize = 256;
/// Random spread of an immediate reconnect, because a whole room may get the same order.
const NOW_SPREAD_MS: u64 = 250;
/// Consecutive `unknown_room` refusals that a viewer survives in a room that it has joined before: a
/// server that has just started may not know the room yet.
const UNKNOWN_MAX: u32 = 5;
/// Bounds of the backoff until entry has named others.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// State of a viewer that outlives its connections.
pub(super) struct Session {
    pub(super) pool: HttpPool,
    backoff: Backoff,
    pub(super) config: ViewerConfig,
    /// Position to resume after; `None` before the first hello.
    pub(super) position: Option<Sequence>,
    pub(super) chain: Option<RoomChain>,
    /// What is known of the transports on this network; its times count from `started`.
    pub(super) ladder: Ladder<Transport>,
    pub(super) started: Instant,
    /// Consecutive refusals with `unknown_room`; the viewer ends after `UNKNOWN_MAX`.
    unknown: u32,
    /// When to ping, and when the connection is dead.
    pub(super) keeper: Keeper,
    pub(super) signals: Signals,
    notices: VecDeque<Sequence>,
    pub(super) acks: Vec<Sequence>,
    /// Endpoints of the last `reconnect` frame; used for one connect.
    pub(super) named: Vec<Endpoint>,
    pub(super) events: mpsc::Sender<Event>,
    /// State of the room, from hellos and signals.
    state: watch::Sender<Arc<RoomState>>,
}

/// Reports of the program to its viewer.
pub(super) struct Signals {
    pub(super) network: watch::Receiver<Network>,
    pub(super) posted: Arc<Notify>,
    pub(super) visibility: watch::Receiver<Visibility>,
}

/// Error of a send to a caller that has dropped the viewer.
pub(super) struct Gone;

/// End of a connection, with its close code and message for the caller.
pub(super) struct Ended {
    pub(super) code: Option<u16>,
    pub(super) message: String,
    /// Whether the connection lasted long enough to count as a success.
    pub(super) is_stable: bool,
}

impl Session {
    pub(super) fn new(
        config: ViewerConfig,
        pool: HttpPool,
        events: mpsc::Sender<Event>,
        signals: Signals,
        state: watch::Sender<Arc<RoomState>>,
    ) -> Self {
        let started = Instant::now();
        Session {
            pool,
            backoff: Backoff::new(BACKOFF.0, BACKOFF.1),
            position: config.after,
            chain: None,
            ladder: Ladder::new(config.transports.clone(), config.ladder),
            started,
            keeper: Keeper::new(config.heartbeat.clone(), started),
            signals,
            unknown: 0,
            notices: VecDeque::new(),
            acks: Vec::new(),
            named: Vec::new(),
            config,
            events,
            state,
        }
    }

    pub(super) async fn run_until_closed(mut self) {
        self.keeper.load().await;
        // The session ends without an event only when the caller has dropped the viewer.
        drop(self.run().await);
    }

    async fn run(&mut self) -> Result<(), Gone> {
        loop {
            let ended = match self.open().await? {
                Ok(link) => {
                    self.unknown = 0;
                    self.follow(link).await?
                }
                Err(ConnectError::Refused(refusal)) => {
                    if refusal.code == Code::UnknownRoom && self.may_exist() {
                        self.unknown += 1;
                        self.wait(None, Some(refusal.code.close())).await?;
                        continue;
                    }
                    if refusal.code.advice() == Advice::Never {
                        return self.closed(Some(refusal.code.close()), refusal.message).await;
                    }
                    let wait = refusal.retry_after_ms.map(|ms| spread().saturating_add(from_ms(ms)));
                    self.wait(wait, Some(refusal.code.close())).await?;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "a connect to all endpoints failed");
                    self.wait(None, None).await?;
                    continue;
                }
            };
            if ended.is_stable {
                self.backoff.reset();
            }
            match ended.code.map_or(Advice::Backoff, Advice::of_close) {
                Advice::Never => return self.closed(ended.code, ended.message).await,
                // A server that orders an immediate reconnect after each short connection gets the
                // backoff.
                Advice::Now | Advice::Named if ended.is_stable || !self.named.is_empty() => {
                    self.wait(Some(spread()), ended.code).await?;
                }
                Advice::Now | Advice::Named | Advice::Backoff => self.wait(None, ended.code).await?,
            }
        }
    }

    /// Whether the room may exist although a server refused it as unknown.
    fn may_exist(&self) -> bool {
        self.chain.is_some() && self.unknown < UNKNOWN_MAX
    }

    /// Connects to a named endpoint if there is one, else through entry.
    async fn open(&mut self) -> Result<Result<Link, ConnectError>, Gone> {
        let named = std::mem::take(&mut self.named);
        let mut round = self.round();
        let to_named = connect::to_named(&self.pool, &self.config, &named, self.position, &mut round).await;
        self.learn(round.events);
        if let Some(link) = to_named {
            return Ok(Ok(link));
        }
        let answer = match connect::ask(&self.pool, &self.config, Purpose::Watch).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        self.keeper.placed(&answer);
        self.backoff.set_bounds(from_ms(answer.backoff_base_ms), from_ms(answer.backoff_max_ms));
        if let Some(wait) = connect::wait_for_slot(&answer) {
            let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.emit(Event::Waiting { ms }).await?;
            tokio::time::sleep(wait).await;
        }
        let mut round = self.round();
        let opened = connect::by_answer(&self.pool, &self.config, &answer, self.position, &mut round).await;
        self.learn(round.events);
        Ok(opened)
    }

    /// Begins a round over the transports from what is known of them.
    pub(super) fn round(&self) -> Round {
        Round::new(self.ladder.clone(), self.started)
    }

    /// Repeats the events of a round, or of a probe, on the ladder of the session.
    pub(super) fn learn(&mut self, events: Vec<(u64, LadderEvent<Transport>)>) {
        for (at_ms, event) in events {
            self.ladder.step(at_ms, rand::random(), event);
        }
    }

    /// Reports an event of now to the ladder.
    pub(super) fn step(&mut self, event: LadderEvent<Transport>) -> Vec<LadderAction<Transport>> {
        self.ladder.step(self.now_ms(), rand::random(), event)
    }

    /// Milliseconds since the start of the session.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn closed(&mut self, code: Option<u16>, message: String) -> Result<(), Gone> {
        self.emit(Event::Closed { code, advice: Advice::Never, message }).await
    }

    async fn wait(&mut self, named: Option<Duration>, code: Option<u16>) -> Result<(), Gone> {
        let wait = named.unwrap_or_else(|| self.backoff.next_wait(rand::random()));
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.emit(Event::Reconnecting { wait_ms, code }).await?;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // The cause of the wait may have gone with the old network.
            Ok(()) = self.signals.network.changed() => {
                self.change_network();
            }
        }
        Ok(())
    }

    /// Takes the network that the program reported last; returns what becomes of the connection.
    pub(super) fn change_network(&mut self) -> Action {
        let network = self.signals.network.borrow_and_update().clone();
        self.config.heartbeat.network = network.clone();
        self.step(LadderEvent::NetworkChanged);
        self.keeper.network_changed(network)
    }

    /// Sends a frame, and a ping with it where the server has been silent.
    pub(super) fn send(&mut self, frame: ClientFrame, link: &Link) {
        link.send(frame);
        if let Action::Ping(id) = self.keeper.sent() {
            link.send(ClientFrame::Ping { id });
        }
    }

    /// Sends whether the user sees what arrives, to a server that takes it.
    pub(super) fn send_visibility(&mut self, link: &Link) {
        let hidden = *self.signals.visibility.borrow_and_update() == Visibility::Hidden;
        if link.hello.visibility && link.transport == Transport::Ws {
            self.send(ClientFrame::Visibility { hidden }, link);
        }
    }

    async fn emit(&self, event: Event) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }

    pub(super) async fn hello(&mut self, link: &Link) -> Result<(), Gone> {
        self.keeper.opened(link.transport, &link.hello);
        self.take_state(link.hello.state.as_deref());
        self.keeper.store().await;
        let position = *self.position.get_or_insert(link.hello.sequence);
        match &mut self.chain {
            Some(chain) => {
                let newest = if link.hello.resume { link.hello.sequence } else { position };
                chain.resumed(newest, self.started.elapsed());
            }
            None => self.chain = Some(RoomChain::with_limits(position, self.config.hold)),
        }
        if self.config.traces && link.transport == Transport::Ws {
            self.send(ClientFrame::Traces {}, link);
        }
        if self.config.inbox && link.transport == Transport::Ws {
            self.send(ClientFrame::Attach { device: None, visible: false }, link);
        }
        // A connection begins as shown.
        if *self.signals.visibility.borrow_and_update() == Visibility::Hidden {
            self.send_visibility(link);
        }
        self.emit(Event::Hello(Box::new(link.hello.clone()), link.transport)).await
    }

    pub(super) async fn take(&mut self, frame: ServerFrame, link: &Link) -> Result<(), Gone> {
        match frame {
            ServerFrame::Batch(batch) => {
                self.take_state(batch.state.as_deref());
                if let Some(repair) = batch.repair {
                    self.emit(Event::Repaired { outcome: repair.outcome, skipped: repair.skipped }).await?;
                }
                let now = self.started.elapsed();
                let steps = self.chain.as_mut().map(|chain| chain.take(batch, now)).unwrap_or_default();
                self.steps(steps, link).await
            }
            ServerFrame::Notice(notice) => self.notice(notice).await,
            ServerFrame::Traced(Traced { sequence, .. }) => {
                // A client with a gap does not have the message yet.
                if self.position.is_some_and(|position| position >= sequence) {
                    self.send(ClientFrame::Traced { sequence }, link);
                }
                Ok(())
            }
            ServerFrame::Error(refusal) => {
                tracing::debug!(code = refusal.code.label(), "the server refused a frame");
                Ok(())
            }
            ServerFrame::Pong(pong) => {
                self.keeper.pong(&pong);
                self.keeper.store().await;
                Ok(())
            }
            ServerFrame::Attached(_) => self.emit(Event::Inbox(InboxNews::Attached)).await,
            ServerFrame::Mail(mail) => self.emit(Event::Inbox(InboxNews::Mail(Box::new(mail)))).await,
            ServerFrame::Bell(bell) => self.emit(Event::Inbox(InboxNews::Bell(bell))).await,
            ServerFrame::Hello(_) | ServerFrame::Reconnect(_) => Ok(()),
        }
    }

    pub(super) async fn steps(&mut self, steps: Vec<Step>, link: &Link) -> Result<(), Gone> {
        for step in steps {
            match step {
                Step::Deliver(batch) => self.deliver(batch).await?,
                Step::Ask { after, before } => self.send(ClientFrame::Repair { after, before }, link),
                Step::Lost { .. } => self.emit(Event::Lost).await?,
            }
        }
        self.position = self.chain.as_ref().map(RoomChain::position);
        Ok(())
    }

    async fn deliver(&mut self, batch: Batch) -> Result<(), Gone> {
        if batch.left_out.chat > 0 {
            self.emit(Event::LeftOut { chat: batch.left_out.chat }).await?;
        }
        for message in batch.messages {
            if message.class == Class::Signal {
                self.state.send_if_modified(|state| room_state::take_message(Arc::make_mut(state), &message));
            }
            let event = match CustomEvent::read(message.body.get()) {
                Some(event) => Event::Custom { sequence: message.sequence, event: Box::new(event) },
                None => Event::Message(message),
            };
            self.emit(event).await?;
        }
        match batch.pulse {
            Some(Pulse { likes, entries, online, reactions, polls, offered, shown }) => {
                self.emit(Event::Pulse { likes, entries, online, reactions, polls, offered, shown }).await
            }
            None => Ok(()),
        }
    }

    /// Takes what is newer of a whole state.
    fn take_state(&self, state: Option<&RoomState>) {
        if let Some(state) = state {
            self.state.send_if_modified(|known| Arc::make_mut(known).merge(state.clone()));
        }
    }

    async fn notice(&mut self, notice: Notice) -> Result<(), Gone> {
        self.acks.push(notice.sequence);
        if self.notices.contains(&notice.sequence) {
            return Ok(());
        }
        self.notices.push_back(notice.sequence);
        if self.notices.len() > NOTICES_MAX {
            self.notices.pop_front();
        }
        self.emit(Event::Notice(notice.body)).await
    }
}

/// Returns a random wait before an immediate reconnect.
fn spread() -> Duration {
    Duration::from_millis(rand::random_range(0..NOW_SPREAD_MS))
}
