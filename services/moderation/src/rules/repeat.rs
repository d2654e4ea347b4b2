//! Repeats: the same text again and again, by one sender or by many.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::sightings::{Halves, Sightings};
use crate::decision::Action;
use crate::text::Folded;
use barrage_protocol::{MessageId, RoomId, UserId};

barrage_part::part! {
    /// Rules against repeated texts. Two texts are equal when they fold to the same characters.
    @[derive(Eq)]
    pub struct RepeatConfig {
        /// Times that one user may post the same text in one room within `user_secs`; 0 turns the rule
        /// off. A cheer is repeated a few times, a script goes on.
        user_times_max: u32 = 5;
        /// Window of the rule for one user, in seconds.
        user_secs: u64 = 30, between(1, 86_400);
        /// Action for the next repetition by one user: `refuse` or `hold`.
        user_action: Action = Action::Refuse;
        /// Users that may post the same text in one room within `room_secs`; 0 turns the rule off. More
        /// users at once are a raid with a copied text.
        room_users_max: u32 = 30;
        /// Window of the rule for a room, in seconds.
        room_secs: u64 = 10, between(1, 86_400);
        /// Letters and digits below which a text never meets the rule for a room, such as laughter.
        room_chars_min: usize = 12;
        /// Action for the next repetition in a room: `refuse` or `hold`. `hold`, because users who join
        /// in mean no harm.
        room_action: Action = Action::Hold;
        /// Counts kept by each of the two rules; about 15 MB for users and 60 MB for rooms when full. At
        /// the bound the half that was unused for the longest is forgotten. Counts that were unused for two
        /// windows are forgotten before.
        keys_max: usize = 100_000, between(1, 1 << 26);
        /// Whether hits are only reported.
        shadow: bool = false;
    }
}

/// The rule of repeats that a text hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// One user posted the text too often.
    User,
    /// Too many different users of the room posted the text.
    Room,
}

/// Counts texts by user and by room. A text that folds to nothing (emoji alone) is never a repeat.
#[derive(Debug)]
pub(crate) struct Repeats {
    config: RepeatConfig,
    hasher: RandomState,
    by_user: Halves<u64, Sightings>,
    by_room: Halves<u64, Sightings>,
}

impl Repeats {
    pub(crate) fn new(config: RepeatConfig) -> Self {
        let keys_max = config.keys_max;
        Repeats {
            config,
            hasher: RandomState::new(),
            by_user: Halves::new(keys_max),
            by_room: Halves::new(keys_max),
        }
    }

    /// Counts a text. Returns the rule that it hit, the user's before the room's.
    pub(crate) fn check(
        &mut self,
        room: &RoomId,
        user: &UserId,
        id: &MessageId,
        text: &Folded,
        now: Duration,
    ) -> Option<Repeated> {
        if text.chars() == 0 {
            return None;
        }
        let config = &self.config;
        if config.user_times_max > 0 && config.user_action != Action::Admit {
            let key = self.hasher.hash_one((room, user, text.as_str()));
            let window = Duration::from_secs(config.user_secs);
            let id = self.hasher.hash_one(id);
            if !self.by_user.entry(key, window, now).admit(id, config.user_times_max, window, now) {
                return Some(Repeated::User);
            }
        }
        let counted = text.chars() >= config.room_chars_min;
        if config.room_users_max > 0 && config.room_action != Action::Admit && counted {
            let key = self.hasher.hash_one((room, text.as_str()));
            let window = Duration::from_secs(config.room_secs);
            let user = self.hasher.hash_one(user);
            if !self.by_room.entry(key, window, now).admit(user, config.room_users_max, window, now) {
                return Some(Repeated::Room);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeats(config: RepeatConfig) -> impl FnMut(&str, &str, &str, u64) -> Option<Repeated> {
        let mut repeats = Repeats::new(config);
        let room = RoomId::parse("r").unwrap();
        move |user, id, text, secs| {
            let (user, id) = (UserId::parse(user).unwrap(), MessageId::parse(id).unwrap());
            repeats.check(&room, &user, &id, &Folded::new(text), Duration::from_secs(secs))
        }
    }

    #[test]
    fn repeats_of_one_user_are_limited() {
        let mut check = repeats(RepeatConfig { user_times_max: 2, ..RepeatConfig::default() });
        assert_eq!(check("a", "1", "buy now", 0), None);
        assert_eq!(check("a", "1", "buy now", 0), None, "the same message, sent again");
        assert_eq!(check("a", "2", "BUY, NOW!", 1), None);
        assert_eq!(check("a", "3", "b u y now", 29), Some(Repeated::User));
        assert_eq!(check("b", "3", "buy now", 29), None, "another user");
        assert_eq!(check("a", "4", "buy", 29), None, "another text");
        assert_eq!(check("a", "5", "buy now", 30), None, "the first is forgotten");
        assert_eq!(check("a", "6", "buy now", 30), Some(Repeated::User));
    }

    #[test]
    fn users_with_one_text_are_limited() {
        let config = RepeatConfig { room_users_max: 2, room_chars_min: 4, ..RepeatConfig::default() };
        let mut check = repeats(config);
        for user in ["a", "b", "a"] {
            assert_eq!(check(user, "1", "raid raid", 0), None);
        }
        assert_eq!(check("c", "1", "raid raid", 0), Some(Repeated::Room));
        assert_eq!(check("c", "1", "raid raid", 10), None);
        for user in ["a", "b", "c", "d"] {
            assert_eq!(check(user, "2", "哈哈哈", 0), None, "too short to be a raid");
            assert_eq!(check(user, "3", "🙂🙂🙂🙂", 0), None);
        }
    }
}
