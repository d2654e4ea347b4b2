use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, Message, UserId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use super::lobby::Lobby;
use super::{Arrival, Command, Connection, Listeners, UserConnections};
use crate::admission::{Eviction, Scope};

/// Reaches the viewers of all transports: WebSockets through their shards, event streams and polls
/// through their listeners.
#[derive(Debug)]
pub(crate) struct Dispatch {
    shards: Box<[mpsc::Sender<Command>]>,
    next_shard: AtomicUsize,
    lobby: Lobby<Arrival>,
    pub(crate) listeners: Arc<Listeners>,
    connections: UserConnections,
}

impl Dispatch {
    pub(crate) fn new(shards: Vec<mpsc::Sender<Command>>) -> Self {
        Dispatch {
            shards: shards.into(),
            next_shard: AtomicUsize::new(0),
            lobby: Lobby::new(),
            listeners: Arc::default(),
            connections: UserConnections::new(),
        }
    }

    /// Command queues of all shards; the position is the shard's index.
    pub(crate) fn shards(&self) -> &[mpsc::Sender<Command>] {
        &self.shards
    }

    /// Chooses the shard of the next viewer, in turn.
    fn next_shard(&self) -> usize {
        self.next_shard.fetch_add(1, Ordering::Relaxed) % self.shards.len()
    }

    /// Takes an arrival whose slot comes after `wait`. Without a wait it goes to its shard with the next
    /// call of [`Dispatch::settle`].
    pub(crate) fn arrive(&self, arrival: Arrival, wait: Duration) {
        if wait.is_zero() {
            self.lobby.add(arrival);
        } else {
            self.lobby.wait(Instant::now() + wait, arrival);
        }
    }

    /// Sends the arrivals that need not wait to their shards: one command to each. Those of a full shard
    /// wait. Returns the number of connections that are closed because their shard has ended.
    pub(crate) fn settle(&self) -> usize {
        let mut lost = 0;
        for (shard, handful) in self.by_shard(self.lobby.take_handful()) {
            match shard.try_send(Command::Adopt(handful)) {
                Err(TrySendError::Full(Command::Adopt(handful))) => {
                    let now = Instant::now();
                    handful.into_iter().for_each(|arrival| self.lobby.wait(now, arrival));
                }
                Err(TrySendError::Closed(Command::Adopt(handful))) => lost += handful.len(),
                Ok(()) | Err(_) => {}
            }
        }
        lost
    }

    /// Waits for the next slots of arrivals, and sends these arrivals to their shards; waits when all queues
    /// are full. Returns the number of connections that are closed because their shard has ended.
    pub(crate) async fn release(&self) -> usize {
        let due = self.lobby.due().await;
        self.adopt(due).await
    }

    /// Sends arrivals to their shards; waits when the queues of all shards are full. Returns the number of
    /// connections that are closed because their shard has ended.
    pub(crate) async fn adopt(&self, arrivals: Vec<Arrival>) -> usize {
        let mut lost = 0;
        for (shard, handful) in self.by_shard(arrivals) {
            let arrivals = handful.len();
            if !self.send_to_any(shard, Command::Adopt(handful)).await {
                lost += arrivals;
            }
        }
        lost
    }

