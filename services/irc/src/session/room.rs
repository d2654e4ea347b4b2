//! One room of a connection: its state, and its messages as lines.

use std::collections::VecDeque;

use barrage_protocol::frame::{BatchMessage, Hello};
use barrage_protocol::{RoomId, UserId};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::body::Body;
use super::identity::Identity;
use crate::wire::{ServerLine, channel, message_id, nick};

/// Messages that a room remembers, to name sender and text of a recalled one.
const RECENT_MAX: usize = 128;
/// A ban that lasts longer has no end for a reader.
const PERMANENT_SECS: u64 = 365 * 86_400;

/// A room that the client joined or wants to join.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) id: RoomId,
    pub(super) channel: String,
    /// Whether the viewer was admitted, and the client has seen its JOIN.
    pub(super) is_joined: bool,
    slow_secs: u32,
    is_muted: bool,
    /// Role of the own user in this room, above that of the token where it is greater.
    own_role: String,
    recent: VecDeque<Recent>,
}

#[derive(Debug)]
struct Recent {
    sequence: u64,
    nick: String,
    text: String,
}

/// What the lines of a message depend on beside the room.
pub(super) struct Reader<'a> {
    pub(super) identity: &'a Identity,
    /// Begin of the ids of posts of this connection.
    pub(super) own_ids: &'a str,
    /// Whether the client wants its own messages back.
    pub(super) echo: bool,
    pub(super) now_ms: u64,
}

impl Room {
    pub(super) fn new(id: RoomId, identity: &Identity) -> Self {
        let channel = channel(&id);
        Room {
            id,
            channel,
            is_joined: false,
            slow_secs: 0,
            is_muted: false,
            own_role: identity.role().to_owned(),
            recent: VecDeque::new(),
        }
    }

    /// Lines behind a join: the client's own JOIN, names, user state and room state.
    pub(super) fn joined(&mut self, identity: &Identity, hello: &Hello) -> Vec<ServerLine> {
        self.is_joined = true;
        let settings = hello.state.as_ref().and_then(|state| state.settings.as_ref()?.value.as_ref());
        if let Some(settings) = settings {
            (self.slow_secs, self.is_muted) = (settings.slow_mode_secs, settings.mute_all);
        }
        let me = identity.nick();
        let mut lines = vec![ServerLine::of_user(&me, "JOIN").param(&self.channel)];
        lines.extend(self.names(&me));
        lines.extend(self.user_state(identity));
        lines.push(self.room_state());
        lines
    }

    /// The list of names, which has the reader alone: the platform lists no viewers.
    pub(super) fn names(&self, me: &str) -> [ServerLine; 2] {
        [
            ServerLine::of_host(me, "353").param(me).param("=").param(&self.channel).text(me),
            ServerLine::of_host(me, "366").param(me).param(&self.channel).text("End of /NAMES list"),
        ]
    }

    pub(super) fn user_state(&self, identity: &Identity) -> Option<ServerLine> {
        identity.user()?;
        let line = ServerLine::of_server("USERSTATE").param(&self.channel).tag("badge-info", "");
        let line = line.tag("badges", badges(&self.own_role)).tag("color", "");
        let line = line.tag("display-name", identity.name()).tag("emote-sets", "0");
        Some(roles(line, &self.own_role))
    }

    fn room_state(&self) -> ServerLine {
        let line = ServerLine::of_server("ROOMSTATE").param(&self.channel);
        let line = line.tag("emote-only", 0).tag("followers-only", -1).tag("r9k", 0).tag("room-id", &self.id);
        line.tag("slow", self.slow_secs).tag("subs-only", u8::from(self.is_muted))
    }

    /// Returns a NOTICE to the channel with an id that programs read.
    pub(super) fn notice(&self, id: &str, text: &str) -> ServerLine {
        ServerLine::of_server("NOTICE").tag("msg-id", id).param(&self.channel).text(text)
    }

    /// Returns the lines of a message or a signal of the room.
    pub(super) fn message(&mut self, message: &BatchMessage, reader: &Reader<'_>) -> Vec<ServerLine> {
        let Ok(body) = serde_json::from_str::<Body>(message.body.get()) else { return Vec::new() };
        let sequence = message.sequence.0;
        match body.kind.as_str() {
            "chat" | "super_chat" => self.text(sequence, &body, reader).into_iter().collect(),
            "gift" => vec![self.gift(sequence, &body)],
            "signal" => self.signal(sequence, &body, reader),
            _ => Vec::new(),
        }
    }

