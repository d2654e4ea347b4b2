//! The heartbeat over simulated NATs, in simulated time: how many heartbeats it costs, and how long it takes
//! until a client notices a loss.

mod figures;
mod nat;
mod run;

pub use figures::{Figures, Summary};
pub use nat::{Direction, SimulatedNat};
pub use run::simulate;

use super::heartbeat::{Manner, Terms};

/// Terms of the server in these simulations: the defaults of a gateway.
const TERMS: Terms = Terms { interval_ms: 25_000, manner: Manner::Adaptive(270_000) };
/// Simulated hours of each case of [`summary`].
const HOURS: u64 = 24;

/// One simulated client and its network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scenario {
    /// Name of the case in reports.
    pub name: &'static str,
    /// NAT between client and server.
    pub nat: SimulatedNat,
    /// Terms of the server.
    pub terms: Terms,
    /// Simulated time in hours.
    pub hours: u64,
    /// Mean seconds between two batches of the room; 0 for a silent room.
    pub batch_every_s: u64,
    /// Mean seconds between two posts of the user; 0 for a user who only watches.
    pub post_every_s: u64,
    /// Mean seconds between two losses that have no relation to idling, such as a gateway whose machine
    /// fails; 0 for none.
    pub failure_every_s: u64,
    /// Seed of the random times.
    pub seed: u64,
}

/// NATs that the heartbeat is measured with (the last two mislead the search), in a quiet room with a user who posts every twenty
/// minutes and a failure every six hours.
#[must_use]
pub fn scenarios() -> [Scenario; 6] {
    let nats = [
        ("nat 30 s", SimulatedNat::Fixed(30)),
        ("nat 90 s", SimulatedNat::Fixed(90)),
        ("nat 4 min", SimulatedNat::Fixed(240)),
        ("nat 15 min", SimulatedNat::Fixed(900)),
        ("nat that changes", SimulatedNat::Changing { limits_s: [240, 60], every_s: 6 * 3_600 }),
        ("nat that drops one way", SimulatedNat::OneWay { limit_s: 120, dropped: Direction::Inbound }),
    ];
    let mut seed = 0;
    nats.map(|(name, nat)| {
        seed += 1;
        Scenario {
            name,
            nat,
            terms: TERMS,
            hours: HOURS,
            batch_every_s: 0,
            post_every_s: 1_200,
            failure_every_s: 6 * 3_600,
            seed,
        }
    })
}

/// Runs all [`scenarios`] and returns the figures of a benchmark.
#[must_use]
pub fn summary() -> Summary {
    Summary::of(&scenarios().map(|scenario| simulate(&scenario)))
}
