//! State machine of one connection.

use std::collections::BTreeMap;

use barrage_client::Event;
use barrage_protocol::{Code, MessageId, RoomId};

use super::answer::Answered;
use super::command::Said;
use super::effect::{CloseCause, Effect, Work, WorkTask};
use super::identity::Identity;
use super::login::{self, Login};
use super::room::{Reader, Room};
use crate::wire::{Capabilities, ClientLine, SERVER, ServerLine, channel, room_of_channel};

/// A connection: its login, its capabilities and its rooms.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) capabilities: Capabilities,
    login: Login,
    identity: Option<Identity>,
    rooms: BTreeMap<RoomId, Room>,
    rooms_max: usize,
    /// Begin of the ids of posts and actions; random, so that no other connection has it.
    own_ids: String,
    posts: u64,
}

impl Session {
    /// A connection that has sent nothing. `own_ids` begins the ids of its posts.
    pub(crate) fn new(own_ids: String, rooms_max: usize) -> Self {
        Session {
            capabilities: Capabilities::default(),
            login: Login::default(),
            identity: None,
            rooms: BTreeMap::new(),
            rooms_max,
            own_ids,
            posts: 0,
        }
    }

    /// Identity of the client; `None` before its login.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Takes a line of the client.
    pub(crate) fn line(&mut self, line: &ClientLine, now_ms: u64) -> Vec<Effect> {
        match line.command.as_str() {
            "CAP" => return self.cap(line, now_ms),
            // Without a prefix: clients of the format read no other answer.
            "PING" => return send(ServerLine::bare("PONG").param(SERVER).text(line.param(0))),
            "PONG" => return Vec::new(),
            "QUIT" => return vec![Effect::Close(CloseCause::Client)],
            _ => {}
        }
        let Some(identity) = self.identity.clone() else {
            return match self.login.take(line, now_ms) {
                Ok(identity) => self.logged_in(identity),
                Err(effects) => effects,
            };
        };
        let me = identity.nick();
        let numeric = |number: &str| ServerLine::of_server(number).param(&me);
        match line.command.as_str() {
            "JOIN" => line.param(0).split(',').flat_map(|name| self.join(name, &identity)).collect(),
            "PART" => line.param(0).split(',').flat_map(|name| self.part(name, &me)).collect(),
            "PRIVMSG" => self.said(line.param(0), line.param(1), &identity),
            "NAMES" => match self.room(line.param(0)) {
                Some(room) => room.names(&me).into_iter().map(Effect::Send).collect(),
                None => send(numeric("366").param(line.param(0)).text("End of /NAMES list")),
            },
            "MODE" if line.params.len() == 1 => send(numeric("324").param(line.param(0)).param("+")),
            "MODE" => Vec::new(),
            "TOPIC" => send(numeric("331").param(line.param(0)).text("No topic is set")),
            "WHO" => send(numeric("315").param(line.param(0)).text("End of WHO list")),
            "WHOIS" => send(numeric("318").param(line.param(0)).text("End of /WHOIS list")),
            "LIST" => send(numeric("323").text("End of /LIST")),
            "PASS" | "USER" => send(numeric("462").text("You may not reregister")),
            // The token decides the nick. Messages of IRC to a user, and their refusals, do not exist here.
            "NICK" | "NOTICE" | "AWAY" | "TAGMSG" => Vec::new(),
            other => {
                let command: String = other.chars().take(30).collect();
                send(numeric("421").param(&command).text("Unknown command"))
            }
        }
    }

    fn logged_in(&mut self, identity: Option<Identity>) -> Vec<Effect> {
        let Some(identity) = identity else { return Vec::new() };
        let lines = login::welcome(&identity, self.capabilities);
        self.identity = Some(identity);
        lines.into_iter().map(Effect::Send).collect()
    }

    fn cap(&mut self, line: &ClientLine, now_ms: u64) -> Vec<Effect> {
        let me = self.identity.as_ref().map_or("*".to_owned(), Identity::nick);
        let answer =
            |kind: &str, text: &str| send(ServerLine::of_server("CAP").param(&me).param(kind).text(text));
        match line.param(0).to_ascii_uppercase().as_str() {
            "LS" => {
                self.login.negotiating(self.identity.is_none());
                answer("LS", &Capabilities::all())
            }
            "LIST" => answer("LIST", &self.capabilities.in_force()),
            "REQ" => match self.capabilities.requested(line.param(1)) {
                Ok(capabilities) => {
                    self.capabilities = capabilities;
                    answer("ACK", line.param(1))
                }
                Err(_) => answer("NAK", line.param(1)),
            },
            "END" if self.identity.is_none() => {
                self.login.negotiating(false);
                match self.login.complete(now_ms) {
                    Ok(identity) => self.logged_in(identity),
                    Err(effects) => effects,
                }
            }
            _ => Vec::new(),
        }
    }

    fn room(&self, channel: &str) -> Option<&Room> {
        self.rooms.get(&room_of_channel(channel)?).filter(|room| room.is_joined)
    }

    fn join(&mut self, name: &str, identity: &Identity) -> Vec<Effect> {
        let me = identity.nick();
        let refuse =
            |number: &str, text: &str| send(ServerLine::of_server(number).param(&me).param(name).text(text));
        let Some(id) = room_of_channel(name) else {
            return match name {
                // Part of RFC 2812: leave all channels.
                "0" => self
                    .rooms
                    .keys()
                    .map(channel)
                    .collect::<Vec<_>>()
                    .iter()
                    .flat_map(|name| self.part(name, &me))
                    .collect(),
                _ => refuse("403", "No such channel"),
            };
        };
        if self.rooms.contains_key(&id) {
            return Vec::new();
        }
        if self.rooms.len() >= self.rooms_max {
            return refuse("405", &format!("You have joined {} rooms, which is the limit", self.rooms_max));
        }
        self.rooms.insert(id.clone(), Room::new(id.clone(), identity));
        vec![Effect::Join(id)]
    }

