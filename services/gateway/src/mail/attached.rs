//! The index of attached users: which connections of this gateway want a user's mail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use barrage_bus::UserHash;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A connection that wants mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// WebSocket: its shard, and the address of its viewer there.
    Viewer { shard: u16, address: usize },
    /// Event stream: the id of its listener.
    Listener(u64),
}

/// Nearly every user has one connection: further ones are behind a pointer, so that an entry stays small.
#[derive(Debug)]
enum Slots {
    One(Slot),
    Several(Box<Several>),
}

#[derive(Debug)]
struct Several {
    slots: Vec<Slot>,
}

/// Attached users, and those whose attachment changed since the last announcement. Bounded by the viewers that the
/// gateway admits, and by the connections of one user.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    is_open: AtomicBool,
    state: Mutex<State>,
    /// Wakes the task that announces changes.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<UserHash, Slots>,
    /// Users that changed, and whether they are attached now.
    changes: HashMap<UserHash, bool>,
    /// Time of the oldest attach among the changes.
    waits_since: Option<Duration>,
}

/// What changed since the last announcement.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AttachedChanges {
    pub(crate) attached: Vec<UserHash>,
    pub(crate) detached: Vec<UserHash>,
    /// Time of the oldest attach, by the clock of [`Attached::add`].
    pub(crate) waits_since: Option<Duration>,
}

impl Slots {
    fn as_slice(&self) -> &[Slot] {
        match self {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Several(several) => &several.slots,
        }
    }
}

impl Attached {
    /// Lets viewers attach: the gateway has a way of mail.
    pub(crate) fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Adds a connection of a user, at a time of a steady clock.
    pub(crate) fn add(&self, user: UserHash, slot: Slot, now: Duration) {
        let mut state = self.state.lock();
        let State { users, changes, waits_since } = &mut *state;
        match users.get_mut(&user) {
            None => {
                users.insert(user, Slots::One(slot));
                changes.insert(user, true);
                waits_since.get_or_insert(now);
                self.changed.notify_one();
            }
            Some(slots @ Slots::One(_)) => {
                let first = slots.as_slice()[0];
                *slots = Slots::Several(Box::new(Several { slots: vec![first, slot] }));
            }
            Some(Slots::Several(several)) => several.slots.push(slot),
        }
    }

    /// Removes a connection of a user.
    pub(crate) fn remove(&self, user: &UserHash, slot: Slot) {
        let mut state = self.state.lock();
        let State { users, changes, .. } = &mut *state;
        let is_last = match users.get_mut(user) {
            None => false,
            Some(Slots::One(only)) => *only == slot,
            Some(Slots::Several(several)) => {
                several.slots.retain(|other| *other != slot);
                several.slots.is_empty()
            }
        };
        if is_last {
            users.remove(user);
            changes.insert(*user, false);
            self.changed.notify_one();
        }
    }

    /// Calls for each connection of the users, under one lock.
    pub(crate) fn for_each_slot(&self, users: &[UserHash], mut call: impl FnMut(Slot, UserHash)) {
        let state = self.state.lock();
        for user in users {
            let slots = state.users.get(user).map_or(&[][..], Slots::as_slice);
            slots.iter().for_each(|slot| call(*slot, *user));
        }
    }

