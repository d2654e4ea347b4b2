//! Size and duration of a load.

use barrage_protocol::RoomId;
use barrage_protocol::entry::Transport;

/// Viewers, rates and duration of a load.
#[derive(Debug, Clone)]
pub struct Load {
    /// Number of rooms; messages and viewers go to them in turn.
    pub rooms: usize,
    /// Number of viewers, over all rooms.
    pub viewers: usize,
    /// Gifts a second, over all rooms.
    pub gifts_per_s: u64,
    /// Chat messages a second, over all rooms.
    pub chats_per_s: u64,
    /// Duration of the posts in seconds.
    pub secs: u64,
    /// Transports of the viewers, the best one first.
    pub transports: Vec<Transport>,
    /// Role of the writer's token; quotas count roles below `host` alone.
    pub role: &'static str,
    /// Letters that each chat message has beside its own text, three bytes each.
    pub padding: usize,
    /// Whether viewers know the list of entry's fallback from the start.
    pub has_fallback: bool,
}

impl Load {
    /// Returns a load of 20 gifts and 60 chat messages a second.
    #[must_use]
    pub fn new(rooms: usize, viewers: usize, secs: u64) -> Load {
        Load {
            rooms,
            viewers,
            gifts_per_s: 20,
            chats_per_s: 60,
            secs,
            transports: vec![Transport::Ws, Transport::Sse, Transport::Poll],
            role: "host",
            padding: 0,
            has_fallback: false,
        }
    }

    /// Changes the rates of gifts and of chat.
    #[must_use]
    pub fn rates(mut self, gifts_per_s: u64, chats_per_s: u64) -> Load {
        (self.gifts_per_s, self.chats_per_s) = (gifts_per_s, chats_per_s);
        self
    }

    /// Number of gifts of the whole load.
    #[must_use]
    pub fn gifts(&self) -> usize {
        usize::try_from(self.gifts_per_s * self.secs).unwrap()
    }

    /// Number of chat messages of the whole load.
    #[must_use]
    pub fn chats(&self) -> usize {
        usize::try_from(self.chats_per_s * self.secs).unwrap()
    }

    /// Number of viewers of a room.
    #[must_use]
    pub fn viewers_of(&self, room: usize) -> u64 {
        (0..self.viewers).filter(|viewer| viewer % self.rooms == room).count() as u64
    }

    /// Id of a room by its number.
    #[must_use]
    pub fn room(number: usize) -> RoomId {
        format!("fault-{number}").parse().unwrap()
    }
}
