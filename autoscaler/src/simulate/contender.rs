//! Who is compared with whom.

use barrage_scaling::{EntryLoad, GatewayId, Move};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::fleet::Fleet;
use super::trace::Trace;

/// A policy with the placement that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Contender {
    /// This autoscaler, with entry.
    Ours,
    /// The same, told beforehand what the trace announces.
    OursPrewarm,
    /// This autoscaler's replicas; a plain service places viewers, scale-in cuts them.
    OursService,
    /// The HPA's replicas; entry places viewers, gateways drain when they end.
    HpaEntry,
    /// The HPA with a plain service.
    Hpa,
    /// Knative's autoscaler with a plain service.
    Kpa,
    /// Knows the future, waits for starts like anybody, with entry.
    Oracle,
}

impl Contender {
    /// The name in tables and JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Contender::Ours => "ours",
            Contender::OursPrewarm => "ours_prewarm",
            Contender::OursService => "ours_service",
            Contender::HpaEntry => "hpa_entry",
            Contender::Hpa => "hpa",
            Contender::Kpa => "kpa",
            Contender::Oracle => "oracle",
        }
    }

    /// Its name and what it does, in a line for tables and legends.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Contender::Ours => "this autoscaler; entry places viewers, and gateways drain before they end",
            Contender::OursPrewarm => "ours, and it is told of announced crowds beforehand",
            Contender::OursService => {
                "this autoscaler's number of gateways; a plain service places viewers, and scale-in cuts them"
            }
            Contender::HpaEntry => "Kubernetes' HPA decides; entry places viewers, and gateways drain",
            Contender::Hpa => "Kubernetes' HPA decides; a plain service places viewers",
            Contender::Kpa => "Knative's autoscaler decides; a plain service places viewers",
            Contender::Oracle => "knows the crowd beforehand; the best that is possible with these gateways",
        }
    }

    /// Who places newcomers, and how a gateway ends.
    #[must_use]
    pub const fn placement(self) -> Placement {
        match self {
            Contender::Ours | Contender::OursPrewarm | Contender::HpaEntry | Contender::Oracle => {
                Placement::Entry
            }
            Contender::OursService | Contender::Hpa | Contender::Kpa => Placement::Service,
        }
    }
}

/// Who places newcomers, and how a gateway ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Entry's weights and grants; a gateway that ends moves its viewers.
    Entry,
    /// In turn over all ready gateways; a gateway that ends cuts its viewers.
    Service,
}

/// What a contender sees.
pub(super) struct Look<'a> {
    pub(super) now_secs: f64,
    pub(super) fleet: &'a Fleet,
    pub(super) trace: &'a Trace,
    pub(super) entry: EntryLoad,
    /// Metrics are lost just now.
    pub(super) blackout: bool,
}

/// What it wants.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) replicas: u32,
    pub(super) drain: Vec<GatewayId>,
    pub(super) undrain: Vec<GatewayId>,
    /// Those that shall go when the number shrinks.
    pub(super) doomed: Vec<GatewayId>,
    pub(super) moves: Vec<Move>,
    pub(super) shut: Vec<GatewayId>,
    pub(super) forecast: Option<f64>,
    pub(super) panic: bool,
}

pub(super) trait Scaler {
    fn period_secs(&self) -> u64;
    fn tick(&mut self, look: &Look<'_>) -> Orders;
}
