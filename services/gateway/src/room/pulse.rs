//! Figures of a room that travel in pulses: sums of what came since the last one, and totals of a poll.

use std::collections::BTreeMap;

use barrage_bus::PulseDraft;
use barrage_protocol::batch::Pulse;
use barrage_protocol::poll::PollCounts;

/// Names of reactions in one pulse. Further names are dropped: uplinks configure fewer.
const REACTIONS_MAX: usize = 32;

/// Figures that wait for a room's next pulse. Pure.
#[derive(Debug, Default)]
pub(crate) struct PulseSums {
    likes: u64,
    entries: u64,
    reactions: BTreeMap<String, u64>,
    offered: u64,
    shown: u64,
    online: Option<u64>,
    online_sent: Option<u64>,
    /// Votes of the room's poll, as the last uplink counted them.
    poll: Option<PollCounts>,
    /// The next pulse carries the votes.
    has_votes: bool,
    /// Viewers have joined since the last pulse with votes. They get the votes with the next draft,
    /// which uplinks repeat while a poll runs.
    has_newcomers: bool,
}

impl PulseSums {
    /// Adds the figures of one draft. Votes are totals: a late draft with fewer changes nothing.
    pub(crate) fn add(&mut self, draft: &PulseDraft) {
        self.likes = self.likes.saturating_add(draft.likes);
        self.entries = self.entries.saturating_add(draft.entries);
        self.offered = self.offered.saturating_add(draft.offered);
        self.shown = self.shown.saturating_add(draft.shown);
        add_reactions(&mut self.reactions, &draft.reactions);
        if let Some(counts) = &draft.poll {
            self.add_votes(counts);
        }
    }

    fn add_votes(&mut self, counts: &PollCounts) {
        let known = self.poll.as_ref().filter(|known| known.id == counts.id);
        if known.is_some_and(|known| known.total() > counts.total()) {
            return;
        }
        let is_new = known.is_none_or(|known| known != counts);
        self.has_votes |= is_new || self.has_newcomers;
        if is_new {
            self.poll = Some(counts.clone());
        }
    }

    /// Sets the number of viewers for the next pulse, which carries it when it has changed.
    pub(crate) fn set_online(&mut self, online: u64) {
        self.online = (self.online_sent != Some(online)).then_some(online);
    }

    /// Notes that viewers have joined, who do not have the votes of a running poll.
    pub(crate) fn note_newcomers(&mut self) {
        self.has_newcomers = true;
    }

    /// Whether nothing waits for the next pulse.
    pub(crate) fn is_empty(&self) -> bool {
        let has_sums = self.likes > 0 || self.entries > 0 || self.offered > 0 || !self.reactions.is_empty();
        !has_sums && !self.has_votes && self.online.is_none()
    }

    /// Returns the pulse, which is sent now.
    pub(crate) fn take(&mut self) -> Pulse {
        let has_votes = std::mem::take(&mut self.has_votes);
        self.has_newcomers &= !has_votes;
        let online = self.online.take();
        self.online_sent = online.or(self.online_sent);
        Pulse {
            likes: std::mem::take(&mut self.likes),
            entries: std::mem::take(&mut self.entries),
            online,
            reactions: std::mem::take(&mut self.reactions),
            polls: if has_votes { self.poll.iter().cloned().collect() } else { Vec::new() },
            offered: std::mem::take(&mut self.offered),
            shown: std::mem::take(&mut self.shown),
        }
    }

    /// Drops the sums that wait; returns the likes, entries and reactions in them. Votes stay: they
    /// are totals, and the next pulse carries them.
    pub(crate) fn drop_sums(&mut self) -> u64 {
        self.online = None;
        (self.offered, self.shown) = (0, 0);
        let sums = [std::mem::take(&mut self.likes), std::mem::take(&mut self.entries)];
        let reactions = std::mem::take(&mut self.reactions).into_values();
        sums.into_iter().chain(reactions).fold(0, u64::saturating_add)
    }
}

/// Adds a pulse to one that a part of the viewers has not been sent yet.
pub(crate) fn merge(into: &mut Pulse, pulse: &Pulse) {
    into.likes += pulse.likes;
    into.entries += pulse.entries;
    into.offered += pulse.offered;
    into.shown += pulse.shown;
    into.online = pulse.online.or(into.online);
    add_reactions(&mut into.reactions, &pulse.reactions);
    if !pulse.polls.is_empty() {
        into.polls.clone_from(&pulse.polls);
    }
}

fn add_reactions(into: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (name, count) in more {
        if let Some(sum) = into.get_mut(name) {
            *sum = sum.saturating_add(*count);
        } else if into.len() < REACTIONS_MAX {
            into.insert(name.clone(), *count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(id: &str, votes: &[u64]) -> PulseDraft {
        let counts = PollCounts { id: id.parse().unwrap(), votes: votes.to_vec() };
        PulseDraft { poll: Some(counts), ..PulseDraft::default() }
    }

    fn taken(sums: &mut PulseSums) -> Vec<Vec<u64>> {
        sums.take().polls.into_iter().map(|counts| counts.votes).collect()
    }

    #[test]
    fn votes_are_totals_that_never_fall_and_are_sent_once() {
        let mut sums = PulseSums::default();
        for draft in [[1, 2], [5, 2], [4, 2]] {
            sums.add(&votes("p", &draft));
        }
        assert_eq!(taken(&mut sums), [[5, 2]]);
        sums.add(&votes("p", &[5, 2]));
        assert!(sums.is_empty(), "the viewers have them");
        sums.add(&votes("q", &[0, 0]));
        assert_eq!(taken(&mut sums), [[0, 0]], "another poll begins at zero");
    }

    #[test]
    fn newcomers_get_the_votes_with_the_next_draft() {
        let mut sums = PulseSums::default();
        sums.add(&votes("p", &[5, 2]));
        sums.take();
        sums.note_newcomers();
        assert!(sums.is_empty(), "the poll may have ended");
        sums.add(&votes("p", &[5, 2]));
        assert_eq!(taken(&mut sums), [[5, 2]]);
        sums.add(&votes("p", &[5, 2]));
        assert!(sums.is_empty());
    }

    #[test]
    fn reactions_are_summed_by_name_and_names_are_bounded() {
        let mut sums = PulseSums::default();
        for n in 0..100 {
            let reactions = [("fire".to_owned(), 2), (format!("r{n}"), 1)].into();
            sums.add(&PulseDraft { reactions, offered: 10, shown: 3, ..PulseDraft::default() });
        }
        let mut pulse = sums.take();
        assert_eq!((pulse.reactions["fire"], pulse.reactions.len()), (200, REACTIONS_MAX));
        assert_eq!((pulse.offered, pulse.shown), (1_000, 300));
        merge(&mut pulse, &Pulse { reactions: [("fire".to_owned(), 1)].into(), ..Pulse::default() });
        assert_eq!(pulse.reactions["fire"], 201);
        sums.add(&PulseDraft { likes: 1, ..PulseDraft::default() });
        assert_eq!((sums.drop_sums(), sums.is_empty()), (1, true));
    }
}
