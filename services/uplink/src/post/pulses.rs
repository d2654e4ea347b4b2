//! Sums that travel in pulses: likes and reactions, each counted once, and chat offered and shown.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use barrage_bus::{Bus, PulseDraft};
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Outcome, PostAnswer};
use barrage_protocol::reaction::ReactionName;
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::recent::Recent;

/// Rooms with a waiting sum. At the bound the sums of a further room are published at once.
const ROOMS_MAX: usize = 100_000;
/// Milliseconds for which the id of a like is remembered.
const ID_WINDOW_MS: u64 = 120_000;

/// Likes, or reactions of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tap<'a> {
    Likes(u32),
    Reactions(&'a str, u32),
}

/// Sums by room until a timer or a count publishes them, whichever comes first.
#[derive(Debug)]
pub(super) struct Pulses {
    ids: Mutex<Recent<(RoomId, UserId, MessageId)>>,
    sums: Mutex<HashMap<RoomId, PulseDraft>>,
    /// Likes and reactions at which a sum is published before the timer.
    sum_max: u64,
    /// Names of the reactions that may be posted in rooms without a set of their own.
    reactions: Vec<String>,
}

impl Pulses {
    pub(super) fn new(ids_max: usize, sum_max: u64, reactions: Vec<String>) -> Self {
        Pulses { ids: Mutex::new(Recent::new(ids_max)), sums: Mutex::default(), sum_max, reactions }
    }

    /// Counts a post under its id, once, and publishes the room's sum when it is full. `own` is the room's set of
    /// reactions, where it has one.
    ///
    /// # Errors
    /// `bad_request` for a reaction that the room does not offer.
    pub(super) fn post(
        &self,
        bus: &dyn Bus,
        (room, user, id): (&RoomId, &UserId, &MessageId),
        tap: Tap<'_>,
        own: Option<&[ReactionName]>,
        now_ms: u64,
    ) -> Result<PostAnswer, Refusal> {
        if let Tap::Reactions(name, _) = tap {
            self.offers(own, name)?;
        }
        let key = (room.clone(), user.clone(), id.clone());
        let outcome = match self.ids.lock().take(key, ID_WINDOW_MS, now_ms) {
            Ok(()) => {
                if let Some(draft) = self.add(room, tap) {
                    bus.pulse(room, draft);
                }
                Outcome::Broadcast
            }
            Err(_) => Outcome::Duplicate,
        };
        Ok(PostAnswer { outcome, sequence: None, limit: None, review: None, trace: None, vote: None })
    }

    fn offers(&self, own: Option<&[ReactionName]>, name: &str) -> Result<(), Refusal> {
        let offered: Vec<&str> = match own {
            Some(own) if own.iter().any(|known| known.as_str() == name) => return Ok(()),
            None if self.reactions.iter().any(|known| known == name) => return Ok(()),
            Some(own) => own.iter().map(ReactionName::as_str).collect(),
            None => self.reactions.iter().map(String::as_str).collect(),
        };
        let message = match offered.is_empty() {
            true => "name: this room has no reactions".into(),
            false => format!("name: no such reaction in this room; there are {}", offered.join(", ")),
        };
        Err(Refusal::new(Code::BadRequest, message))
    }

    /// Adds to the room's sum. Returns the sum when it is to be published now.
    fn add(&self, room: &RoomId, tap: Tap<'_>) -> Option<PulseDraft> {
        let mut sums = self.sums.lock();
        let mut alone = PulseDraft::default();
        let is_full = !sums.contains_key(room) && sums.len() >= ROOMS_MAX;
        let draft = if is_full { &mut alone } else { sums.entry(room.clone()).or_default() };
        match tap {
            Tap::Likes(count) => draft.likes += u64::from(count),
            Tap::Reactions(name, count) => match draft.reactions.get_mut(name) {
                Some(sum) => *sum += u64::from(count),
                None => drop(draft.reactions.insert(name.to_owned(), count.into())),
            },
        }
        if is_full {
            return Some(alone);
        }
        let sum = draft.likes + draft.reactions.values().sum::<u64>();
        if sum < self.sum_max { None } else { sums.remove(room) }
    }

