//! A plain service: connections in turn over whatever is ready.

use barrage_scaling::{Knee, Phase};

use super::fleet::Fleet;

/// A gateway accepts this multiple of its join knee before the kernel's queue is full.
const JOINS_MAX: f64 = 3.0;
/// A gateway has this multiple of its connection knee before it runs out of
/// descriptors.
const CONNECTIONS_MAX: f64 = 1.25;
/// Share of those who were turned away that tries again within a second: clients wait
/// a random time of up to five.
const RETRY_SHARE: f64 = 0.4;

/// Places newcomers and those who try again; returns how many wait after it.
pub(super) fn place(fleet: &mut Fleet, knee: &Knee, newcomers: f64, waiting: f64) -> f64 {
    let retrying = waiting * RETRY_SHARE;
    let ready = fleet.ready().count();
    if ready == 0 {
        return newcomers + waiting;
    }
    let each = (newcomers + retrying) / ready as f64;
    let mut placed = 0.0;
    for gateway in fleet.gateways.iter_mut().filter(|gateway| gateway.phase == Phase::Ready) {
        let room = (CONNECTIONS_MAX * knee.connections - gateway.viewers).max(0.0);
        let accepted = each.min(JOINS_MAX * knee.joins_per_s).min(room);
        gateway.viewers += accepted;
        gateway.joins += accepted;
        placed += accepted;
    }
    (newcomers + waiting - placed).max(0.0)
}
