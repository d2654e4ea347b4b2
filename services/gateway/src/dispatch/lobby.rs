use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Time between two releases. To wake a shard for each join that waits would cost more than the join.
const RELEASE_EVERY: Duration = Duration::from_millis(10);

/// Arrivals on their way to a shard: those of the handful that the accept loop handles now, and those that
/// wait for their slot in the join queue, which need neither a task nor a timer of their own.
///
/// Bounded by the places of the gateway: each arrival has one.
#[derive(Debug)]
pub(super) struct Lobby<T> {
    handful: Mutex<Vec<T>>,
    waiting: Mutex<Waiting<T>>,
    /// Wakes the release when the first slot is another one.
    filled: Notify,
}

impl<T> Lobby<T> {
    pub(super) fn new() -> Self {
        Lobby { handful: Mutex::default(), waiting: Mutex::new(Waiting::new()), filled: Notify::new() }
    }

    /// Adds an arrival whose slot is now.
    pub(super) fn add(&self, arrival: T) {
        self.handful.lock().push(arrival);
    }

    /// Takes the arrivals whose slot is now.
    pub(super) fn take_handful(&self) -> Vec<T> {
        std::mem::take(&mut self.handful.lock())
    }

    /// Lets an arrival wait for its slot.
    pub(super) fn wait(&self, until: Instant, arrival: T) {
        let is_first = self.waiting.lock().push(until, arrival);
        if is_first {
            self.filled.notify_one();
        }
    }

    /// Waits for the next release, and takes the arrivals whose slots have come. Cancel-safe.
    pub(super) async fn due(&self) -> Vec<T> {
        loop {
            let next = self.waiting.lock().next();
            match next {
                None => self.filled.notified().await,
                Some(at) => tokio::select! {
                    biased;
                    () = tokio::time::sleep_until(at) => {
                        let due = self.waiting.lock().take_due(Instant::now());
                        if !due.is_empty() {
                            return due;
                        }
                    }
                    () = self.filled.notified() => {}
                },
            }
        }
    }

    /// Number of arrivals that wait for their slot.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().by_slot.len()
    }

    /// Drops all that wait, at the end of the gateway.
    pub(super) fn clear(&self) {
        self.waiting.lock().by_slot.clear();
    }
}

/// Arrivals by their slots; pure.
#[derive(Debug)]
struct Waiting<T> {
    by_slot: VecDeque<(Instant, T)>,
    released_at: Option<Instant>,
}

impl<T> Waiting<T> {
    const fn new() -> Self {
        Waiting { by_slot: VecDeque::new(), released_at: None }
    }

    /// Adds an arrival; returns whether its slot is the first. Slots are given in order, so that the place is
    /// at the end, or close to it. An arrival that a full shard did not take has its slot now.
    fn push(&mut self, until: Instant, arrival: T) -> bool {
        let place = self.by_slot.partition_point(|(at, _)| *at <= until);
        self.by_slot.insert(place, (until, arrival));
        place == 0
    }

    /// Returns the time of the next release.
    fn next(&self) -> Option<Instant> {
        let (first, _) = self.by_slot.front()?;
        Some(self.released_at.map_or(*first, |at| (*first).max(at + RELEASE_EVERY)))
    }

    fn take_due(&mut self, now: Instant) -> Vec<T> {
        let due = self.by_slot.iter().take_while(|(at, _)| *at <= now).count();
        if due > 0 {
            self.released_at = Some(now);
        }
        self.by_slot.drain(..due).map(|(_, arrival)| arrival).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn arrivals_are_released_in_groups_and_in_the_order_of_their_slots() {
        let (lobby, start) = (Lobby::new(), Instant::now());
        for n in [0_u64, 1, 3, 2, 4, 14, 15] {
            lobby.wait(start + ms(100 + n), n);
        }
        let mut releases = Vec::new();
        for _ in 0..3 {
            let due = lobby.due().await;
            releases.push((start.elapsed().as_millis(), due));
        }
        assert_eq!(releases, [(100, vec![0]), (110, vec![1, 2, 3, 4]), (120, vec![14, 15])]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_release_waits_for_the_next_arrival() {
        let (lobby, start) = (Lobby::new(), Instant::now());
        let later = async {
            tokio::time::sleep(ms(50)).await;
            lobby.wait(start + ms(70), 7);
        };
        let (due, ()) = tokio::join!(lobby.due(), later);
        assert_eq!((due, start.elapsed()), (vec![7], ms(70)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_slot_does_not_wait_for_a_later_one() {
        let (lobby, start) = (Lobby::new(), Instant::now());
        lobby.wait(start + ms(5_000), 2);
        let earlier = async {
            tokio::time::sleep(ms(50)).await;
            lobby.wait(start + ms(70), 1);
        };
        let (due, ()) = tokio::join!(lobby.due(), earlier);
        assert_eq!((due, start.elapsed()), (vec![1], ms(70)));
    }

    #[test]
    fn a_handful_is_taken_once() {
        let lobby = Lobby::new();
        lobby.add(1);
        lobby.add(2);
        assert_eq!((lobby.take_handful(), lobby.take_handful()), (vec![1, 2], vec![]));
    }
}
