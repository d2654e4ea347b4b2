//! The policies that a simulation compares, and what each one gets and returns.

use barrage_scaling::{EntryLoad, GatewayId, Move};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cluster::Fleet;
use crate::input::Trace;

/// A policy together with its placement of viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Contender {
    /// This autoscaler; entry places viewers.
    Ours,
    /// This autoscaler with the prewarms that the trace announces.
    OursPrewarm,
    /// Replicas of this autoscaler; a plain service places viewers, and scale-in cuts them.
    OursService,
    /// Replicas of the HPA; entry places viewers, and gateways drain before they end.
    HpaEntry,
    /// Replicas of the HPA; a plain service places viewers.
    Hpa,
    /// Replicas of Knative's autoscaler; a plain service places viewers.
    Kpa,
    /// Replicas chosen with knowledge of the trace; entry places viewers, and starts take as
    /// long as for the others.
    Oracle,
}

impl Contender {
    /// Returns the contender's name in tables and JSON.
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

    /// Description for tables and legends, in one line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Contender::Ours => "this autoscaler; entry places viewers, and gateways drain before they end",
            Contender::OursPrewarm => "ours, with the prewarms that the trace announces",
            Contender::OursService => {
                "this autoscaler's number of gateways; a plain service places viewers, and scale-in cuts them"
            }
            Contender::HpaEntry => "Kubernetes' HPA decides; entry places viewers, and gateways drain",
            Contender::Hpa => "Kubernetes' HPA decides; a plain service places viewers",
            Contender::Kpa => "Knative's autoscaler decides; a plain service places viewers",
            Contender::Oracle => {
                "knows the viewers beforehand; the best that is possible with these gateways"
            }
        }
    }

    /// How viewers are placed, and how a gateway ends.
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

/// How viewers are placed, and how a gateway ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Entry's weights and grants; a gateway that ends moves its viewers.
    Entry,
    /// Round robin over all ready gateways; a gateway that ends closes its viewers' connections.
    Service,
}

/// State of the simulation that a contender decides on.
pub(crate) struct View<'a> {
    pub(crate) now_secs: f64,
    pub(crate) fleet: &'a Fleet,
    pub(crate) trace: &'a Trace,
    pub(crate) entry: EntryLoad,
    /// Load reports and metrics are lost at this moment.
    pub(crate) blackout: bool,
}

/// Orders of a contender at one tick, which the simulation carries out.
#[derive(Default)]
pub(crate) struct Orders {
    pub(crate) replicas: u32,
    pub(crate) drain: Vec<GatewayId>,
    pub(crate) undrain: Vec<GatewayId>,
    /// Gateways to delete first when the number shrinks.
    pub(crate) doomed: Vec<GatewayId>,
    pub(crate) moves: Vec<Move>,
    pub(crate) shut: Vec<GatewayId>,
    pub(crate) forecast: Option<f64>,
    pub(crate) panic: bool,
}

/// A scaling policy that the simulation asks at fixed intervals.
pub(crate) trait Scaler {
    /// Time between two decisions, in whole seconds.
    fn period_secs(&self) -> u64;
    fn tick(&mut self, view: &View<'_>) -> Orders;
}
