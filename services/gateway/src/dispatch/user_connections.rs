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

/// Connections of each user at this gateway, oldest first.
///
/// Users are kept as 64-bit hashes, so that a user with one connection costs some 50 bytes. Two
/// users with the same hash would share one limit.
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