    /// Counts a message that a viewer offered to the room's display quota.
    pub(super) fn offered(&self, room: &RoomId, is_shown: bool) {
        let mut sums = self.sums.lock();
        // At the bound the room's figures are not published.
        if let Some(draft) = sums.get_mut(room) {
            draft.offered += 1;
            draft.shown += u64::from(is_shown);
        } else if sums.len() < ROOMS_MAX {
            let draft = PulseDraft { offered: 1, shown: is_shown.into(), ..PulseDraft::default() };
            sums.insert(room.clone(), draft);
        }
    }

    /// Takes the sums. A room that showed all that was offered has no figures of it.
    fn take_sums(&self) -> BTreeMap<RoomId, PulseDraft> {
        let sums = std::mem::take(&mut *self.sums.lock());
        let sampled = |(room, draft): (RoomId, PulseDraft)| {
            let is_sampled = draft.offered > draft.shown;
            let draft = if is_sampled { draft } else { PulseDraft { offered: 0, shown: 0, ..draft } };
            (room, draft)
        };
        let all = sums.into_iter().map(sampled);
        all.filter(|(_, draft)| *draft != PulseDraft::default()).collect()
    }

    /// Publishes the waiting sums every `period` until the shutdown, and then once more.
    pub(super) async fn run(&self, bus: &dyn Bus, period: Duration, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(period);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => {}
            }
            for (room, draft) in self.take_sums() {
                bus.pulse(&room, draft);
            }
            if shutdown.is_cancelled() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulses() -> (Pulses, RoomId) {
        (Pulses::new(10, 100, vec!["fire".into()]), "r".parse().unwrap())
    }

    #[test]
    fn sum_is_due_at_its_maximum_and_the_rest_waits() {
        let (pulses, room) = pulses();
        assert_eq!(pulses.add(&room, Tap::Likes(60)), None);
        let due = pulses.add(&room, Tap::Reactions("fire", 60)).unwrap();
        assert_eq!((due.likes, due.reactions["fire"]), (60, 60));
        assert_eq!(pulses.add(&room, Tap::Reactions("fire", 1)), None);
        assert_eq!(pulses.add(&room, Tap::Reactions("fire", 1)), None);
        assert_eq!(pulses.take_sums()[&room].reactions["fire"], 2);
        assert!(pulses.take_sums().is_empty());
    }

    #[test]
    fn a_room_offers_its_own_reactions_or_those_of_the_platform() {
        let (pulses, _) = pulses();
        let own =
            |names: &[&str]| names.iter().map(|name| ReactionName::parse(name).unwrap()).collect::<Vec<_>>();
        assert!(pulses.offers(None, "fire").is_ok() && pulses.offers(Some(&own(&["gg"])), "gg").is_ok());
        for (own, name, message) in [
            (None, "gg", "name: no such reaction in this room; there are fire"),
            (Some(own(&["gg", "wow"])), "fire", "name: no such reaction in this room; there are gg, wow"),
            (Some(own(&[])), "fire", "name: this room has no reactions"),
        ] {
            let refusal = pulses.offers(own.as_deref(), name).unwrap_err();
            assert_eq!((refusal.code, refusal.message.as_str()), (Code::BadRequest, message));
        }
    }

    #[test]
    fn offered_and_shown_are_published_for_a_sampled_room_alone() {
        let (pulses, room) = pulses();
        pulses.offered(&room, true);
        assert!(pulses.take_sums().is_empty(), "all is shown");
        for n in 0..10 {
            pulses.offered(&room, n < 3);
        }
        let draft = pulses.take_sums().remove(&room).unwrap();
        assert_eq!((draft.offered, draft.shown), (10, 3));
    }
}
