//! The archive entry of a message, with the effect that its body describes. Pure.

use std::sync::Arc;

use barrage_protocol::{Class, Message, Sequence, UserId};
use barrage_store::{ArchiveEntry, Effect, GiftKind, GiftRecord};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Field that a signal has when it quotes a message, as its JSON begins.
const QUOTE: &[u8] = br#""message":"#;

/// The fields of a gift's body that the ledger needs. Other fields are ignored, so that a new field
/// needs no release of the archiver.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Paid {
    Gift {
        user: Option<UserId>,
        gift: Gift,
    },
    SuperChat {
        user: Option<UserId>,
        amount_minor: u64,
        currency: String,
    },
    /// An event of a customer's server, which is no payment.
    Event {},
}

#[derive(Deserialize)]
struct Gift {
    name: String,
    count: u32,
    #[serde(default)]
    price_minor: u64,
    combo: Option<u32>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control {
    Signal(Signal),
    Event {},
}

#[derive(Deserialize)]
struct Signal {
    signal: String,
    sequence: Option<Sequence>,
    user: Option<UserId>,
}

/// Whether a body has the form of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// The body has the form of its class.
    Yes,
    /// The body has another form. The message is archived without an effect.
    No,
}

/// Makes the archive entry of a message, at the position of a room that never moved. Never fails, because an unreadable body must not stop the
/// messages behind it.
#[must_use]
pub fn entry(message: Arc<Message>) -> (ArchiveEntry, Readable) {
    if serde_json::from_slice::<&RawValue>(&message.body).is_err() {
        let message = Arc::new(quoted(&message));
        return (ArchiveEntry { at: message.sequence, message, effect: Effect::None }, Readable::No);
    }
    let effect = match message.class {
        Class::Gift => gift(&message),
        Class::Signal => signal(&message),
        Class::Chat | Class::Pulse => Some(Effect::None),
    };
    let readable = if effect.is_some() { Readable::Yes } else { Readable::No };
    let message = without_quotes(&message).map_or(message, Arc::new);
    (ArchiveEntry { at: message.sequence, message, effect: effect.unwrap_or(Effect::None) }, readable)
}

/// Returns the message with a JSON body that quotes the unreadable one.
fn quoted(message: &Message) -> Message {
    let text = String::from_utf8_lossy(&message.body);
    let body = serde_json::json!({ "type": "unreadable", "text": text });
    Message { body: body.to_string().into(), ..message.clone() }
}

/// Returns a signal without the messages that it quotes: a pinned one, and super chats on top. The archive has
/// them at their own places, and there alone, so that a recall hides them. `None` for a message without any.
fn without_quotes(message: &Message) -> Option<Message> {
    let quotes = |body: &[u8]| body.windows(QUOTE.len()).any(|part| part == QUOTE);
    if message.class != Class::Signal || !quotes(&message.body) {
        return None;
    }
    let mut body: Value = serde_json::from_slice(&message.body).ok()?;
    if body["type"] != "signal" {
        return None;
    }
    if body["signal"] == "pin" {
        body.as_object_mut()?.remove("message");
    }
    if let Some(state) = body.get_mut("state").and_then(Value::as_object_mut) {
        state.retain(|part, _| part != "pinned" && part != "super_chats");
    }
    Some(Message { body: body.to_string().into(), ..message.clone() })
}

fn gift(message: &Message) -> Option<Effect> {
    let record = |user: Option<UserId>, kind, gift: Gift, currency| {
        Some(Effect::Gift(GiftRecord {
            sequence: message.sequence,
            room: message.room.clone(),
            // The token named the sender; the body only repeats the user.
            user: message.sender.clone().or(user)?,
            kind,
            name: gift.name,
            count: gift.count,
            price_minor: gift.price_minor,
            currency,
            combo: gift.combo,
            at_ms: message.at_ms,
        }))
    };
    match serde_json::from_slice(&message.body).ok()? {
        Paid::Gift { user, gift } => record(user, GiftKind::Gift, gift, None),
        Paid::SuperChat { user, amount_minor, currency } => {
            let gift = Gift { name: String::new(), count: 1, price_minor: amount_minor, combo: None };
            record(user, GiftKind::SuperChat, gift, Some(currency))
        }
        Paid::Event {} => Some(Effect::None),
    }
}

fn signal(message: &Message) -> Option<Effect> {
    let signal: Control = serde_json::from_slice(&message.body).ok()?;
    let Control::Signal(signal) = signal else { return Some(Effect::None) };
    match signal.signal.as_str() {
        "recall" => signal.sequence.map(Effect::Recall),
        "purge" => signal.user.map(Effect::Purge),
        "clear" => Some(Effect::Clear),
        _ => Some(Effect::None),
    }
}

#[cfg(test)]
mod tests {
    use barrage_protocol::RoomId;

    use super::*;

    fn message(class: Class, body: &[u8]) -> Message {
        Message {
            room: RoomId::parse("demo").unwrap(),
            sequence: Sequence(9),
            previous: Sequence(3),
            class,
            sender: Some(UserId::parse("ann").unwrap()),
            id: None,
            to: None,
            at_ms: 77,
            trace: None,
            body: body.to_vec().into(),
        }
    }

