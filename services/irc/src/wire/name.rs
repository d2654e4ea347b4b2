//! Names of rooms and users in IRC, and back.
//!
//! IRC compares names without case, and its clients write them in lower case; ids of Barrage have case. So a
//! capital letter is `^` and the small letter. User ids may have three characters that IRC uses itself:
//! `.` is `^0`, `:` is `^1` and `@` is `^2`. The room `Demo` is the channel `#^demo`.

use barrage_protocol::{RoomId, Sequence, UserId};

/// Begin of the ids of messages. tmi.js takes a tag `1` for true, so that an id is no number.
const MESSAGE: char = 'm';
/// Marks a capital letter, or a character that IRC uses itself.
const ESCAPE: char = '^';
/// Characters with an escape of their own, by their digit.
const OTHERS: [char; 3] = ['.', ':', '@'];

/// Returns the channel of a room, with the `#`.
pub(crate) fn channel(room: &RoomId) -> String {
    let mut channel = String::from("#");
    escape(room.as_str(), &mut channel);
    channel
}

/// Returns the room of a channel; `None` when no room has this name.
pub(crate) fn room_of_channel(channel: &str) -> Option<RoomId> {
    RoomId::parse(&unescape(channel.strip_prefix('#')?)?).ok()
}

/// Returns the nick of a user, which is also the user name of the prefix.
pub(crate) fn nick(user: &UserId) -> String {
    let mut nick = String::new();
    escape(user.as_str(), &mut nick);
    nick
}

/// Returns the user of a nick, which may have an `@` before it, as viewers write it.
pub(crate) fn user_of_nick(nick: &str) -> Option<UserId> {
    UserId::parse(&unescape(nick.strip_prefix('@').unwrap_or(nick))?).ok()
}

/// Returns the id of the message at a position. It needs no memory of other ids.
pub(crate) fn message_id(sequence: u64) -> String {
    format!("{MESSAGE}{sequence}")
}

/// Returns the position of a message id; `None` when there can be no such message.
pub(crate) fn sequence_of_message_id(id: &str) -> Option<Sequence> {
    let sequence = id.strip_prefix(MESSAGE)?.parse().ok()?;
    (1..=Sequence::MAX.0).contains(&sequence).then_some(Sequence(sequence))
}

/// Reads a name as a channel and as a nick, for the fuzz targets; returns both names again.
#[doc(hidden)]
#[must_use]
pub fn respell(name: &str) -> [Option<String>; 2] {
    [room_of_channel(name).map(|room| channel(&room)), user_of_nick(name).map(|user| nick(&user))]
}

fn escape(id: &str, name: &mut String) {
    for c in id.chars() {
        match OTHERS.iter().position(|other| *other == c) {
            Some(digit) => name.extend([ESCAPE, char::from(b'0' + u8::try_from(digit).unwrap_or(0))]),
            None if c.is_ascii_uppercase() => name.extend([ESCAPE, c.to_ascii_lowercase()]),
            None => name.push(c),
        }
    }
}

fn unescape(name: &str) -> Option<String> {
    let mut id = String::with_capacity(name.len());
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        if c != ESCAPE {
            id.push(c.to_ascii_lowercase());
            continue;
        }
        let escaped = chars.next()?;
        id.push(match escaped {
            'a'..='z' | 'A'..='Z' => escaped.to_ascii_uppercase(),
            '0' => OTHERS[0],
            '1' => OTHERS[1],
            '2' => OTHERS[2],
            _ => return None,
        });
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn capitals_and_the_characters_of_irc_are_escaped() {
        let room = RoomId::parse("My_Room-2").unwrap();
        assert_eq!(channel(&room), "#^my_^room-2");
        assert_eq!(nick(&UserId::parse("Ann@a.b:1").unwrap()), "^ann^2a^0b^11");
        assert_eq!(room_of_channel("#DEMO"), RoomId::parse("demo").ok());
        for bad in ["demo", "#", "#^", "#^7", "#a b", "#a,b", "#^0x", "&demo"] {
            assert_eq!(room_of_channel(bad), None, "{bad:?}");
        }
        assert_eq!(user_of_nick("@ann"), UserId::parse("ann").ok());
    }

    proptest! {
        #[test]
        fn names_return_to_their_ids_whatever_case_a_client_writes(
            room in "[A-Za-z0-9_-]{1,64}",
            user in "[A-Za-z0-9_.:@-]{1,64}",
        ) {
            let (room, user) = (RoomId::parse(&room).unwrap(), UserId::parse(&user).unwrap());
            for name in [channel(&room), channel(&room).to_uppercase()] {
                prop_assert_eq!(room_of_channel(&name), Some(room.clone()));
            }
            prop_assert_eq!(user_of_nick(&nick(&user)), Some(user.clone()));
            prop_assert!(!nick(&user).contains([' ', ',', '!', '@', ':', '.', '\r', '\n', '\0']));
        }
    }
}
