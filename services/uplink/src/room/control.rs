//! The actions on a room and its users: settings, restrictions, recalls, pins, roles.

use std::sync::Arc;

use barrage_bus::{Bus, Change, Changed, Draft, EmoteWords, Hidden, RoomPatch, RoomSettings, Settings};
use barrage_protocol::action::RoomRole;
use barrage_protocol::attribute::AttributeRule;
use barrage_protocol::code::Refusal;
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::poll::{Poll, PollView};
use barrage_protocol::reaction::ReactionName;
use barrage_protocol::state::{PinnedMessage, RoomState, Versioned};
use barrage_protocol::{Class, Code, RoomId, Sequence, UserId};
use barrage_store::Store;
use barrage_token::Identity;

use super::access::parse_room_id;
use super::hidings::Hidings;
use super::message::{self, Found};
use super::role::remembered;
use super::signal::{Signal, SignalId, signal_draft};
use super::signalled::Signalled;

/// Changes rooms on the bus and signals each change to viewers.
#[derive(Clone)]
pub(crate) struct RoomControl {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    signal_id: Option<SignalId>,
    /// Signals of this process that the settings have not noted.
    signalled: Arc<Signalled>,
    /// Rooms in which this process hid messages lately.
    hidings: Arc<Hidings>,
}

impl RoomControl {
    pub(crate) fn new(bus: Arc<dyn Bus>, store: Arc<dyn Store>) -> Self {
        RoomControl { bus, store, signal_id: None, signalled: Arc::default(), hidings: Arc::default() }
    }

    pub(super) fn bus(&self) -> &dyn Bus {
        &*self.bus
    }

    pub(super) fn signalled(&self) -> &Signalled {
        &self.signalled
    }

    /// Returns the rooms in which this process hid messages lately, for pages that were read before.
    pub(crate) fn hidings(&self) -> &Arc<Hidings> {
        &self.hidings
    }

    /// Returns a control whose signals have no id.
    pub(super) fn without_id(&self) -> Self {
        RoomControl { signal_id: None, ..self.clone() }
    }

