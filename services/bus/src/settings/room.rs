//! Settings of one room, and patches that change one of them.

use barrage_protocol::attribute::{AttributeKey, AttributeRule, WriterRole};
use barrage_protocol::poll::Poll;
use barrage_protocol::reaction::ReactionName;
use barrage_protocol::speak::{ShieldBundle, SpeakRule, SpeakRules};
use barrage_protocol::state::{PinnedMessage, RoomState, StateSettings, Versioned};
use barrage_protocol::{MessageId, Sequence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::ChangeError;
use super::signal_mark::SignalMark;
use super::version::next_version;

/// Settings of one room, in force on all instances; a field absent in storage has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RoomSettings {
    /// Name of the room that pages show; may be empty.
    pub title: String,
    /// The room is closed: joins and posts are refused.
    pub closed: bool,
    /// Only moderators and above may chat; chat and free gifts of others are refused.
    pub mute_all: bool,
    /// Minimum seconds between two chats of one viewer; 0 turns slow mode off.
    pub slow_mode_secs: u32,
    /// Seconds by which viewers get the room's messages later than moderators; 0 for no delay.
    #[serde(skip_serializing_if = "is_zero")]
    pub moderation_delay_secs: u32,
    /// Start of the stream in Unix milliseconds: offsets into the stream count from here.
    pub stream_started_at_ms: u64,
    /// Announced pre-warms; those that are over may still be listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prewarms: Vec<Prewarm>,
    /// Message that moderators pinned; pages show it until it is unpinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<Box<PinnedMessage>>,
    /// Who may write which attributes; the longest prefix counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attribute_rules: Vec<AttributeRule>,
    /// Version of the last change of these settings; grows with each change.
    pub version: u64,
    /// Version of the last change of `pinned`.
    pub pinned_version: u64,
    /// Poll that runs now; a room has one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Box<Poll>>,
    /// Id of the last poll that was closed, so that late votes get the right refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_poll: Option<MessageId>,
    /// Version of the last change of `poll`.
    pub poll_version: u64,
    /// Rules for those who speak, as moderators set them. [`RoomSettings::speak_in_force`] adds the shield.
    #[serde(skip_serializing_if = "SpeakRules::is_open")]
    pub speak: SpeakRules,
    /// Shield of the room: whether it is up, and what it adds.
    #[serde(skip_serializing_if = "Shield::is_default")]
    pub shield: Shield,
    /// Reactions beside the like, in the order of their buttons; the platform's set when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactions: Option<Vec<ReactionName>>,
    /// How far the signals of the changes that viewers see have come.
    #[serde(skip_serializing_if = "SignalMark::is_default")]
    pub signals: SignalMark,
}

impl RoomSettings {
    /// Returns the rules for those who speak, with the shield's while it is up.
    #[must_use]
    pub fn speak_in_force(&self) -> SpeakRules {
        if self.shield.on { self.speak.stricter(self.shield.bundle().speak) } else { self.speak }
    }

    /// Returns the seconds of slow mode, with the shield's while it is up.
    #[must_use]
    pub fn slow_mode_in_force(&self) -> u32 {
        if self.shield.on {
            self.slow_mode_secs.max(self.shield.bundle().slow_mode_secs)
        } else {
            self.slow_mode_secs
        }
    }

    /// Returns the room's state as far as these settings have it: all but attributes.
    #[must_use]
    pub fn state(&self) -> RoomState {
        RoomState {
            settings: Some(Versioned::new(self.version, Some(self.shown()))),
            pinned: self.state_pinned(),
            poll: self.state_poll(),
            ..RoomState::default()
        }
    }

    /// Returns title and rules as viewers see them.
    fn shown(&self) -> StateSettings {
        StateSettings {
            title: self.title.clone(),
            closed: self.closed,
            mute_all: self.mute_all,
            slow_mode_secs: self.slow_mode_in_force(),
            moderation_delay_secs: self.moderation_delay_secs,
            speak: self.speak_in_force(),
            shield: self.shield.on,
            reactions: self.reactions.clone(),
            stream_started_at_ms: self.stream_started_at_ms,
        }
    }

    /// Returns the pinned message as a part of the room's state; `None` where none was ever pinned.
    #[must_use]
    pub fn state_pinned(&self) -> Option<Versioned<PinnedMessage>> {
        let was_changed = self.pinned_version > 0 || self.pinned.is_some();
        was_changed.then(|| Versioned::new(self.pinned_version, self.pinned.as_deref().cloned()))
    }

