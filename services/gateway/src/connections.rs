//! How many connections each user has at this gateway; over the limit the oldest ends.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use barrage_protocol::UserId;

/// One connection, as the part of the gateway that owns it finds it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// A WebSocket: its shard, and the address of its viewer there.
    Viewer { shard: u16, address: usize },
    /// An event stream: the id of its listener.
    Listener(u64),
}

/// Connections by user, oldest first; users are kept as 64-bit hashes, so that a user with
/// one connection costs some 50 bytes. Two users with one hash would share one limit.
#[derive(Debug)]
pub(crate) struct Connections {
    hasher: RandomState,
    by_user: Mutex<HashMap<u64, Held>>,
}

#[derive(Debug)]
enum Held {
    One(Connection),
    Several(Vec<Connection>),
}

impl Connections {
    pub(crate) fn new() -> Self {
        Connections { hasher: RandomState::new(), by_user: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection; returns the oldest one, which must end, when there are more than
    /// `max`. That one is not counted any more.
    pub(crate) fn enter(&self, user: &UserId, connection: Connection, max: usize) -> Option<Connection> {
        let key = self.hasher.hash_one(user);
        let mut by_user = self.lock();
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

    /// The connection has ended; one that is not counted is left alone.
    pub(crate) fn leave(&self, user: &UserId, connection: Connection) {
        let (mut by_user, key) = (self.lock(), self.hasher.hash_one(user));
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

    #[test]
    fn the_oldest_connection_of_a_user_gives_way() {
        let connections = Connections::new();
        let (user, other): (UserId, UserId) = ("u".parse().unwrap(), "v".parse().unwrap());
        let viewer = |address| Connection::Viewer { shard: 1, address };
        assert_eq!(connections.enter(&user, viewer(1), 2), None);
        assert_eq!(connections.enter(&other, viewer(9), 2), None);
        assert_eq!(connections.enter(&user, Connection::Listener(2), 2), None);
        assert_eq!(connections.enter(&user, viewer(3), 2), Some(viewer(1)));
        connections.leave(&user, viewer(1));
        assert_eq!(connections.enter(&user, viewer(4), 2), Some(Connection::Listener(2)));
        for address in [3, 4] {
            connections.leave(&user, viewer(address));
        }
        connections.leave(&other, viewer(9));
        assert!(connections.lock().is_empty());
    }
}