    /// Takes the users that attached and those that detached since the last call.
    pub(crate) fn take_changes(&self) -> AttachedChanges {
        let (changes, waits_since) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.changes), state.waits_since.take())
        };
        let mut taken = AttachedChanges { waits_since, ..AttachedChanges::default() };
        for (user, is_there) in changes {
            let users = if is_there { &mut taken.attached } else { &mut taken.detached };
            users.push(user);
        }
        taken
    }

    /// Returns all attached users in parts of at most `part_users_max`, at least one part. Forgets the changes:
    /// they are in the parts.
    pub(crate) fn take_all(&self, part_users_max: usize) -> Vec<Vec<UserHash>> {
        let mut state = self.state.lock();
        (state.changes, state.waits_since) = (HashMap::new(), None);
        let mut users = state.users.keys().copied();
        let parts = state.users.len().div_ceil(part_users_max.max(1)).max(1);
        (0..parts).map(|_| users.by_ref().take(part_users_max).collect()).collect()
    }

    /// Number of attached users.
    pub(crate) fn users(&self) -> usize {
        self.state.lock().users.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(9);

    fn changes(attached: &Attached) -> (Vec<UserHash>, Vec<UserHash>) {
        let AttachedChanges { attached, detached, .. } = attached.take_changes();
        (attached, detached)
    }

    fn user(number: u8) -> UserHash {
        UserHash::from_bytes([number; 16])
    }

    fn slot(address: usize) -> Slot {
        Slot::Viewer { shard: 1, address }
    }

    fn slots(attached: &Attached, number: u8) -> Vec<usize> {
        let mut found = Vec::new();
        attached.for_each_slot(&[user(number)], |slot, _| match slot {
            Slot::Viewer { address, .. } => found.push(address),
            Slot::Listener(id) => panic!("no listener {id} is attached"),
        });
        found
    }

    #[test]
    fn user_is_announced_with_its_first_connection_and_its_last() {
        let attached = Attached::default();
        attached.add(user(1), slot(7), NOW);
        assert_eq!(changes(&attached), (vec![user(1)], Vec::new()));
        attached.add(user(1), slot(8), NOW);
        attached.add(user(1), slot(9), NOW);
        attached.remove(&user(1), slot(7));
        attached.remove(&user(1), slot(77));
        assert_eq!(changes(&attached), (Vec::new(), Vec::new()));
        assert_eq!(slots(&attached, 1), [8, 9]);
        attached.remove(&user(1), slot(8));
        attached.remove(&user(1), slot(9));
        assert_eq!(changes(&attached), (Vec::new(), vec![user(1)]));
        assert_eq!((slots(&attached, 1), attached.users()), (Vec::new(), 0));
    }

    #[test]
    fn only_the_last_state_of_a_user_is_announced() {
        let attached = Attached::default();
        for _ in 0..1_000 {
            attached.add(user(1), slot(7), NOW);
            attached.remove(&user(1), slot(7));
        }
        attached.add(user(2), slot(8), NOW);
        assert_eq!(attached.state.lock().changes.len(), 2);
        assert_eq!(attached.take_all(10), [[user(2)]]);
        assert_eq!(changes(&attached), (Vec::new(), Vec::new()));
    }

    #[test]
    fn changes_wait_since_the_first_attach_among_them() {
        let attached = Attached::default();
        attached.add(user(1), slot(7), NOW);
        attached.add(user(2), slot(8), NOW + Duration::from_secs(1));
        assert_eq!(attached.take_changes().waits_since, Some(NOW));
        attached.remove(&user(1), slot(7));
        assert_eq!(attached.take_changes().waits_since, None, "who has gone needs no bell");
    }

    #[test]
    fn all_users_are_in_parts_of_a_size() {
        let attached = Attached::default();
        assert_eq!(
            attached.take_all(3),
            [Vec::new()],
            "a gateway without viewers announces that it has none"
        );
        for number in 0..7 {
            attached.add(user(number), slot(number.into()), NOW);
        }
        let parts = attached.take_all(3);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
        let mut all: Vec<_> = parts.concat();
        all.sort();
        assert_eq!(all, (0..7).map(user).collect::<Vec<_>>());
    }

    /// A viewer that is attached and gets no mail has no box: the index is all that it costs.
    #[test]
    fn attached_viewer_costs_at_most_80_bytes() {
        for users in [1_000_u32, 15_000, 20_000] {
            let attached = Attached::default();
            for number in 0..users {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&number.to_be_bytes());
                attached.add(UserHash::from_bytes(bytes), slot(number as usize), NOW);
            }
            drop(attached.take_changes());
            // Tables double when they are 7/8 full, with one byte of control for each slot.
            let slots = (attached.state.lock().users.capacity() * 8).div_ceil(7);
            let index = slots * (size_of::<(UserHash, Slots)>() + 1) / users as usize;
            assert!(index <= 80, "{index} bytes for each of {users} viewers");
        }
    }
}
