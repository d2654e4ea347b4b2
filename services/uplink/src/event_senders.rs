//! The configured senders of custom events, and the right of each. Pure.

use std::collections::HashSet;

use barrage_part::{Kind, Setting};
use barrage_protocol::code::Refusal;
use barrage_protocol::event::{EventClass, EventType};
use barrage_protocol::{Code, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::limits_config::LimitsError;

/// Maximum senders in the list. A longer list is refused at start.
const SENDERS_MAX: usize = 1_000;
/// Name of the setting in refusals and problems.
const KEY: &str = "uplink.event_senders";

/// One sender of the list `[[uplink.event_senders]]`: what the admin tokens of a user may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventSenderConfig {
    /// User id in the claim `sub` of the admin token.
    pub user: UserId,
    /// Namespaces of the types that the user may send, such as `shop` or `shop.live`; `*` is every one.
    pub namespaces: Vec<String>,
    /// Classes that the user may choose: `signal`, `gift` and `chat`; all when absent.
    #[serde(default = "all_classes")]
    pub classes: Vec<EventClass>,
    /// Rooms that the user may send to, among those of the token; all when absent.
    #[serde(default)]
    pub rooms: Vec<RoomId>,
}

fn all_classes() -> Vec<EventClass> {
    vec![EventClass::Signal, EventClass::Gift, EventClass::Chat]
}

impl Setting for EventSenderConfig {
    const KIND: Kind = Kind::Named("event sender");
}

/// Checks the list of senders.
///
/// # Errors
/// When the list is too long, names a user twice, or has a namespace that no type can be in.
pub(crate) fn check(senders: &[EventSenderConfig]) -> Result<(), LimitsError> {
    let wrong = |why: String| Err(LimitsError::EventSenders(why));
    if senders.len() > SENDERS_MAX {
        return wrong(format!("the list has {} senders; at most {SENDERS_MAX} are allowed", senders.len()));
    }
    let mut users = HashSet::new();
    for EventSenderConfig { user, namespaces, classes, .. } in senders {
        if !users.insert(user) {
            return wrong(format!("{user} is listed twice"));
        }
        if namespaces.is_empty() || classes.is_empty() {
            return wrong(format!("{user} has no namespace or no class, and could send nothing"));
        }
        let is_namespace = |name: &String| name == "*" || EventType::parse(&format!("{name}.x")).is_ok();
        if let Some(name) = namespaces.iter().find(|name| !is_namespace(name)) {
            return wrong(format!("{user}: {name:?} is no namespace such as shop or shop.live"));
        }
    }
    Ok(())
}

/// Checks the right of a user to send an event. Without a list, an admin token has every right for its
/// rooms.
///
/// # Errors
/// `forbidden`, with the right that is missing.
pub(crate) fn may_send(
    senders: &[EventSenderConfig],
    user: &UserId,
    room: &RoomId,
    event: &EventType,
    class: EventClass,
) -> Result<(), Refusal> {
    if senders.is_empty() {
        return Ok(());
    }
    let refused = |why: String| Err(Refusal::new(Code::Forbidden, format!("{why} ({KEY})")));
    let Some(sender) = senders.iter().find(|sender| sender.user == *user) else {
        return refused(format!("{user} may send no events"));
    };
    if !sender.namespaces.iter().any(|namespace| is_in(event, namespace)) {
        let namespaces = sender.namespaces.join(", ");
        return refused(format!("event: {user} may send types of {namespaces}, and not {event}"));
    }
    if !sender.classes.contains(&class) {
        let classes: Vec<_> = sender.classes.iter().map(|class| label(*class)).collect();
        let classes = classes.join(", ");
        return refused(format!("class: {user} may choose {classes}, and not {}", label(class)));
    }
    if !sender.rooms.is_empty() && !sender.rooms.contains(room) {
        return refused(format!("room: {user} may not send events to {room}"));
    }
    Ok(())
}

/// Whether a type is in a namespace, or in one below it.
fn is_in(event: &EventType, namespace: &str) -> bool {
    let below = event.as_str().strip_prefix(namespace);
    namespace == "*" || below.is_some_and(|rest| rest.starts_with('.'))
}

fn label(class: EventClass) -> &'static str {
    barrage_protocol::Class::from(class).label()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(user: &str, namespaces: &[&str], classes: &[EventClass], rooms: &[&str]) -> EventSenderConfig {
        EventSenderConfig {
            user: user.parse().unwrap(),
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
            classes: classes.to_vec(),
            rooms: rooms.iter().map(|room| room.parse().unwrap()).collect(),
        }
    }

    fn refusal(
        senders: &[EventSenderConfig],
        user: &str,
        room: &str,
        event: &str,
        class: EventClass,
    ) -> Option<String> {
        let (user, room, event) = (user.parse().unwrap(), room.parse().unwrap(), event.parse().unwrap());
        may_send(senders, &user, &room, &event, class).err().map(|refusal| {
            assert_eq!(refusal.code, Code::Forbidden);
            refusal.message
        })
    }

    #[test]
    fn each_right_is_checked_and_named() {
        let shop = sender("shop", &["shop", "goal.a"], &[EventClass::Chat, EventClass::Signal], &["demo"]);
        let senders = [shop, sender("all", &["*"], &all_classes(), &[])];
        let refused = |user, room, event, class| refusal(&senders, user, room, event, class);
        assert_eq!(refused("shop", "demo", "shop.card", EventClass::Chat), None);
        assert_eq!(refused("shop", "demo", "goal.a.b", EventClass::Signal), None);
        assert_eq!(refused("all", "other", "score.set", EventClass::Gift), None);
        for (user, room, event, class, reason) in [
            ("shop", "demo", "shopping.card", EventClass::Chat, "event: shop may send types of shop, goal.a"),
            ("shop", "demo", "goal.b", EventClass::Chat, "event: "),
            ("shop", "demo", "shop.card", EventClass::Gift, "class: shop may choose chat, signal"),
            ("shop", "other", "shop.card", EventClass::Chat, "room: shop may not send events to other"),
            ("eve", "demo", "shop.card", EventClass::Chat, "eve may send no events"),
        ] {
            let message = refused(user, room, event, class).unwrap();
            assert!(message.starts_with(reason) && message.ends_with("(uplink.event_senders)"), "{message}");
        }
        assert_eq!(refusal(&[], "eve", "demo", "any.thing", EventClass::Gift), None, "no list, no limit");
    }

    #[test]
    fn contradictory_lists_are_refused_at_start() {
        let fine = sender("a", &["shop", "shop.live", "*"], &[EventClass::Chat], &[]);
        assert!(check(std::slice::from_ref(&fine)).is_ok());
        for senders in [
            vec![fine.clone(), fine.clone()],
            vec![sender("a", &[], &[EventClass::Chat], &[])],
            vec![sender("a", &["shop"], &[], &[])],
            vec![sender("a", &["Shop"], &[EventClass::Chat], &[])],
            vec![sender("a", &["barrage"], &[EventClass::Chat], &[])],
            vec![sender("a", &["shop."], &[EventClass::Chat], &[])],
        ] {
            assert!(matches!(check(&senders), Err(LimitsError::EventSenders(_))), "{senders:?}");
        }
    }
}
