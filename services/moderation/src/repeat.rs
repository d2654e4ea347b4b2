//! The same text again and again, by one sender or by many.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use barrage_protocol::{MessageId, RoomId, UserId};
use serde::{Deserialize, Serialize};

use crate::Action;
use crate::fold::Folded;
use crate::sightings::{Halves, Sightings};

/// `[moderation.repeat]`: texts are the same when they fold to the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepeatConfig {
    /// How often one user may post the same text in one room within `user_secs`.
    /// Default 5: a cheer is repeated, a script goes on. 0 turns the rule off.
    pub user_times_max: u32,
    /// Default 30.
    pub user_secs: u64,
    /// What becomes of the next one: `refuse` or `hold`. Default `refuse`.
    pub user_action: Action,
    /// How many users may post the same text in one room within `room_secs`. Default
    /// 30: more at once are a raid with a text to paste. 0 turns the rule off.
    pub room_users_max: u32,
    /// Default 10.
    pub room_secs: u64,
    /// Texts with fewer letters and digits than this are a crowd's laughter and never
    /// hit the room's rule. Default 12.
    pub room_chars_min: usize,
    /// What becomes of the next one: `refuse` or `hold`. Default `hold`: those who
    /// join in mean no harm.
    pub room_action: Action,
    /// Counts kept by each of the two rules. Default 100000: some 15 MB for the user's
    /// rule, 60 MB for the room's if every text is at its bound. At the
    /// bound the half that was not used for the longest is forgotten: a flood of
    /// different texts wins a repeater a fresh start, and locks nobody out.
    pub keys_max: usize,
    /// Report alone, do nothing. Default false.
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

/// Which rule a text met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// One user, too often.
    User,
    /// Too many users.
    Room,
}

/// The counts. A text that folds to nothing (emoji alone) is never a repeat.
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

    /// Counts a text; the rule that it met, the user's before the room's.
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
            if !self.by_user.entry(key).let_by(id, config.user_times_max, window, now) {
                return Some(Repeated::User);
            }
        }
        let counted = text.chars() >= config.room_chars_min;
        if config.room_users_max > 0 && config.room_action != Action::Admit && counted {
            let key = self.hasher.hash_one((room, text.as_str()));
            let window = Duration::from_secs(config.room_secs);
            let user = self.hasher.hash_one(user);
            if !self.by_room.entry(key).let_by(user, config.room_users_max, window, now) {
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
    fn one_user_again_and_again() {
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
    fn many_users_with_one_text() {
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
