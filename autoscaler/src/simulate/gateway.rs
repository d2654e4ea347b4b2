//! A simulated gateway.

use std::collections::VecDeque;

use barrage_scaling::{GatewayId, Knee, LoadReport, ObservedGateway, Phase};

/// How far back an outside metrics pipeline sees, in seconds.
pub(super) const METRIC_LAG_SECS: usize = 20;
/// Bytes of one delivery, and of one packet, when a knee asks for them.
const DELIVERY_BYTES: f64 = 100.0;
const PACKET_BYTES: f64 = 1_400.0;

#[derive(Debug, Clone)]
pub(super) struct Gateway {
    pub(super) id: GatewayId,
    pub(super) uid: u64,
    pub(super) created_secs: f64,
    pub(super) ready_secs: f64,
    pub(super) phase: Phase,
    pub(super) viewers: f64,
    /// Joins of the present second.
    pub(super) joins: f64,
    pub(super) deletion_cost: i32,
    /// When its end began, and how many viewers it had.
    pub(super) ending: Option<(f64, f64)>,
    pub(super) report: Option<LoadReport>,
    pub(super) report_secs: f64,
    /// Connections and bytes per second of the last seconds, newest last.
    pub(super) history: VecDeque<(f64, f64)>,
}

impl Gateway {
    /// The most loaded axis, by the true figures.
    pub(super) fn utilization(&self, knee: &Knee, egress_per_viewer: f64) -> f64 {
        load(self.viewers, self.joins, egress_per_viewer, 0.0).hottest(knee).1
    }

    /// Sends a report, unless reports are lost.
    pub(super) fn report(&mut self, knee: &Knee, egress_per_viewer: f64, now_secs: f64, lost: bool) {
        if !matches!(self.phase, Phase::Ready | Phase::Draining | Phase::Ending) {
            return;
        }
        self.history.push_back((self.viewers, self.viewers * egress_per_viewer));
        if self.history.len() > METRIC_LAG_SECS {
            self.history.pop_front();
        }
        if !lost {
            let p99 = if self.utilization(knee, egress_per_viewer) > 1.0 { 2_000.0 } else { 50.0 };
            self.report = Some(load(self.viewers, self.joins, egress_per_viewer, p99));
            self.report_secs = now_secs;
        }
    }

    /// What the autoscaler and entry know of it.
    pub(super) fn seen(&self, now_secs: f64) -> ObservedGateway {
        ObservedGateway {
            age_secs: now_secs - self.created_secs,
            report: self.report.clone(),
            report_age_secs: now_secs - self.report_secs,
            ..ObservedGateway::new(self.id.clone(), self.phase)
        }
    }
}

fn load(viewers: f64, joins: f64, egress_per_viewer: f64, push_p99_ms: f64) -> LoadReport {
    let egress = viewers * egress_per_viewer;
    LoadReport {
        connections: viewers,
        joins_per_s: joins,
        deliveries_per_s: egress / DELIVERY_BYTES,
        egress_bytes_per_s: egress,
        writes_per_s: egress / PACKET_BYTES,
        push_p99_ms,
        ..LoadReport::default()
    }
}