    fn derived(class: Class, body: &[u8]) -> (Effect, Readable) {
        let (entry, readable) = entry(Arc::new(message(class, body)));
        let raw: Result<&RawValue, _> = serde_json::from_slice(&entry.message.body);
        assert!(raw.is_ok());
        (entry.effect, readable)
    }

    #[test]
    fn gifts_and_super_chats_become_ledger_rows() {
        let body = r#"{"type":"gift","id":"1","user":"forged","name":"Ann","new_field":[1],
            "gift":{"name":"火箭","count":3,"price_minor":500,"combo":2,"tier":"x"},"at_ms":5}"#;
        let (Effect::Gift(row), Readable::Yes) = derived(Class::Gift, body.as_bytes()) else {
            panic!("no row");
        };
        assert_eq!((row.sequence, row.at_ms, row.user.as_str()), (Sequence(9), 77, "ann"));
        assert_eq!((row.name.as_str(), row.count, row.combo), ("火箭", 3, Some(2)));
        assert_eq!((row.amount_minor(), row.currency), (1_500, None));

        let body = br#"{"type":"super_chat","user":"ann","text":"hi","amount_minor":3000,"currency":"CNY"}"#;
        let (Effect::Gift(row), Readable::Yes) = derived(Class::Gift, body) else {
            panic!("no row");
        };
        assert_eq!((row.kind, row.count, row.amount_minor()), (GiftKind::SuperChat, 1, 3_000));
        assert_eq!(row.currency.as_deref(), Some("CNY"));
    }

    #[test]
    fn archived_signals_quote_no_message_that_a_recall_may_hide() {
        let archived = |class, body: &str| {
            let (entry, readable) = entry(Arc::new(message(class, body.as_bytes())));
            assert_eq!(readable, Readable::Yes);
            serde_json::from_slice::<Value>(&entry.message.body).unwrap()
        };
        let open = r#"{"sequence":4,"until_ms":9,"message":{"user":"ann","text":"secret"}}"#;
        let state = format!(
            r#"{{"settings":{{"version":2}},"super_chats":{{"entries":{{"4":{{"version":3,"value":{open}}}}}}}}}"#
        );
        let signal =
            archived(Class::Signal, &format!(r#"{{"type":"signal","signal":"state","state":{state}}}"#));
        assert_eq!(signal["state"], serde_json::json!({ "settings": { "version": 2 } }));
        let pin = archived(
            Class::Signal,
            r#"{"type":"signal","signal":"pin","sequence":4,"message":{"text":"secret"},"state":{"pinned":{}}}"#,
        );
        assert_eq!(pin, serde_json::json!({ "type": "signal", "signal": "pin", "sequence": 4, "state": {} }));
        let event = r#"{"type":"event","event":"a.b","id":"e","data":{"message":"kept"},"at_ms":1}"#;
        assert_eq!(archived(Class::Signal, event)["data"]["message"], "kept");
    }

    #[test]
    fn only_a_signal_hides_messages() {
        let body = br#"{"type":"signal","signal":"recall","sequence":4}"#;
        assert_eq!(derived(Class::Signal, body), (Effect::Recall(Sequence(4)), Readable::Yes));
        assert_eq!(derived(Class::Chat, body), (Effect::None, Readable::Yes));
        let body = br#"{"type":"signal","signal":"purge","user":"bob"}"#;
        let purge = Effect::Purge(UserId::parse("bob").unwrap());
        assert_eq!(derived(Class::Signal, body), (purge, Readable::Yes));
        assert_eq!(derived(Class::Chat, body), (Effect::None, Readable::Yes));
        let body = br#"{"type":"signal","signal":"purge"}"#;
        assert_eq!(derived(Class::Signal, body), (Effect::None, Readable::No));
        let body = br#"{"type":"signal","signal":"clear"}"#;
        assert_eq!(derived(Class::Signal, body), (Effect::Clear, Readable::Yes));
        let body = br#"{"type":"signal","signal":"something_new","sequence":"x"}"#;
        assert_eq!(derived(Class::Signal, body).0, Effect::None);
        let body = br#"{"type":"signal","signal":"close"}"#;
        assert_eq!(derived(Class::Signal, body), (Effect::None, Readable::Yes));
    }

    #[test]
    fn custom_events_have_no_effect_in_any_class() {
        let body =
            br#"{"type":"event","event":"shop.card","id":"e1","data":{"signal":"clear"},"signal":"clear"}"#;
        for class in [Class::Signal, Class::Gift, Class::Chat] {
            assert_eq!(derived(class, body), (Effect::None, Readable::Yes));
        }
    }

    #[test]
    fn unreadable_body_is_archived_without_effect() {
        for body in [
            &br#"{"type":"gift","gift":{"name":"x","count":-1}}"#[..],
            br#"{"type":"gift","gift":{"name":"x","count":99999999999}}"#,
            br#"{"type":"toaster"}"#,
            br#"{"type":"#,
            b"\xff\xfe",
            b"",
        ] {
            assert_eq!(derived(Class::Gift, body), (Effect::None, Readable::No));
        }
    }
}