    /// Returns the running poll as a part of the room's state; `None` where none was ever opened.
    #[must_use]
    pub fn state_poll(&self) -> Option<Versioned<Poll>> {
        let was_changed = self.poll_version > 0 || self.poll.is_some();
        was_changed.then(|| Versioned::new(self.poll_version, self.poll.as_deref().cloned()))
    }

    /// Returns the least role that may write an attribute.
    #[must_use]
    pub fn attribute_writer(&self, key: &AttributeKey) -> WriterRole {
        let rules = self.attribute_rules.iter().filter(|rule| key.as_str().starts_with(&rule.prefix));
        rules.max_by_key(|rule| rule.prefix.len()).map(|rule| rule.role).unwrap_or_default()
    }

    /// Gives a change behind `before` its versions. Without a change the versions stay.
    pub(crate) fn versioned(mut self, before: Option<&RoomSettings>, now_ms: u64) -> RoomSettings {
        let versions = |it: &RoomSettings| (it.version, it.pinned_version, it.poll_version);
        let (version, pinned_version, poll_version) = before.map_or((0, 0, 0), versions);
        (self.version, self.pinned_version, self.poll_version) = (version, pinned_version, poll_version);
        self.signals = before.map_or_else(SignalMark::default, |it| it.signals);
        if before == Some(&self) {
            return self;
        }
        self.version = next_version(version, now_ms);
        if before.and_then(|it| it.pinned.as_ref()) != self.pinned.as_ref() {
            self.pinned_version = self.version;
        }
        if before.and_then(|it| it.poll.as_ref()) != self.poll.as_ref() {
            self.poll_version = self.version;
        }
        let parts = |it: &RoomSettings| (it.shown(), it.pinned_version, it.poll_version);
        if before.is_some_and(|before| parts(before) != parts(&self)) {
            self.signals = self.signals.with_change(self.version);
        }
        self
    }

    /// Notes that every change up to this version has a signal.
    pub(crate) fn signalled(self, up_to: u64) -> RoomSettings {
        RoomSettings { signals: self.signals.with_signals(up_to), ..self }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(secs: &u32) -> bool {
    *secs == 0
}

/// Shield of a room. The rules of the room stay as they are while the shield is up, so that lowering it
/// restores them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Shield {
    /// Whether the shield is up.
    pub on: bool,
    /// Rules that the room stored for the shield; the default bundle when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<ShieldBundle>,
}

impl Shield {
    /// Returns the rules that the shield adds while it is up.
    #[must_use]
    pub fn bundle(&self) -> ShieldBundle {
        self.stored.unwrap_or_default()
    }

    fn is_default(&self) -> bool {
        *self == Shield::default()
    }
}

/// An announcement of many viewers at a known time: the fleet is scaled out before they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prewarm {
    /// Expected arrival of the viewers in Unix milliseconds; identifies the pre-warm within its room.
    pub at_ms: u64,
    /// Expected stay in seconds, from `at_ms`; the pre-warm is over after it.
    pub lasts_secs: u64,
    /// Expected number of viewers, for which the fleet is scaled out.
    pub viewers: u64,
}

impl Prewarm {
    /// Returns whether the announced stay has ended.
    #[must_use]
    pub fn is_over(&self, now_ms: u64) -> bool {
        self.at_ms.saturating_add(self.lasts_secs.saturating_mul(1_000)) <= now_ms
    }
}

