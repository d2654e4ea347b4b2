//! The actions on a room and its users: settings, restrictions, recalls.

use std::sync::Arc;

use barrage_bus::{
    Bus, Change, Changed, RangeLimits, Restriction, RestrictionKind, RoomPatch, Settings, Topic,
};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, Sequence, UserId};
use barrage_store::{HistoryRange, Store};

use super::access::parse_room_id;
use super::signal::{Signal, signal_draft};

/// Milliseconds after which a client may try again when the store is away.
const STORE_RETRY_MS: u64 = 1_000;

/// Changes rooms on the bus and signals each change to viewers.
#[derive(Clone)]
pub(crate) struct RoomControl {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
}

/// The restriction in force after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restricted {
    /// End of the restriction: later than asked when a longer one was set before.
    pub(crate) until_ms: u64,
    /// Sequence of the signal that announced it.
    pub(crate) sequence: Sequence,
}

impl RoomControl {
    pub(crate) fn new(bus: Arc<dyn Bus>, store: Arc<dyn Store>) -> Self {
        RoomControl { bus, store }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.bus.settings().borrow().clone()
    }

    /// Parses the id of a room that exists.
    pub(crate) fn known_room(&self, text: &str) -> Result<RoomId, Refusal> {
        let id = parse_room_id(text)?;
        if self.settings().rooms.contains_key(&id) {
            return Ok(id);
        }
        Err(Refusal::new(Code::UnknownRoom, "there is no such room; PUT makes one"))
    }

    /// Changes the patched settings of a room; the others keep their values.
    pub(crate) async fn patch(&self, room: &RoomId, patch: RoomPatch) -> Result<Changed, Refusal> {
        Ok(self.bus.change(Change::Patch(room.clone(), patch)).await?)
    }

    /// Publishes a signal to the room's viewers, or to the devices of the user `to` alone.
    async fn signal(
        &self,
        room: &RoomId,
        signal: &Signal<'_>,
        to: Option<UserId>,
    ) -> Result<Sequence, Refusal> {
        let receipts = self.bus.publish(vec![signal_draft(room, signal, to)]).await?;
        Ok(receipts.first().map_or(Sequence::ZERO, |receipt| receipt.sequence))
    }

    /// Mutes all viewers of a room, or ends that.
    pub(crate) async fn mute_all(&self, room: &RoomId, on: bool) -> Result<Sequence, Refusal> {
        self.patch(room, RoomPatch::MuteAll(on)).await?;
        self.signal(room, &Signal::MuteAll { on }, None).await
    }

    /// Sets the seconds between two messages of one viewer; 0 ends slow mode.
    pub(crate) async fn slow_mode(&self, room: &RoomId, secs: u32) -> Result<Sequence, Refusal> {
        self.patch(room, RoomPatch::SlowMode { secs }).await?;
        self.signal(room, &Signal::SlowMode { secs }, None).await
    }

    /// Closes a room. The signal is published first, because gateways disconnect the viewers of a
    /// closed room.
    pub(crate) async fn close(&self, room: &RoomId) -> Result<Sequence, Refusal> {
        let sequence = self.signal(room, &Signal::Close, None).await?;
        self.patch(room, RoomPatch::Close).await?;
        Ok(sequence)
    }

    /// Recalls a message. The recall is a message of its own: viewers hide the named message, and
    /// the archiver hides it in the history.
    pub(crate) async fn recall(&self, room: &RoomId, sequence: Sequence) -> Result<Sequence, Refusal> {
        if !self.has_message(room, sequence).await? {
            let message = "this room has no message with that sequence, or it was recalled before";
            return Err(Refusal::new(Code::NotFound, message));
        }
        self.signal(room, &Signal::Recall { sequence }, None).await
    }

    /// Whether the room has this message, in the bus's retention or in the history.
    async fn has_message(&self, room: &RoomId, sequence: Sequence) -> Result<bool, Refusal> {
        let Some(after) = sequence.0.checked_sub(1).map(Sequence).filter(|_| sequence < Sequence::MAX) else {
            return Ok(false);
        };
        let limits = RangeLimits { chat_max: 1, precious_max: 1, ..RangeLimits::default() };
        let topic = Topic::Room(room.clone());
        let range = self.bus.range(&topic, after, Some(Sequence(sequence.0 + 1)), limits).await?;
        if range.messages.iter().any(|message| message.sequence == sequence) {
            return Ok(true);
        }
        let page = self.store.history(room, HistoryRange::After(after), 1).await.map_err(|error| {
            tracing::warn!(%error, "the history cannot be read");
            Refusal::new(Code::Unavailable, "the history cannot be read now").retry_after_ms(STORE_RETRY_MS)
        })?;
        Ok(page.messages.first().is_some_and(|message| message.sequence == sequence))
    }

    /// Mutes or removes a user.
    ///
    /// A mute is in force before the user's devices are notified. A kick is signalled to the whole
    /// room first, so that the user's own connections receive it before the gateways close them.
    pub(crate) async fn restrict(
        &self,
        room: &RoomId,
        user: &UserId,
        restriction: Restriction,
    ) -> Result<Restricted, Refusal> {
        match restriction.kind {
            RestrictionKind::Mute => {
                let until_ms = self.set_restriction(room, user, restriction).await?;
                let signal = Signal::Mute { user, until_ms };
                let sequence = self.signal(room, &signal, Some(user.clone())).await?;
                Ok(Restricted { until_ms, sequence })
            }
            RestrictionKind::Kick => {
                let settings = self.settings();
                let known = settings.restrictions.get(&(room.clone(), user.clone()));
                let known_ms = known.and_then(|known| known.kick_until_ms).unwrap_or(0);
                let signal = Signal::Kick { user, until_ms: restriction.until_ms.max(known_ms) };
                let sequence = self.signal(room, &signal, None).await?;
                let until_ms = self.set_restriction(room, user, restriction).await?;
                Ok(Restricted { until_ms, sequence })
            }
        }
    }

    async fn set_restriction(
        &self,
        room: &RoomId,
        user: &UserId,
        restriction: Restriction,
    ) -> Result<u64, Refusal> {
        let change = Change::Restrict { room: room.clone(), user: user.clone(), restriction };
        let changed = self.bus.change(change).await?;
        Ok(changed.restrictions().until_ms(restriction.kind, 0).unwrap_or(restriction.until_ms))
    }

    /// Lifts a restriction of one kind; a restriction of the other kind stays in force. The user's
    /// devices are notified when a mute ends.
    pub(crate) async fn lift(
        &self,
        room: &RoomId,
        user: &UserId,
        kind: RestrictionKind,
    ) -> Result<(), Refusal> {
        self.bus.change(Change::Lift { room: room.clone(), user: user.clone(), kind }).await?;
        if kind == RestrictionKind::Kick {
            return Ok(());
        }
        self.signal(room, &Signal::Unmute { user }, Some(user.clone())).await?;
        Ok(())
    }
}