    /// Sends a command to a shard, or to another one while that shard's queue is full: a shard that stands
    /// still does not stop the joins of the others. Waits for the first one when all queues are full.
    /// Returns false when the shard has ended.
    async fn send_to_any(&self, first: &mpsc::Sender<Command>, mut command: Command) -> bool {
        for shard in std::iter::once(first).chain(self.shards.iter()) {
            match shard.try_send(command) {
                Ok(()) => return true,
                Err(TrySendError::Full(refused)) => command = refused,
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        first.send(command).await.is_ok()
    }

    /// Number of arrivals that wait for their slot.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.lobby.waiting()
    }

    /// Closes the connections that wait for their slot, at the end of the gateway.
    pub(crate) fn close_waiting(&self) {
        self.lobby.clear();
    }

    /// Spreads arrivals over the shards, in turn.
    fn by_shard(
        &self,
        arrivals: Vec<Arrival>,
    ) -> impl Iterator<Item = (&mpsc::Sender<Command>, Vec<Arrival>)> {
        let mut handfuls: Vec<Vec<Arrival>> = Vec::new();
        if !arrivals.is_empty() {
            handfuls.resize_with(self.shards.len(), Vec::new);
        }
        for arrival in arrivals {
            handfuls[self.next_shard()].push(arrival);
        }
        self.shards.iter().zip(handfuls).filter(|(_, handful)| !handful.is_empty())
    }

    /// Sends a command to all shards; waits for full queues. A shard that has ended is skipped.
    pub(crate) async fn broadcast(&self, command: impl Fn() -> Command) {
        for shard in &self.shards {
            let _ended = shard.send(command()).await;
        }
    }

    /// Closes the connections that the eviction concerns. One user's are found by a look-up; a scope
    /// of many is a walk over the viewers of each shard.
    pub(crate) async fn evict(&self, eviction: Eviction) {
        let eviction = Arc::new(eviction);
        self.listeners.evict(&eviction);
        match &eviction.scope {
            Scope::User(user) => {
                self.to_sockets_of(user, |address| {
                    let eviction = Arc::clone(&eviction);
                    Command::EvictAt { address, eviction }
                })
                .await;
            }
            Scope::Everyone | Scope::Users => {
                self.broadcast(|| Command::Evict(Arc::clone(&eviction))).await;
            }
        }
    }

    /// Sends a notice to the user's WebSockets.
    pub(crate) async fn notify_sockets(&self, user: &UserId, message: &Arc<Message>) {
        self.to_sockets_of(user, |address| {
            let (user, message) = (user.clone(), Arc::clone(message));
            Command::Notice { address, user, message }
        })
        .await;
    }

    /// Sends a command for each WebSocket of a user to its shard; waits for full queues. The shard
    /// compares the user, because the connection may have gone, and its address may be another's.
    async fn to_sockets_of(&self, user: &UserId, command: impl Fn(usize) -> Command) {
        for connection in self.connections.of(user) {
            let Connection::Viewer { shard, address } = connection else { continue };
            if let Some(shard) = self.shards.get(usize::from(shard)) {
                let _ended = shard.send(command(address)).await;
            }
        }
    }

    /// Counts a connection of a user. Over the limit, closes the oldest of the user's connections.
    pub(crate) fn add_connection(&self, user: &UserId, connection: Connection, max: usize) {
        let Some(oldest) = self.connections.add(user, connection, max) else { return };
        let refusal = Refusal::new(
            Code::TooManyConnections,
            format!("at most {max} connections of one user at a gateway; this was the oldest"),
        );
        match oldest {
            Connection::Listener(id) => self.listeners.evict_one(id, refusal),
            Connection::Viewer { shard, address } => {
                let Some(shard) = self.shards.get(usize::from(shard)).cloned() else { return };
                // In a task of its own, because the caller may be that shard.
                let evict = Command::EvictOne { address, refusal };
                tokio::spawn(async move {
                    let _ended = shard.send(evict).await;
                });
            }
        }
    }

    /// Ends the count of a connection; does nothing when the connection is not counted.
    pub(crate) fn remove_connection(&self, user: &UserId, connection: Connection) {
        self.connections.remove(user, connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispatch(shards: usize) -> (Dispatch, Vec<mpsc::Receiver<Command>>) {
        let (senders, receivers) = (0..shards).map(|_| mpsc::channel(4)).unzip();
        (Dispatch::new(senders), receivers)
    }

    #[tokio::test]
    async fn an_eviction_reaches_all_shards_and_the_listeners() {
        let (dispatch, mut shards) = dispatch(2);
        let room = "demo".parse().unwrap();
        let listening = dispatch.listeners.listen(Some(&room), None);
        // A shard that has ended keeps nothing from the others.
        drop(shards.remove(0));
        dispatch.evict(Eviction::close(room)).await;
        assert!(matches!(shards[0].try_recv(), Ok(Command::Evict(_))));
        assert!(matches!(listening.next().await, super::super::News::Evicted(_)));
    }

    #[tokio::test]
    async fn devices_of_a_user_are_reached_and_no_other_shard_is_woken() {
        let (dispatch, mut shards) = dispatch(3);
        let (user, other): (UserId, UserId) = ("u".parse().unwrap(), "v".parse().unwrap());
        for (shard, address) in [(0, 7), (2, 8)] {
            dispatch.add_connection(&user, Connection::Viewer { shard, address }, 20);
        }
        dispatch.add_connection(&user, Connection::Listener(3), 20);
        dispatch.add_connection(&other, Connection::Viewer { shard: 1, address: 9 }, 20);
        let eviction = Eviction::kick("demo".parse().unwrap(), user);
        dispatch.evict(eviction).await;
        for (shard, expected) in [(0, Some(7)), (1, None), (2, Some(8))] {
            let reached = match shards[shard].try_recv() {
                Ok(Command::EvictAt { address, .. }) => Some(address),
                _ => None,
            };
            assert_eq!(reached, expected, "shard {shard}");
            assert!(shards[shard].try_recv().is_err(), "one command for each device");
        }
    }

    #[tokio::test]
    async fn kick_and_notice_reach_one_user_of_10_000_with_one_command_each() {
        let (dispatch, mut shards) = dispatch(2);
        for n in 0..10_000 {
            let user = format!("viewer-{n}").parse().unwrap();
            let connection = Connection::Viewer { shard: (n % 2) as u16, address: n };
            dispatch.add_connection(&user, connection, 20);
        }
        let user: UserId = "viewer-7777".parse().unwrap();
        dispatch.evict(Eviction::kick("demo".parse().unwrap(), user.clone())).await;
        dispatch.notify_sockets(&user, &crate::room::message(1, barrage_protocol::Class::Signal)).await;
        assert!(matches!(shards[1].try_recv(), Ok(Command::EvictAt { address: 7_777, .. })));
        assert!(matches!(shards[1].try_recv(), Ok(Command::Notice { address: 7_777, .. })));
        for shard in &mut shards {
            assert!(shard.try_recv().is_err(), "no other viewer is reached");
        }
    }

    #[tokio::test]
    async fn the_oldest_connection_of_a_user_is_closed_over_the_limit() {
        let (dispatch, mut shards) = dispatch(2);
        let user = "u".parse().unwrap();
        for address in [7, 8] {
            dispatch.add_connection(&user, Connection::Viewer { shard: 1, address }, 1);
        }
        let command = shards[1].recv().await.unwrap();
        assert!(matches!(command, Command::EvictOne { address: 7, .. }));
    }

    #[tokio::test]
    async fn joins_of_a_shard_that_stands_still_go_to_another_one() {
        let (dispatch, mut shards) = dispatch(2);
        let first = &dispatch.shards[0];
        while first.try_send(Command::CancelDrain).is_ok() {}
        assert!(dispatch.send_to_any(first, Command::Adopt(Vec::new())).await);
        assert!(matches!(shards[1].try_recv(), Ok(Command::Adopt(_))));
        drop(shards);
        assert!(!dispatch.send_to_any(first, Command::Adopt(Vec::new())).await, "all shards have ended");
    }

    #[test]
    fn viewers_are_spread_over_the_shards_in_turn() {
        let (dispatch, _shards) = dispatch(2);
        assert_eq!([(); 3].map(|()| dispatch.next_shard()), [0, 1, 0]);
    }
}
