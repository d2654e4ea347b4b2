//! The index of attached users: which connections of this gateway want a user's mail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Nearly every user has one connection.
#[derive(Debug)]
enum Slots {
    One(Slot),
    Several(Vec<Slot>),
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
}

impl Slots {
    fn as_slice(&self) -> &[Slot] {
        match self {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Several(slots) => slots,
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

    /// Adds a connection of a user.
    pub(crate) fn add(&self, user: UserHash, slot: Slot) {
        let mut state = self.state.lock();
        let State { users, changes } = &mut *state;
        match users.get_mut(&user) {
            None => {
                users.insert(user, Slots::One(slot));
                changes.insert(user, true);
                self.changed.notify_one();
            }
            Some(slots @ Slots::One(_)) => {
                let first = slots.as_slice()[0];
                *slots = Slots::Several(vec![first, slot]);
            }
            Some(Slots::Several(several)) => several.push(slot),
        }
    }

    /// Removes a connection of a user.
    pub(crate) fn remove(&self, user: &UserHash, slot: Slot) {
        let mut state = self.state.lock();
        let State { users, changes } = &mut *state;
        let is_last = match users.get_mut(user) {
            None => false,
            Some(Slots::One(only)) => *only == slot,
            Some(Slots::Several(several)) => {
                several.retain(|other| *other != slot);
                several.is_empty()
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
    pub(crate) fn take_changes(&self) -> (Vec<UserHash>, Vec<UserHash>) {
        let changes = std::mem::take(&mut self.state.lock().changes);
        let (attached, detached): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(_, is_there)| *is_there);
        let users = |changed: Vec<(UserHash, bool)>| changed.into_iter().map(|(user, _)| user).collect();
        (users(attached), users(detached))
    }

    /// Returns all attached users, and forgets the changes: they are among them.
    pub(crate) fn take_all(&self) -> Vec<UserHash> {
        let mut state = self.state.lock();
        state.changes = HashMap::new();
        state.users.keys().copied().collect()
    }

    /// Number of attached users.
    pub(crate) fn users(&self) -> usize {
        self.state.lock().users.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        attached.add(user(1), slot(7));
        assert_eq!(attached.take_changes(), (vec![user(1)], Vec::new()));
        attached.add(user(1), slot(8));
        attached.add(user(1), slot(9));
        attached.remove(&user(1), slot(7));
        attached.remove(&user(1), slot(77));
        assert_eq!(attached.take_changes(), (Vec::new(), Vec::new()));
        assert_eq!(slots(&attached, 1), [8, 9]);
        attached.remove(&user(1), slot(8));
        attached.remove(&user(1), slot(9));
        assert_eq!(attached.take_changes(), (Vec::new(), vec![user(1)]));
        assert_eq!((slots(&attached, 1), attached.users()), (Vec::new(), 0));
    }

    #[test]
    fn only_the_last_state_of_a_user_is_announced() {
        let attached = Attached::default();
        for _ in 0..1_000 {
            attached.add(user(1), slot(7));
            attached.remove(&user(1), slot(7));
        }
        attached.add(user(2), slot(8));
        assert_eq!(attached.state.lock().changes.len(), 2);
        assert_eq!(attached.take_all(), [user(2)]);
        assert_eq!(attached.take_changes(), (Vec::new(), Vec::new()));
    }

    /// Together with the box of the viewer, at most 256 bytes.
    #[test]
    fn attached_viewer_costs_at_most_256_bytes() {
        for users in [1_000_u32, 15_000, 20_000] {
            let attached = Attached::default();
            for number in 0..users {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&number.to_be_bytes());
                attached.add(UserHash::from_bytes(bytes), slot(number as usize));
            }
            drop(attached.take_changes());
            // Tables double when they are 7/8 full, with one byte of control for each slot.
            let slots = (attached.state.lock().users.capacity() * 8).div_ceil(7);
            let index = slots * (size_of::<(UserHash, Slots)>() + 1) / users as usize;
            let boxes = 16 * (size_of::<(usize, super::super::MailBox)>() + 1) / 7;
            assert!(index + boxes <= 256, "{index} + {boxes} bytes for each of {users} viewers");
        }
    }
}
