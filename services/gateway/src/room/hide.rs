//! Signals that hide messages, for viewers that get a room later than its moderators.

use std::collections::VecDeque;
use std::sync::Arc;

use barrage_bus::Hidden;
use barrage_protocol::{Class, Message, Sequence, UserId};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;

/// Hiding signals that a room with a delay remembers, for repairs. Beyond, the oldest is forgotten: a
/// repair behind it may return the hidden message, with its signal.
const HIDES_MAX: usize = 256;
/// Field that a signal has when it quotes a message, as its JSON begins.
const QUOTE: &[u8] = br#""message":"#;

/// A signal that hides messages before its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hide {
    at: Sequence,
    what: Hidden,
}

impl Hide {
    /// Reads a hiding signal; `None` for every other message.
    pub(crate) fn of(message: &Message) -> Option<Hide> {
        #[derive(Deserialize)]
        #[serde(tag = "signal", rename_all = "snake_case")]
        enum Signal {
            Recall { sequence: Sequence },
            Purge { user: UserId },
            Clear {},
        }
        if message.class != Class::Signal {
            return None;
        }
        let what = match serde_json::from_slice(&message.body).ok()? {
            Signal::Recall { sequence } => Hidden::Message(sequence),
            Signal::Purge { user } => Hidden::User(user),
            Signal::Clear {} => Hidden::All,
        };
        Some(Hide { at: message.sequence, what })
    }

    /// Whether the signal hides this message. Signals are hidden by a recall alone.
    fn hides(&self, message: &Message) -> bool {
        message.sequence < self.at
            && match &self.what {
                Hidden::Message(sequence) => message.sequence == *sequence,
                Hidden::User(user) => message.class != Class::Signal && message.sender.as_ref() == Some(user),
                Hidden::All => message.class != Class::Signal,
            }
    }

    /// Whether the signal hides a message that another signal quotes, on whatever side of this one.
    fn hides_quoted(&self, sequence: Sequence, body: &Value) -> bool {
        sequence < self.at
            && match &self.what {
                Hidden::Message(hidden) => sequence == *hidden,
                Hidden::User(user) => body["user"] == user.as_str(),
                Hidden::All => true,
            }
    }
}

/// Returns what viewers get of a message: nothing of one that is hidden, and a signal without the hidden
/// messages that it quotes.
pub(super) fn left_of<'a>(
    hides: &(impl Iterator<Item = &'a Hide> + Clone),
    message: Arc<Message>,
) -> Option<Arc<Message>> {
    if hides.clone().any(|hide| hide.hides(&message)) {
        return None;
    }
    let is_quoted = |sequence, body: &Value| hides.clone().any(|hide| hide.hides_quoted(sequence, body));
    Some(match without_quotes(&message, is_quoted) {
        Some(body) => Arc::new(Message { body, ..(*message).clone() }),
        None => message,
    })
}

/// Returns the body of a signal without the messages in it that are hidden; `None` when it quotes none of
/// them. What quotes one is the pinned message, and the super chats on top.
fn without_quotes(message: &Message, is_hidden: impl Fn(Sequence, &Value) -> bool) -> Option<Bytes> {
    let quotes = |body: &[u8]| body.windows(QUOTE.len()).any(|part| part == QUOTE);
    if message.class != Class::Signal || !quotes(&message.body) {
        return None;
    }
    let mut body: Value = serde_json::from_slice(&message.body).ok()?;
    let quotes_hidden =
        |it: &Value| it["sequence"].as_u64().is_some_and(|at| is_hidden(Sequence(at), &it["message"]));
    let mut is_changed = false;
    let mut clear = |entry: &mut Value| {
        if entry.get("value").is_some_and(quotes_hidden) {
            // An entry with a version and no value is one that was removed.
            is_changed |= entry.as_object_mut().is_some_and(|entry| entry.remove("value").is_some());
        }
    };
    body.pointer_mut("/state/pinned").into_iter().for_each(&mut clear);
    let on_top = body.pointer_mut("/state/super_chats/entries").and_then(Value::as_object_mut);
    on_top.into_iter().flat_map(serde_json::Map::values_mut).for_each(&mut clear);
    if body["signal"] == "pin" && quotes_hidden(&body) {
        let pin = body.as_object_mut()?;
        pin.retain(|field, _| field == "type" || field == "state");
        pin.insert("signal".into(), "unpin".into());
        is_changed = true;
    }
    is_changed.then(|| body.to_string().into())
}

/// The newest hiding signals of a room, which may be ahead of the position of its viewers.
#[derive(Debug, Default)]
pub(crate) struct Hides(Mutex<VecDeque<Hide>>);

impl Hides {
    pub(crate) fn add(&self, hide: Hide) {
        let mut hides = self.0.lock();
        if hides.len() >= HIDES_MAX {
            hides.pop_front();
        }
        hides.push_back(hide);
    }

    /// Removes the messages that one of the signals hides, also where another signal quotes them.
    pub(crate) fn filter(&self, messages: &mut Vec<Arc<Message>>) {
        let hides = self.0.lock();
        if !hides.is_empty() {
            *messages = messages.drain(..).filter_map(|message| left_of(&hides.iter(), message)).collect();
        }
    }