    fn text(&mut self, sequence: u64, body: &Body, reader: &Reader<'_>) -> Option<ServerLine> {
        let nick = sender(&body.user);
        let is_own = reader.identity.user().is_some_and(|user| user.as_str() == body.user)
            && body.id.starts_with(reader.own_ids);
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Recent { sequence, nick: nick.clone(), text: body.text.clone() });
        if is_own && !reader.echo {
            return None;
        }
        // A picture may come without a text.
        let text = if body.text.is_empty() { "[picture]" } else { &body.text };
        let mut line = ServerLine::of_user(&nick, "PRIVMSG").param(&self.channel).text(text);
        if body.kind == "super_chat" {
            line = line.tag("bits", body.amount_minor);
            line = line.tag("pinned-chat-paid-amount", body.amount_minor);
            line = line.tag("pinned-chat-paid-currency", &body.currency);
        }
        if let Some(parent) = &body.reply_to {
            line = line.tag("reply-parent-display-name", &parent.name);
            line = line.tag("reply-parent-msg-id", message_id(parent.sequence));
            line = line.tag("reply-parent-user-id", &parent.user);
            line = line.tag("reply-parent-user-login", sender(&parent.user));
        }
        Some(self.of_sender(line, sequence, body).tag("first-msg", 0).tag("returning-chatter", 0))
    }

    fn gift(&self, sequence: u64, body: &Body) -> ServerLine {
        let gift = &body.gift;
        let says = format!("{} sends {} x {}", body.name, gift.count, gift.name);
        let line = ServerLine::of_server("USERNOTICE").param(&self.channel);
        let line = self.of_sender(line, sequence, body).tag("login", sender(&body.user));
        let line = line.tag("msg-id", "gift").tag("msg-param-gift-name", &gift.name);
        let line = line.tag("msg-param-gift-count", gift.count);
        line.tag("msg-param-price-minor", gift.price_minor.saturating_mul(gift.count)).tag("system-msg", says)
    }

    /// Adds the tags of a message and of its sender. The id is the position in the room's chain: `/delete`
    /// and recalls name it, and this process need not remember any other.
    fn of_sender(&self, line: ServerLine, sequence: u64, body: &Body) -> ServerLine {
        let line = line.tag("badge-info", "").tag("badges", body.badges(badges(&body.role)));
        let line = line.tag("color", body.color()).tag("display-name", &body.name);
        let line = line.tag("emotes", body.emotes());
        let line = line.tag("flags", "").tag("id", message_id(sequence)).tag("room-id", &self.id);
        let line = line.tag("tmi-sent-ts", body.at_ms).tag("user-id", &body.user);
        let line = line.tag("msgid", message_id(sequence)).tag("time", server_time(body.at_ms));
        roles(line, &body.role)
    }

    fn signal(&mut self, sequence: u64, body: &Body, reader: &Reader<'_>) -> Vec<ServerLine> {
        match body.signal.as_str() {
            // Rules for those who speak come with the slow mode that is in force with them.
            "speak" if body.slow_mode_secs == self.slow_secs => Vec::new(),
            "slow_mode" | "speak" => {
                self.slow_secs = body.secs.max(body.slow_mode_secs);
                let (id, text) = match self.slow_secs {
                    0 => ("slow_off", "This room is no longer in slow mode.".to_owned()),
                    secs => (
                        "slow_on",
                        format!("This room is now in slow mode. You may send messages every {secs} seconds."),
                    ),
                };
                vec![self.changed("slow", self.slow_secs), self.notice(id, &text)]
            }
            "mute_all" => {
                self.is_muted = body.on;
                let (id, text) = match body.on {
                    true => ("subs_on", "Only the host and moderators may talk in this room now."),
                    false => ("subs_off", "Everybody may talk in this room again."),
                };
                vec![self.changed("subs-only", u32::from(body.on)), self.notice(id, text)]
            }
            "recall" => vec![self.recalled(body.sequence, reader.now_ms)],
            "purge" => vec![self.cleared(&body.user, Some(1), reader.now_ms)],
            "kick" => {
                let secs = body.until_ms.saturating_sub(reader.now_ms).div_ceil(1_000).max(1);
                vec![self.cleared(&body.user, Some(secs), reader.now_ms)]
            }
            "clear" => {
                self.recent.clear();
                let line = ServerLine::of_server("CLEARCHAT").param(&self.channel).tag("room-id", &self.id);
                vec![line.tag("tmi-sent-ts", reader.now_ms)]
            }
            "announcement" => self.announcement(sequence, &body.text, reader.now_ms),
            "role" => self.role(body, reader),
            _ => Vec::new(),
        }
    }

    /// Returns the lines of a message to this user alone.
    pub(super) fn personal(&self, body: &str, reader: &Reader<'_>) -> Vec<ServerLine> {
        let Ok(body) = serde_json::from_str::<Body>(body) else { return Vec::new() };
        match body.signal.as_str() {
            "mute" => {
                let secs = body.until_ms.saturating_sub(reader.now_ms).div_ceil(1_000).max(1);
                let text = format!("You are timed out for {secs} more seconds.");
                vec![self.cleared(&body.user, Some(secs), reader.now_ms), self.notice("msg_timedout", &text)]
            }
            "unmute" => vec![self.notice("untimeout_success", "You may talk in this room again.")],
            "warn" => vec![self.notice("msg_warned", &format!("A moderator warns you: {}", body.text))],
            _ => Vec::new(),
        }
    }

    fn changed(&self, key: &'static str, value: u32) -> ServerLine {
        ServerLine::of_server("ROOMSTATE").param(&self.channel).tag("room-id", &self.id).tag(key, value)
    }

    fn recalled(&self, sequence: u64, now_ms: u64) -> ServerLine {
        let recent = self.recent.iter().find(|recent| recent.sequence == sequence);
        let (nick, text) = recent.map_or(("", ""), |recent| (&recent.nick, &recent.text));
        let line = ServerLine::of_server("CLEARMSG").param(&self.channel).text(text).tag("login", nick);
        line.tag("room-id", &self.id).tag("target-msg-id", message_id(sequence)).tag("tmi-sent-ts", now_ms)
    }

    /// Returns the line that hides the messages of a user. One second stands for a purge: without a time,
    /// clients show a ban.
    fn cleared(&self, user: &str, secs: Option<u64>, now_ms: u64) -> ServerLine {
        let line = ServerLine::of_server("CLEARCHAT").param(&self.channel).text(&sender(user));
        let line = match secs.filter(|secs| *secs < PERMANENT_SECS) {
            Some(secs) => line.tag("ban-duration", secs),
            None => line,
        };
        line.tag("room-id", &self.id).tag("target-user-id", user).tag("tmi-sent-ts", now_ms)
    }

    fn announcement(&self, sequence: u64, text: &str, now_ms: u64) -> Vec<ServerLine> {
        let line = ServerLine::of_server("USERNOTICE").param(&self.channel).text(text);
        let line = line.tag("badges", "").tag("color", "").tag("display-name", "").tag("emotes", "");
        let line =
            line.tag("id", message_id(sequence)).tag("login", "").tag("mod", 0).tag("msg-id", "announcement");
        let line = line.tag("msg-param-color", "PRIMARY").tag("room-id", &self.id).tag("system-msg", "");
        let plain = ServerLine::of_server("NOTICE").param(&self.channel).text(text).for_plain_clients();
        vec![line.tag("tmi-sent-ts", now_ms).tag("user-id", "").tag("user-type", ""), plain]
    }

    fn role(&mut self, body: &Body, reader: &Reader<'_>) -> Vec<ServerLine> {
        let mode = if matches!(body.role.as_str(), "moderator" | "host") { "+o" } else { "-o" };
        let line = ServerLine::bare(":jtv MODE").param(&self.channel).param(mode).param(&sender(&body.user));
        let mut lines = vec![line.for_membership()];
        if reader.identity.user().is_some_and(|user| user.as_str() == body.user) {
            let given = &body.role;
            let is_greater = rank(given) > rank(reader.identity.role());
            self.own_role = if is_greater { given } else { reader.identity.role() }.to_owned();
            lines.extend(self.user_state(reader.identity));
        }
        lines
    }
}

fn rank(role: &str) -> u8 {
    match role {
        "admin" => 3,
        "host" => 2,
        "moderator" => 1,
        _ => 0,
    }
}

fn badges(role: &str) -> &'static str {
    match role {
        "host" => "broadcaster/1",
        "moderator" => "moderator/1",
        "admin" => "staff/1",
        _ => "",
    }
}

fn roles(line: ServerLine, role: &str) -> ServerLine {
    let (is_mod, kind) = match role {
        "moderator" => (1, "mod"),
        "admin" => (1, "staff"),
        _ => (0, ""),
    };
    line.tag("mod", is_mod).tag("subscriber", 0).tag("turbo", 0).tag("user-type", kind)
}

/// Nick of a user id in a body; what is no user id is escaped by the line.
fn sender(user: &str) -> String {
    UserId::parse(user).map_or_else(|_| user.to_owned(), |user| nick(&user))
}

/// Time as the tag `time` has it; empty when it is out of range.
fn server_time(at_ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
