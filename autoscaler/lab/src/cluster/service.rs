//! A simulated plain service: connections go to all ready gateways in turn.

use barrage_scaling::{Knee, Phase};

use super::fleet::Fleet;

/// Joins that a gateway accepts before the kernel's queue is full, as a multiple of its knee.
const JOINS_MAX: f64 = 3.0;
/// Connections that a gateway accepts before it runs out of descriptors, as a multiple of its
/// knee.
const CONNECTIONS_MAX: f64 = 1.25;
/// Share of the refused viewers that tries again within a second: clients wait for a random time
/// of up to five seconds.
const RETRY_SHARE: f64 = 0.4;

/// Places newcomers and viewers that try again. Returns the viewers that wait afterwards.
pub(crate) fn place(fleet: &mut Fleet, knee: &Knee, newcomers: f64, waiting: f64) -> f64 {
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
