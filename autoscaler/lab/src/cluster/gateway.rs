//! A simulated gateway: its viewers, its load and its reports.

use std::collections::VecDeque;

use barrage_scaling::{GatewayId, Knee, LoadReport, ObservedGateway, Phase};

/// Delay of an outside metrics pipeline, in seconds.
pub(crate) const METRIC_LAG_SECS: usize = 20;
/// Size of one delivery and of one packet, for knees on these axes.
const DELIVERY_BYTES: f64 = 100.0;
const PACKET_BYTES: f64 = 1_400.0;

#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    pub(crate) id: GatewayId,
    pub(crate) uid: u64,
    pub(crate) created_secs: f64,
    pub(crate) ready_secs: f64,
    pub(crate) phase: Phase,
    pub(crate) viewers: f64,
    /// Viewers that joined within the present second.
    pub(crate) joins: f64,
    pub(crate) deletion_cost: i32,
    /// When its end began, and its viewers at that time.
    pub(crate) ending: Option<(f64, f64)>,
    pub(crate) report: Option<LoadReport>,
    pub(crate) report_secs: f64,
    /// Connections and bytes per second in the last seconds, newest last.
    pub(crate) history: VecDeque<(f64, f64)>,
}

impl Gateway {
    /// Utilisation on the most loaded axis, by the true figures.
    pub(crate) fn utilization(&self, knee: &Knee, egress_per_viewer: f64) -> f64 {
        load(self.viewers, self.joins, egress_per_viewer, 0.0).hottest(knee).1
    }

    /// Stores a report, unless reports are lost.
    pub(crate) fn report(&mut self, knee: &Knee, egress_per_viewer: f64, now_secs: f64, lost: bool) {
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

    /// Returns the view that the autoscaler and entry have of this gateway.
    pub(crate) fn observed(&self, now_secs: f64) -> ObservedGateway {
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