    /// Returns a control whose next signal has an id.
    pub(crate) fn under(&self, signal_id: SignalId) -> Self {
        RoomControl { signal_id: Some(signal_id), ..self.clone() }
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

    /// Parses the id of a known room, or the one of letters, in which a mute forbids letters and items of groups.
    pub(crate) fn known_room_or_letters(&self, text: &str) -> Result<RoomId, Refusal> {
        let letters = RoomId::letters();
        if text == letters.as_str() { Ok(letters) } else { self.known_room(text) }
    }

    /// Changes the patched settings of a room; the others keep their values.
    pub(crate) async fn patch(&self, room: &RoomId, patch: RoomPatch) -> Result<Changed, Refusal> {
        Ok(self.bus.change(Change::Patch(room.clone(), patch)).await?)
    }

    /// Publishes a signal to the room's viewers, or to the devices of the user `to` alone.
    pub(super) async fn signal(
        &self,
        room: &RoomId,
        signal: &Signal<'_>,
        to: Option<UserId>,
    ) -> Result<Sequence, Refusal> {
        self.publish(signal_draft(room, signal, None, to)).await
    }

    /// Publishes a signal with what it changes of the room's state.
    async fn signal_with(
        &self,
        room: &RoomId,
        signal: &Signal<'_>,
        state: &RoomState,
    ) -> Result<Sequence, Refusal> {
        self.publish(signal_draft(room, signal, Some(state), None)).await
    }

    /// Publishes the signal of a change of the room's state, and remembers that it was published.
    pub(super) async fn signal_change(
        &self,
        room: &RoomId,
        signal: &Signal<'_>,
        state: &RoomState,
        changed: &Changed,
    ) -> Result<Sequence, Refusal> {
        let sequence = self.signal_with(room, signal, state).await?;
        self.signalled.published(room, changed);
        Ok(sequence)
    }

    async fn publish(&self, mut draft: Draft) -> Result<Sequence, Refusal> {
        if let Some(SignalId { id, fingerprint }) = &self.signal_id {
            draft = Draft { id: Some(id.clone()), fingerprint: *fingerprint, ..draft };
        }
        let receipts = self.bus.publish(vec![draft]).await?;
        Ok(receipts.first().map_or(Sequence::ZERO, |receipt| receipt.sequence))
    }

    /// Creates or opens a room, or changes its title or the start of its stream. The signal follows the
    /// change, so that it has the start of the stream before it. Without an answer the room is there, and
    /// the signal may be missing.
    pub(crate) async fn put(
        &self,
        room: &RoomId,
        title: Option<String>,
        stream_started_at_ms: Option<u64>,
    ) -> Result<Changed, Refusal> {
        let was_open = self.settings().rooms.get(room).is_some_and(|before| !before.closed);
        let changed = self.patch(room, RoomPatch::Put { title, stream_started_at_ms }).await?;
        let after = changed.room();
        let signal = if was_open { Signal::State {} } else { Signal::Open { title: &after.title } };
        self.signal_change(room, &signal, &settings_part(&after), &changed).await?;
        Ok(changed)
    }

    /// Signals a part of the room's state that is durable.
    pub(crate) async fn state(&self, room: &RoomId, state: &RoomState) -> Result<Sequence, Refusal> {
        self.signal_with(room, &Signal::State {}, state).await
    }

    /// Signals a change of the room's state that is durable.
    pub(crate) async fn state_changed(
        &self,
        room: &RoomId,
        state: &RoomState,
        changed: &Changed,
    ) -> Result<Sequence, Refusal> {
        self.signal_change(room, &Signal::State {}, state, changed).await
    }

    /// Mutes all viewers of a room, or ends that.
    pub(crate) async fn mute_all(&self, room: &RoomId, on: bool) -> Result<Sequence, Refusal> {
        let changed = self.patch(room, RoomPatch::MuteAll(on)).await?;
        self.signal_change(room, &Signal::MuteAll { on }, &settings_part(&changed.room()), &changed).await
    }

    /// Sets the seconds between two messages of one viewer; 0 ends slow mode.
    pub(crate) async fn slow_mode(&self, room: &RoomId, secs: u32) -> Result<Sequence, Refusal> {
        let changed = self.patch(room, RoomPatch::SlowMode { secs }).await?;
        let secs = changed.room().slow_mode_in_force();
        self.signal_change(room, &Signal::SlowMode { secs }, &settings_part(&changed.room()), &changed).await
    }

    /// Sets the time by which viewers get the room's messages later; 0 ends the delay.
    pub(crate) async fn moderation_delay(&self, room: &RoomId, secs: u32) -> Result<Sequence, Refusal> {
        let changed = self.patch(room, RoomPatch::ModerationDelay { secs }).await?;
        let signal = Signal::ModerationDelay { secs };
        self.signal_change(room, &signal, &settings_part(&changed.room()), &changed).await
    }

    /// Sets the reactions of a room; `None` gives it the platform's set again.
    pub(crate) async fn reactions(
        &self,
        room: &RoomId,
        names: Option<&[ReactionName]>,
    ) -> Result<Sequence, Refusal> {
        let changed = self.patch(room, RoomPatch::Reactions(names.map(<[_]>::to_vec))).await?;
        self.signal_change(room, &Signal::Reactions { names }, &settings_part(&changed.room()), &changed)
            .await
    }

    /// Changes who may speak, and signals the rules that are in force then.
    pub(crate) async fn speak(&self, room: &RoomId, patch: RoomPatch) -> Result<Sequence, Refusal> {
        let changed = self.patch(room, patch).await?;
        let after = changed.room();
        let (rules, slow_mode_secs) = (after.speak_in_force(), after.slow_mode_in_force());
        let signal = Signal::Speak { rules, slow_mode_secs, shield: after.shield.on };
        self.signal_change(room, &signal, &settings_part(&after), &changed).await
    }

    /// Replaces the emotes of a room, if they are still the `expected` ones, and signals that there are
    /// others. The platform's set has no signal: pages load it when they open.
    pub(crate) async fn set_emotes(
        &self,
        room: Option<&RoomId>,
        set: EmoteSet,
        expected: Option<EmoteWords>,
    ) -> Result<(), Refusal> {
        self.bus.change(Change::Emotes { room: room.cloned(), set, expected }).await?;
        if let Some(room) = room {
            self.signal(room, &Signal::Emotes {}, None).await?;
        }
        Ok(())
    }

    /// Closes a room. The signal comes first, because gateways disconnect the viewers of a closed room.
    pub(crate) async fn close(&self, room: &RoomId) -> Result<Sequence, Refusal> {
        let sequence = self.signal(room, &Signal::Close, None).await?;
        let changed = self.patch(room, RoomPatch::Close).await?;
        self.signalled.published(room, &changed);
        Ok(sequence)
    }

    /// Recalls a message. The recall is a message of its own: viewers hide the named message, and
    /// the archiver hides it in the history. A recalled message is unpinned.
    pub(crate) async fn recall(&self, room: &RoomId, sequence: Sequence) -> Result<Sequence, Refusal> {
        let found = self.find(room, sequence).await?;
        let is_hidden = |pinned: &PinnedMessage| pinned.sequence == sequence;
        let signalled = self.signal_hiding(room, &Signal::Recall { sequence }, is_hidden).await?;
        if found.is_super_chat() {
            self.hide_super_chats(room, Hidden::Message(sequence), signalled).await?;
        }
        Ok(signalled)
    }

    /// Returns the message at this position.
    ///
    /// # Errors
    /// `not_found` where the room has none, or an older one was recalled before.
    pub(crate) async fn find(&self, room: &RoomId, sequence: Sequence) -> Result<Found, Refusal> {
        message::find(&*self.bus, &*self.store, room, sequence).await?.ok_or_else(no_message)
    }

    /// Hides all that a user wrote before the position of the signal: in the room, on every page, and
    /// in the history.
    pub(crate) async fn purge(&self, room: &RoomId, user: &UserId) -> Result<Sequence, Refusal> {
        let is_hidden = |pinned: &PinnedMessage| pinned.message["user"] == user.as_str();
        let signalled = self.signal_hiding(room, &Signal::Purge { user }, is_hidden).await?;
        self.hide_super_chats(room, Hidden::User(user.clone()), signalled).await?;
        Ok(signalled)
    }

    /// Hides all messages before the position of the signal.
    pub(crate) async fn clear(&self, room: &RoomId) -> Result<Sequence, Refusal> {
        let signalled = self.signal_hiding(room, &Signal::Clear {}, |_| true).await?;
        self.hide_super_chats(room, Hidden::All, signalled).await?;
        Ok(signalled)
    }

    /// Pins a message of a viewer or sender.
    ///
    /// # Errors
    /// `not_found` for a message that is hidden or gone, `bad_request` for a signal.
    pub(crate) async fn pin(&self, room: &RoomId, sequence: Sequence) -> Result<Sequence, Refusal> {
        let found = self.find(room, sequence).await?;
        if found.class == Class::Signal {
            return Err(Refusal::new(Code::BadRequest, "sequence: a signal cannot be pinned"));
        }
        if message::is_hidden(&*self.bus, room, sequence, &found).await? {
            return Err(no_message());
        }
        let pinned = PinnedMessage { sequence, message: found.body };
        let changed = self.patch(room, RoomPatch::Pin(pinned.clone())).await?;
        let signal = Signal::Pin { sequence, message: &pinned.message };
        self.signal_change(room, &signal, &pinned_part(&changed.room()), &changed).await
    }

    /// Removes the pinned message.
    pub(crate) async fn unpin(&self, room: &RoomId) -> Result<Sequence, Refusal> {
        let changed = self.patch(room, RoomPatch::Unpin { only: None }).await?;
        self.signal_change(room, &Signal::Unpin {}, &pinned_part(&changed.room()), &changed).await
    }

    /// Signals an action that hides messages. The pinned message is unpinned when it is one of them.
    async fn signal_hiding(
        &self,
        room: &RoomId,
        signal: &Signal<'_>,
        is_hidden: impl Fn(&PinnedMessage) -> bool,
    ) -> Result<Sequence, Refusal> {
        let settings = self.settings();
        let found = settings.rooms.get(room);
        let signalled = match found.and_then(|found| found.pinned.as_deref()) {
            Some(pinned) if is_hidden(pinned) => {
                let changed = self.patch(room, RoomPatch::Unpin { only: Some(pinned.sequence) }).await?;
                self.signal_change(room, signal, &pinned_part(&changed.room()), &changed).await
            }
            Some(_) => self.signal_with(room, signal, &RoomState::default()).await,
            // An interrupted action may have removed it without a signal.
            None => self.signal_with(room, signal, &found.map(pinned_part).unwrap_or_default()).await,
        };
        // Without an answer the signal may be on the bus.
        self.hidings.note(room, barrage_clock::now());
        signalled
    }

    /// Announces a text to the viewers of one room.
    pub(crate) async fn announce(&self, room: &RoomId, text: &str) -> Result<Sequence, Refusal> {
        self.signal(room, &Signal::Announcement { text }, None).await
    }

    /// Puts a poll into the room's settings, and signals that it takes votes.
    ///
    /// # Errors
    /// `conflict` while another poll runs.
    pub(crate) async fn open_poll(&self, room: &RoomId, poll: &Poll) -> Result<(), Refusal> {
        let changed = self.patch(room, RoomPatch::OpenPoll(Box::new(poll.clone()))).await?;
        let state = RoomState { poll: changed.room().state_poll(), ..RoomState::default() };
        self.signal(room, &Signal::PollOpen { poll, state }, None).await?;
        self.signalled.published(room, &changed);
        Ok(())
    }

    /// Signals the result of a poll, and takes the poll out of the settings. In this order: after a crash
    /// between the two, the poll is still there to be closed again. The version in the signal is at most
    /// that of the change, and both say that no poll runs.
    pub(crate) async fn close_poll(&self, room: &RoomId, poll: &PollView) -> Result<(), Refusal> {
        let settings = self.settings();
        let Some(found) = settings.rooms.get(room) else { return Ok(()) };
        if found.poll.as_ref().is_none_or(|running| running.id != poll.poll.id) {
            return Ok(());
        }
        let version = found.poll_version + 1;
        let state = RoomState { poll: Some(Versioned::new(version, None)), ..RoomState::default() };
        self.signal(room, &Signal::PollClose { poll, state }, None).await?;
        let changed = self.patch(room, RoomPatch::ClosePoll { id: poll.poll.id.clone() }).await?;
        self.signalled.published(room, &changed);
        Ok(())
    }

    /// Sends a warning to the devices of one user.
    pub(crate) async fn warn(&self, room: &RoomId, user: &UserId, text: &str) -> Result<(), Refusal> {
        self.signal(room, &Signal::Warn { user, text }, Some(user.clone())).await.map(drop)
    }

    /// Replaces the rules that say who may write which attributes. Viewers get no signal: the rules are
    /// no part of the room's state.
    pub(crate) async fn attribute_rules(
        &self,
        room: &RoomId,
        rules: &[AttributeRule],
    ) -> Result<(), Refusal> {
        self.patch(room, RoomPatch::AttributeRules(rules.to_vec())).await.map(drop)
    }

    /// Gives a user a role in the room, or takes it back with `Viewer`.
    pub(crate) async fn give_role(
        &self,
        room: &RoomId,
        user: &UserId,
        role: RoomRole,
    ) -> Result<Sequence, Refusal> {
        self.bus.change(Change::Role { room: room.clone(), user: user.clone(), role }).await?;
        self.signal(room, &Signal::Role { user, role }, None).await
    }

    /// Remembers the role of a token that is used in a room, so that moderators cannot act on its
    /// user. Changes nothing for a role that the room remembers. A failure is logged: the next use
    /// of the token tries again.
    pub(crate) async fn see_role(&self, room: &RoomId, by: &Identity) {
        let Some(role) = remembered(by.role) else { return };
        let settings = self.settings();
        if settings.roles.get(room).is_some_and(|roles| roles.has_seen(&by.user, role)) {
            return;
        }
        let change = Change::SeeRole { room: room.clone(), user: by.user.clone(), role };
        if let Err(error) = self.bus.change(change).await {
            tracing::debug!(%error, "the role of a token was not remembered");
        }
    }
}

/// Returns title and rules as a change of the room's state.
fn settings_part(room: &RoomSettings) -> RoomState {
    RoomState { settings: room.state().settings, ..RoomState::default() }
}

/// Returns the pinned message, or that there is none, as a change of the room's state.
fn pinned_part(room: &RoomSettings) -> RoomState {
    RoomState { pinned: room.state_pinned(), ..RoomState::default() }
}

fn no_message() -> Refusal {
    let message = "this room has no message with that sequence, or it was recalled before";
    Refusal::new(Code::NotFound, message)
}
