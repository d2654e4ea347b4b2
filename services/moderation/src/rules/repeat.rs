//! Repeats: the same text again and again, by one sender or by many.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use barrage_protocol::{MessageId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::sightings::{Halves, Sightings};
use crate::decision::Action;
use crate::text::Folded;

/// `[moderation.repeat]`: texts are the same when they fold to the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepeatConfig {
    /// Times that one user may post the same text in one room within `user_secs`. Default 5: cheers
    /// are repeated a few times, scripts more often. 0 turns the rule off.
    pub user_times_max: u32,
    /// Window of the user's rule, in seconds. Default 30.
    pub user_secs: u64,
    /// Action on the next repeat: `refuse` or `hold`. Default `refuse`.
    pub user_action: Action,
    /// Users that may post the same text in one room within `room_secs`. Default 30: more at once are
    /// a raid with a pasted text. 0 turns the rule off.
    pub room_users_max: u32,
    /// Window of the room's rule, in seconds. Default 10.
    pub room_secs: u64,
    /// Minimum letters and digits of a text for the room's rule. Shorter texts are common laughter.
    /// Default 12.
    pub room_chars_min: usize,
    /// Action on the next repeat: `refuse` or `hold`. Default `hold`, because many senders of a raid
    /// mean no harm.
    pub room_action: Action,
    /// Counts kept by each of the two rules. Default 100000: some 15 MB for the user's rule, and 60 MB
    /// for the room's rule if every text is at its limit. At the bound the longest unused half is
    /// forgotten: a flood of different texts then resets counts, and refuses no other sender.
    pub keys_max: usize,
    /// Shadow mode: report and do nothing. Default false.
    pub shadow: bool,
}

impl Default for RepeatConfig {
    fn default() -> Self {
        RepeatConfig {
            user_times_max: 5,
            user_secs: 30,
            user_action: Action::Refuse,
            room_users_max: 30,
            room_secs: 10,
            room_chars_min: 12,
            room_action: Action::Hold,
            keys_max: 100_000,
            shadow: false,
        }
    }
}

/// The rule of repeats that a text hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// One user posted the text too often.
    User,
    /// Too many users posted the text.
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
            if !self.by_user.entry(key).admit(id, config.user_times_max, window, now) {
                return Some(Repeated::User);
            }
        }
        let counted = text.chars() >= config.room_chars_min;
        if config.room_users_max > 0 && config.room_action != Action::Admit && counted {
            let key = self.hasher.hash_one((room, text.as_str()));
            let window = Duration::from_secs(config.room_secs);
            let user = self.hasher.hash_one(user);
            if !self.by_room.entry(key).admit(user, config.room_users_max, window, now) {
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