/// A change of one setting of a room. All but [`RoomPatch::Put`] and [`RoomPatch::Ensure`] need
/// an existing room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomPatch {
    /// Creates the room, or opens it when it was closed; sets the fields that are given.
    Put {
        /// New title; `None` keeps the old one.
        title: Option<String>,
        /// Start of the stream, Unix milliseconds; `None` keeps the old one, or takes the current
        /// time for a new room.
        stream_started_at_ms: Option<u64>,
    },
    /// Creates the room under this title; changes nothing when the room exists.
    Ensure {
        /// Title of a new room; an existing room keeps its own.
        title: String,
    },
    /// Turns [`RoomSettings::mute_all`] on or off for the whole room.
    MuteAll(bool),
    /// Sets [`RoomSettings::slow_mode_secs`], the pause between two chats of one viewer.
    SlowMode {
        /// Minimum seconds between two chats of one viewer; 0 turns slow mode off.
        secs: u32,
    },
    /// Sets [`RoomSettings::moderation_delay_secs`], by which viewers get messages later.
    ModerationDelay {
        /// Seconds of the delay; 0 turns it off.
        secs: u32,
    },
    /// Changes one of [`RoomSettings::speak`]; the other rules stay.
    Speak(SpeakRule),
    /// Raises or lowers the shield; the room's own rules stay.
    Shield {
        /// Whether the shield is up from now on.
        on: bool,
    },
    /// Stores the rules of the shield.
    ShieldBundle(ShieldBundle),
    /// Sets [`RoomSettings::reactions`]; `None` is the platform's set.
    Reactions(Option<Vec<ReactionName>>),
    /// Pins a message; it replaces the one that was pinned before.
    Pin(PinnedMessage),
    /// Removes the pinned message; changes nothing when there is none.
    Unpin {
        /// Removes the pinned message only when it is the one at this position.
        only: Option<Sequence>,
    },
    /// Replaces the rules that say who may write which attributes.
    AttributeRules(Vec<AttributeRule>),
    /// Opens a poll. Refused while another one runs; the same one again changes nothing.
    OpenPoll(Box<Poll>),
    /// Closes the poll with this id; changes nothing when it does not run.
    ClosePoll {
        /// [`Poll::id`] of the poll to close.
        id: MessageId,
    },
    /// Closes the room: joins and posts are refused from now on.
    Close,
    /// Adds a pre-warm, or replaces the one for the same time.
    SetPrewarm(Prewarm),
    /// Removes the pre-warm for this time; refused when there is none or it is over.
    CancelPrewarm {
        /// [`Prewarm::at_ms`] of the pre-warm to remove, Unix milliseconds.
        at_ms: u64,
    },
}

impl RoomPatch {
    /// Returns the room's settings after the patch; `room` is `None` for a room that does not exist.
    pub(crate) fn apply(
        &self,
        room: Option<&RoomSettings>,
        now_ms: u64,
    ) -> Result<RoomSettings, ChangeError> {
        let creates = matches!(self, RoomPatch::Put { .. } | RoomPatch::Ensure { .. });
        let mut after = match room {
            Some(room) => room.clone(),
            None if creates => RoomSettings { stream_started_at_ms: now_ms, ..RoomSettings::default() },
            None => return Err(ChangeError::UnknownRoom),
        };
        match self {
            RoomPatch::Put { title, stream_started_at_ms } => {
                after.title = title.clone().unwrap_or(after.title);
                after.stream_started_at_ms = stream_started_at_ms.unwrap_or(after.stream_started_at_ms);
                after.closed = false;
            }
            RoomPatch::Ensure { title } if room.is_none() => after.title.clone_from(title),
            RoomPatch::Ensure { .. } => {}
            RoomPatch::MuteAll(on) => after.mute_all = *on,
            RoomPatch::SlowMode { secs } => after.slow_mode_secs = *secs,
            RoomPatch::ModerationDelay { secs } => after.moderation_delay_secs = *secs,
            RoomPatch::Speak(rule) => after.speak = after.speak.with(*rule),
            RoomPatch::Shield { on } => after.shield.on = *on,
            RoomPatch::ShieldBundle(bundle) => after.shield.stored = Some(*bundle),
            RoomPatch::Reactions(names) => after.reactions.clone_from(names),
            RoomPatch::Pin(pinned) => after.pinned = Some(Box::new(pinned.clone())),
            RoomPatch::Unpin { only } => {
                after.pinned = after.pinned.filter(|pinned| only.is_some_and(|only| only != pinned.sequence));
            }
            RoomPatch::AttributeRules(rules) => after.attribute_rules.clone_from(rules),
            RoomPatch::OpenPoll(poll) => match &after.poll {
                Some(running) if running.id == poll.id => {}
                Some(_) => return Err(ChangeError::PollRunning),
                None => after.poll = Some(poll.clone()),
            },
            RoomPatch::ClosePoll { id } => {
                if after.poll.as_ref().is_some_and(|poll| poll.id == *id) {
                    after.closed_poll = after.poll.take().map(|poll| poll.id);
                }
            }
            RoomPatch::Close => after.closed = true,
            RoomPatch::SetPrewarm(prewarm) => {
                after.prewarms.retain(|known| known.at_ms != prewarm.at_ms && !known.is_over(now_ms));
                after.prewarms.push(*prewarm);
            }
            RoomPatch::CancelPrewarm { at_ms } => {
                after.prewarms.retain(|known| !known.is_over(now_ms));
                let count = after.prewarms.len();
                after.prewarms.retain(|known| known.at_ms != *at_ms);
                if after.prewarms.len() == count {
                    return Err(ChangeError::UnknownPrewarm);
                }
            }
        }
        Ok(after.versioned(room, now_ms))
    }
}
