//! What the log must hold, compared with what was answered.

use std::collections::BTreeMap;

use barrage_bus::{Log, RangeLimits, Topic};
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Message, Sequence};

use super::super::kind::Broken;
use super::{ROOMS, World, room};
use crate::must;
use crate::site::now;

impl World {
    /// Compares the whole log with what was answered.
    pub(super) fn check_log(&self) -> Result<(), Broken> {
        let stored = match now(self.site.bus().read_all(0, Sequence::ZERO, usize::MAX >> 1)) {
            Ok(stored) => stored,
            // It says so, instead of returning something else.
            Err(_) if self.has_rot => return Ok(()),
            Err(error) => return Err(Broken(format!("the log cannot be read: {error}"))),
        };
        let mut posts = BTreeMap::new();
        let mut lasts = [Sequence::ZERO; ROOMS.len()];
        for message in stored.iter().map(|stored| &stored.message) {
            let post = self.post_of(message)?;
            if let Some(before) = posts.insert(post, message.sequence) {
                must!(false, "post {post} is in the log at {before} and at {}", message.sequence);
            }
            let last = &mut lasts[self.posts[post].room];
            must!(
                message.previous >= *last,
                "{} follows {}, but {last} is there",
                message.sequence,
                message.previous
            );
            must!(
                message.previous == *last || self.has_loss,
                "{} follows {} instead of {last}",
                message.sequence,
                message.previous
            );
            *last = message.sequence;
        }
        for (sequence, given) in self.given.iter().filter(|(_, given)| !given.may_be_lost) {
            must!(
                posts.get(&given.post) == Some(sequence),
                "post {} was answered with {sequence} and is lost",
                given.post
            );
        }
        for sequence in &self.seen {
            let may_be_lost = self.given.get(sequence).is_some_and(|given| given.may_be_lost);
            must!(
                may_be_lost || stored.iter().any(|stored| stored.message.sequence == *sequence),
                "a subscriber saw {sequence}, which is lost"
            );
        }
        // Damaged pages may show a row to one query and hide it from another.
        if self.has_rot {
            return Ok(());
        }
        self.check_ranges(&stored.iter().map(|stored| &*stored.message).collect::<Vec<_>>())
    }

    /// Returns the post of a message, whose text and fields must be those that were posted.
    fn post_of(&self, message: &Message) -> Result<usize, Broken> {
        let found = (0..self.posts.len()).find(|index| self.draft(*index, 0).body == message.body);
        let Some(index) = found else {
            return Err(Broken(format!("nobody posted the text at {}", message.sequence)));
        };
        let draft = self.draft(index, 0);
        must!(
            message.room == draft.room && message.class == draft.class && message.sender == draft.sender,
            "post {index} has changed"
        );
        Ok(index)
    }

    /// A range from memory has the messages of the log, or says that it has not.
    fn check_ranges(&self, stored: &[&Message]) -> Result<(), Broken> {
        for (index, name) in ROOMS.iter().enumerate() {
            let limits =
                RangeLimits { precious_max: usize::MAX, bytes_max: usize::MAX, chat_max: usize::MAX };
            let range = now(self.site.bus().range(&Topic::Room(room(index)), Sequence::ZERO, None, limits));
            let range = range.map_err(|error| Broken(error.to_string()))?;
            let of_log: Vec<_> =
                stored.iter().filter(|message| message.room == room(index)).map(|it| it.sequence).collect();
            let of_range: Vec<_> = range.messages.iter().map(|message| message.sequence).collect();
            must!(of_log == of_range, "a range of {name} has {of_range:?}, the log {of_log:?}");
            let is_whole = range.outcome == RepairOutcome::Complete;
            must!(self.has_loss || is_whole, "a range is {:?} without a loss", range.outcome);
        }
        Ok(())
    }
}
