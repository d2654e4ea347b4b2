//! State of the core between two decisions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::series::Series;
use crate::observed::GatewayId;

/// State between two decisions. With a new memory no scale-in happens for a whole scale-in window.
/// Series are bounded by their windows, tables by the gateways that exist.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Memory {
    pub(crate) viewers: Series,
    pub(crate) joins: Series,
    pub(crate) per_viewer: [Series; 3],
    /// Last known processors and bytes of memory, for one viewer.
    pub(crate) standing: [f64; 2],
    /// Smoothed share of the viewers that leaves per second.
    pub(crate) leave_share: f64,
    /// Gateways that scale-in had to leave, within its window.
    pub(crate) kept: Series,
    pub(crate) panic_until: Option<Duration>,
    pub(crate) blind: Option<Blind>,
    pub(crate) last_out: Option<Duration>,
    /// Times and numbers of the drains that started within the last period.
    pub(crate) drains_begun: Vec<(Duration, u32)>,
    pub(crate) drains: BTreeMap<GatewayId, Drain>,
    /// Connections in the last credible report of each gateway, and its time.
    pub(crate) known: BTreeMap<GatewayId, (f64, Duration)>,
    pub(crate) rebalancing: bool,
}

/// Estimate of the viewers while reports are missing.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Blind {
    pub(crate) since: Duration,
    pub(crate) viewers: f64,
    pub(crate) at: Duration,
}

/// Start of a drain, and the viewers at that time.
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

    /// Notes a drain that starts, or that another program started.
    pub(crate) fn note_drain(&mut self, id: &GatewayId, viewers: f64, now: Duration) {
        self.drains.entry(id.clone()).or_insert(Drain { since: now, viewers });
    }
}