    fn part(&mut self, name: &str, me: &str) -> Vec<Effect> {
        let room = room_of_channel(name).and_then(|id| self.rooms.remove(&id));
        let Some(room) = room else {
            return send(
                ServerLine::of_server("442").param(me).param(name).text("You're not on that channel"),
            );
        };
        let line = ServerLine::of_user(me, "PART").param(&room.channel);
        let seen = room.is_joined.then_some(Effect::Send(line));
        [Effect::Part(room.id)].into_iter().chain(seen).collect()
    }

    /// Takes a message of the client: a post, or a command of a moderator.
    fn said(&mut self, to: &str, text: &str, identity: &Identity) -> Vec<Effect> {
        let me = identity.nick();
        // A client may write behind its JOIN at once: the uplink decides, not the viewer's state.
        let Some(room) = room_of_channel(to).and_then(|id| self.rooms.get(&id)) else {
            return send(
                ServerLine::of_server("404")
                    .param(&me)
                    .param(to)
                    .text("Cannot send to channel: join it first"),
            );
        };
        if identity.user().is_none() {
            return send(room.notice("msg_requires_login", "You read without a token, and cannot send."));
        }
        let task = match Said::parse(text) {
            Said::Text(text) => WorkTask::Chat { text },
            Said::Act { verb, actions, reason } => WorkTask::Act { verb, actions, reason },
            Said::Usage(verb) => {
                return send(
                    room.notice(&format!("usage_{}", verb.label()), &format!("Usage: {}", verb.usage())),
                );
            }
            Said::Unknown(name) => {
                return send(room.notice("unrecognized_cmd", &format!("Unrecognized command: /{name}")));
            }
        };
        let room = room.id.clone();
        self.posts += 1;
        let Ok(id) = MessageId::parse(&format!("{}{}", self.own_ids, self.posts)) else { return Vec::new() };
        vec![Effect::Work(Work { room, id, task })]
    }

    /// Returns the line for work that found no place behind the work that waits.
    pub(crate) fn refused_work(&self, work: &Work) -> Vec<Effect> {
        let text = "Your message was not sent because earlier ones wait for their answers.";
        self.rooms
            .get(&work.room)
            .map(|room| Effect::Send(room.notice("msg_ratelimit", text)))
            .into_iter()
            .collect()
    }

    /// Takes the answer to work of this connection.
    pub(crate) fn answered(&self, answered: &Answered) -> Vec<Effect> {
        match (self.rooms.get(answered.room()), &self.identity) {
            (Some(room), Some(identity)) => answered.effects(room, identity),
            _ => Vec::new(),
        }
    }

    /// Takes an event of the viewer of a room.
    pub(crate) fn event(&mut self, id: &RoomId, event: &Event, now_ms: u64) -> Vec<Effect> {
        let Some(identity) = &self.identity else { return Vec::new() };
        let Some(room) = self.rooms.get_mut(id) else { return Vec::new() };
        let reader = Reader { identity, own_ids: &self.own_ids, echo: self.capabilities.echo, now_ms };
        let lines = match event {
            // A reconnect of the viewer is no event for the client.
            Event::Hello(..) if room.is_joined => Vec::new(),
            Event::Hello(hello, _) => room.joined(identity, hello),
            Event::Message(message) => room.message(message, &reader),
            Event::Notice(body) => room.personal(body.get(), &reader),
            Event::Closed { code, message, .. } => return self.ended(id, *code, message),
            // IRC has no line for events of a customer's own.
            Event::Custom { .. }
            | Event::LeftOut { .. }
            | Event::Inbox(_)
            | Event::Pulse { .. }
            | Event::Repaired { .. }
            | Event::Lost
            | Event::Waiting { .. }
            | Event::Reconnecting { .. } => Vec::new(),
        };
        lines.into_iter().map(Effect::Send).collect()
    }

    /// The platform ended the viewer of a room for good.
    fn ended(&mut self, id: &RoomId, close: Option<u16>, message: &str) -> Vec<Effect> {
        let code = Code::ALL.iter().find(|code| Some(code.close()) == close).copied();
        if matches!(code, Some(Code::Unauthorized | Code::TokenExpired)) {
            return login::failed();
        }
        let (Some(room), Some(identity)) = (self.rooms.remove(id), &self.identity) else { return Vec::new() };
        let (notice, text) = match code {
            Some(Code::Kicked) => ("msg_banned", "You are banned from this room.".to_owned()),
            Some(Code::UnknownRoom | Code::RoomClosed) => {
                ("msg_channel_suspended", "This room does not exist or is closed.".to_owned())
            }
            Some(Code::WrongRoom | Code::Forbidden) => {
                ("no_permission", format!("You may not join: {message}"))
            }
            _ => ("msg_room_not_found", format!("The room cannot be joined: {message}")),
        };
        let mut effects = vec![Effect::Part(id.clone()), Effect::Send(room.notice(notice, &text))];
        if room.is_joined {
            effects.push(Effect::Send(ServerLine::of_user(&identity.nick(), "PART").param(&room.channel)));
        }
        effects
    }

    /// Returns the line that asks the client to reconnect.
    pub(crate) fn reconnect(&self) -> ServerLine {
        match self.capabilities.commands {
            true => ServerLine::of_server("RECONNECT"),
            false => ServerLine::of_server("NOTICE").param("*").text("The server stops: reconnect now"),
        }
    }
}

fn send(line: ServerLine) -> Vec<Effect> {
    vec![Effect::Send(line)]
}
