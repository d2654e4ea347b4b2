//! What the core remembers between two decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::load::GatewayId;
use crate::series::Series;

/// A new one knows nothing, and so scales nothing in for a whole window. Everything
/// in it is bounded: series by their windows, tables by the gateways that exist.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    pub(crate) viewers: Series,
    pub(crate) joins: Series,
    pub(crate) per_viewer: [Series; 3],
    /// Processors and bytes of memory per viewer, when last known.
    pub(crate) standing: [f64; 2],
    /// Share of the viewers that leaves per second, smoothed.
    pub(crate) leave_share: f64,
    /// Gateways that scale-in had to leave, over its window.
    pub(crate) kept: Series,
    pub(crate) panic_until: Option<Duration>,
    pub(crate) blind: Option<Blind>,
    pub(crate) last_out: Option<Duration>,
    /// When drains began, and how many, over the last period.
    pub(crate) drains_begun: Vec<(Duration, u32)>,
    pub(crate) drains: BTreeMap<GatewayId, Drain>,
    /// The last believable connections of each gateway, and when they were.
    pub(crate) known: BTreeMap<GatewayId, (f64, Duration)>,
    pub(crate) rebalancing: bool,
}

/// The reports fail; this is what is guessed meanwhile.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Blind {
    pub(crate) since: Duration,
    pub(crate) viewers: f64,
    pub(crate) at: Duration,
}

/// One gateway's drain.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Drain {
    pub(crate) since: Duration,
    pub(crate) viewers: f64,
}

impl Memory {
    pub(crate) fn is_draining(&self, id: &GatewayId) -> bool {
        self.drains.contains_key(id)
    }

    pub(crate) fn is_panic(&self, now: Duration) -> bool {
        self.panic_until.is_some_and(|until| now < until)
    }

    /// Begins a drain, or adopts one that somebody else began.
    pub(crate) fn drain(&mut self, id: &GatewayId, viewers: f64, now: Duration) {
        self.drains.entry(id.clone()).or_insert(Drain { since: now, viewers });
    }
}
