//! Scenarios: a part of the system, its surroundings, and the obligations that it has.

mod archive;
mod batches;
mod chain;
mod kind;
mod lease;
mod log;
mod moves;
mod sending;

pub use self::kind::{Broken, Kind, Scenario};

/// Scenarios by the remainder of a seed: those that are quick to run have more seeds.
const OF_SEEDS: [usize; 13] = [0, 1, 2, 3, 4, 5, 6, 0, 2, 6, 7, 8, 8];

/// All scenarios, by which seeds are named.
pub const KINDS: &[Kind] = &[
    chain::KIND,
    log::DEDUP,
    lease::KIND,
    log::POWER,
    archive::ARCHIVE,
    archive::WEBHOOKS,
    moves::KIND,
    sending::SENDING,
    batches::BATCHES,
];

/// Returns a scenario by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Returns the scenario of a seed.
#[must_use]
pub fn of_seed(seed: u64) -> &'static Kind {
    &KINDS[OF_SEEDS[(seed % OF_SEEDS.len() as u64) as usize]]
}