    /// Returns what viewers get of one message; see [`Hides::filter`].
    pub(crate) fn left_of(&self, message: Arc<Message>) -> Option<Arc<Message>> {
        left_of(&self.0.lock().iter(), message)
    }

    /// Whether one of the signals hides a message that the room's state quotes.
    pub(super) fn hides_quoted(&self, sequence: Sequence, body: &Value) -> bool {
        self.0.lock().iter().any(|hide| hide.hides_quoted(sequence, body))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64, class: Class, sender: Option<&str>, body: impl Into<Bytes>) -> Arc<Message> {
        Arc::new(Message {
            room: "demo".parse().unwrap(),
            sequence: Sequence(sequence),
            previous: Sequence(sequence - 1),
            class,
            sender: sender.map(|user| user.parse().unwrap()),
            id: None,
            to: None,
            at_ms: 0,
            trace: None,
            body: body.into(),
        })
    }

    fn hide(sequence: u64, body: &'static str) -> Option<Hide> {
        Hide::of(&message(sequence, Class::Signal, None, body))
    }

    #[test]
    fn a_message_that_is_hidden_within_the_delay_is_in_no_answer() {
        let hides = Hides::default();
        let left = |hides: &Hides| {
            let mut messages = vec![
                message(1, Class::Chat, Some("ann"), "{}"),
                message(2, Class::Gift, Some("bo"), "{}"),
                message(3, Class::Signal, None, r#"{"type":"signal","signal":"announcement","text":"x"}"#),
                message(9, Class::Chat, Some("ann"), "{}"),
            ];
            hides.filter(&mut messages);
            messages.iter().map(|message| message.sequence.0).collect::<Vec<_>>()
        };
        assert_eq!(left(&hides), [1, 2, 3, 9]);
        assert_eq!(hide(5, r#"{"type":"signal","signal":"slow_mode","secs":5}"#), None);
        assert_eq!(Hide::of(&message(5, Class::Chat, None, r#"{"signal":"clear"}"#)), None);
        hides.add(hide(5, r#"{"type":"signal","signal":"purge","user":"ann"}"#).unwrap());
        assert_eq!(left(&hides), [2, 3, 9], "later messages of the user stay");
        hides.add(hide(6, r#"{"type":"signal","signal":"recall","sequence":3}"#).unwrap());
        assert_eq!(left(&hides), [2, 9], "an announcement is recalled");
        hides.add(hide(7, r#"{"type":"signal","signal":"clear"}"#).unwrap());
        assert_eq!(left(&hides), [9]);
        for n in 0..HIDES_MAX as u64 {
            hides.add(Hide { at: Sequence(100 + n), what: Hidden::Message(Sequence(50)) });
        }
        assert_eq!(hides.len(), HIDES_MAX);
    }

    #[test]
    fn a_signal_does_not_quote_what_was_hidden() {
        let on_top = |at: u64, user: &str| {
            serde_json::json!({ "version": at, "value": { "sequence": at, "until_ms": 9, "message": {
                "type": "super_chat", "user": user, "text": format!("secret of {user}") } } })
        };
        let state = serde_json::json!({
            "pinned": { "version": 8, "value": { "sequence": 2, "message": { "user": "bo", "text": "secret of bo" } } },
            "super_chats": { "entries": { "1": on_top(1, "ann"), "2": on_top(2, "bo"), "30": on_top(30, "bo") } },
        });
        let signal = |name: &str| {
            let mut body = serde_json::json!({ "type": "signal", "signal": name, "state": state });
            if name == "pin" {
                body["sequence"] = 2.into();
                body["message"] = state["pinned"]["value"]["message"].clone();
            }
            // Behind the hiding signal as well: it was on its way when the message was hidden.
            message(25, Class::Signal, None, body.to_string())
        };
        let left = |name: &str, by: &'static str| {
            let hides = Hides::default();
            hides.add(hide(20, by).unwrap());
            let left = hides.left_of(signal(name)).unwrap();
            serde_json::from_slice::<Value>(&left.body).unwrap()
        };
        let recalled = left("state", r#"{"type":"signal","signal":"recall","sequence":1}"#);
        assert_eq!(recalled["state"]["super_chats"]["entries"]["1"], serde_json::json!({ "version": 1 }));
        assert_eq!(recalled["state"]["pinned"], state["pinned"], "the others stay");
        let purged = left("pin", r#"{"type":"signal","signal":"purge","user":"bo"}"#);
        let kept = &purged["state"]["super_chats"]["entries"]["30"]["value"]["message"]["text"];
        assert_eq!((&purged["signal"], kept), (&"unpin".into(), &"secret of bo".into()), "{purged}");
        assert_eq!(purged.to_string().matches("secret of bo").count(), 1, "{purged}");
        let cleared = left("state", r#"{"type":"signal","signal":"clear"}"#);
        assert_eq!(cleared.to_string().matches("secret").count(), 1, "later ones stay: {cleared}");
        let other = left("pin", r#"{"type":"signal","signal":"recall","sequence":7}"#);
        assert_eq!((&other["signal"], &other["state"]), (&"pin".into(), &state));
    }
}
