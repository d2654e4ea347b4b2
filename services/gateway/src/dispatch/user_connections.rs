use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use barrage_protocol::UserId;
use parking_lot::Mutex;

/// Key of one connection at the part of the gateway that owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// WebSocket: its shard, and the address of its viewer there.
    Viewer { shard: u16, address: usize },
    /// Event stream: the id of its listener.
    Listener(u64),
}

/// Connections of each user at this gateway, oldest first: notices, kicks and revocations find a
/// user's devices by one look-up, whatever the number of viewers.
///
/// Users are kept as 64-bit hashes, so that a user with one connection costs some 50 bytes. Two
/// users with the same hash would share one limit; the owner of a connection compares the whole id
/// before it sends or closes. Bounded by the viewers that the gateway admits.
#[derive(Debug)]
pub(crate) struct UserConnections {
    hasher: RandomState,
    by_user: Mutex<HashMap<u64, Held>>,
}

#[derive(Debug)]
enum Held {
    One(Connection),
    Several(Vec<Connection>),
}

impl UserConnections {
    pub(crate) fn new() -> Self {
        UserConnections { hasher: RandomState::new(), by_user: Mutex::default() }
    }

    /// Counts a connection. When there are more than `max`, returns the oldest, which must close and
    /// is not counted any more.
    pub(crate) fn add(&self, user: &UserId, connection: Connection, max: usize) -> Option<Connection> {
        let key = self.hasher.hash_one(user);
        let mut by_user = self.by_user.lock();
        let Some(held) = by_user.get_mut(&key) else {
            by_user.insert(key, Held::One(connection));
            return None;
        };
        let several = match held {
            Held::One(first) => {
                *held = Held::Several(vec![*first, connection]);
                let Held::Several(several) = held else { return None };
                several
            }
            Held::Several(several) => {
                several.push(connection);
                several
            }
        };
        (several.len() > max.max(1)).then(|| several.remove(0))
    }

    /// Returns the connections of a user, at most as many as `add` allows.
    pub(crate) fn of(&self, user: &UserId) -> Vec<Connection> {
        match self.by_user.lock().get(&self.hasher.hash_one(user)) {
            Some(Held::One(only)) => vec![*only],
            Some(Held::Several(several)) => several.clone(),
            None => Vec::new(),
        }
    }

    /// Ends the count of a connection; does nothing when the connection is not counted.
    pub(crate) fn remove(&self, user: &UserId, connection: Connection) {
        let (mut by_user, key) = (self.by_user.lock(), self.hasher.hash_one(user));
        let is_last = match by_user.get_mut(&key) {
            Some(Held::One(only)) => *only == connection,
            Some(Held::Several(several)) => {
                several.retain(|held| *held != connection);
                several.is_empty()
            }
            None => false,
        };
        if is_last {
            by_user.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowd(users: usize) -> UserConnections {
        let connections = UserConnections::new();
        for n in 0..users {
            let user = format!("viewer-{n}").parse().unwrap();
            connections.add(&user, Connection::Viewer { shard: 0, address: n }, 20);
        }
        connections
    }

    #[test]
    fn devices_of_a_user_are_found_among_all_viewers() {
        let connections = crowd(1_000);
        let (user, other): (UserId, UserId) = ("viewer-7".parse().unwrap(), "nobody".parse().unwrap());
        let phone = Connection::Viewer { shard: 0, address: 7 };
        let (desk, tv) = (Connection::Viewer { shard: 3, address: 9 }, Connection::Listener(5));
        connections.add(&user, desk, 20);
        connections.add(&user, tv, 20);
        assert_eq!(connections.of(&user), [phone, desk, tv]);
        connections.remove(&user, desk);
        assert_eq!(connections.of(&user), [phone, tv]);
        assert!(connections.of(&other).is_empty());
    }

    /// A walk over all viewers would cost a thousand times as much in the larger crowd.
    #[test]
    fn cost_of_a_look_up_does_not_grow_with_the_viewers() {
        let users: Vec<UserId> = (0..100).map(|n| format!("viewer-{n}").parse().unwrap()).collect();
        let cost = |connections: &UserConnections| {
            let fastest = (0..20).map(|_| {
                let began = barrage_clock::now();
                let found: usize = users.iter().map(|user| connections.of(user).len()).sum();
                assert_eq!(found, users.len());
                began.elapsed()
            });
            fastest.min().unwrap()
        };
        let (few, many) = (crowd(100), crowd(100_000));
        let (of_few, of_many) = (cost(&few), cost(&many));
        assert!(of_many < of_few * 50, "{of_few:?} with 100 viewers, {of_many:?} with 100,000");
    }

    /// The table doubles when it is 7/8 full, with one byte of control for each slot.
    #[test]
    fn viewer_with_one_connection_costs_at_most_80_bytes() {
        for users in [1_000, 15_000, 20_000] {
            let slots = (crowd(users).by_user.lock().capacity() * 8).div_ceil(7);
            let bytes = slots * (size_of::<(u64, Held)>() + 1) / users;
            assert!(bytes <= 80, "{bytes} bytes for each of {users} viewers");
        }
    }

    #[test]
    fn the_oldest_connection_of_a_user_is_closed_over_the_limit() {
        let connections = UserConnections::new();
        let (user, other): (UserId, UserId) = ("u".parse().unwrap(), "v".parse().unwrap());
        let viewer = |address| Connection::Viewer { shard: 1, address };
        assert_eq!(connections.add(&user, viewer(1), 2), None);
        assert_eq!(connections.add(&other, viewer(9), 2), None);
        assert_eq!(connections.add(&user, Connection::Listener(2), 2), None);
        assert_eq!(connections.add(&user, viewer(3), 2), Some(viewer(1)));
        connections.remove(&user, viewer(1));
        assert_eq!(connections.add(&user, viewer(4), 2), Some(Connection::Listener(2)));
        for address in [3, 4] {
            connections.remove(&user, viewer(address));
        }
        connections.remove(&other, viewer(9));
        assert!(connections.by_user.lock().is_empty());
    }
}
