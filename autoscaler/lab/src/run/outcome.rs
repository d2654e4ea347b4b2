//! The figures of a run, by which contenders are compared.

use serde::{Deserialize, Serialize};

/// Figures of one run, or means over seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Viewer-seconds that viewers spent on gateways beyond a knee.
    pub overload_viewer_s: f64,
    /// Seconds in which any gateway was beyond a knee.
    pub overload_s: f64,
    /// Viewer-seconds of waiting for a gateway, beyond the first second.
    pub wait_viewer_s: f64,
    /// Hours of gateways, from creation to end.
    pub gateway_hours: f64,
    /// Least gateway hours that could carry the viewers: every gateway at its knee, starts and
    /// ends instant.
    pub lower_bound_gateway_hours: f64,
    /// Number of times that the policy changed the number of gateways.
    pub scale_actions: f64,
    /// Changes in the other direction within ten minutes.
    pub reversed_actions: f64,
    /// Viewers whose connection was closed because a scale-in ended their gateway.
    pub forced_closes: f64,
    /// Viewers that were moved without a gap.
    pub paced_moves: f64,
    /// Gateways that were deleted although others had been chosen.
    pub wrong_victims: f64,
    /// Greatest utilisation of any gateway in the run; 1 is the knee.
    pub utilization_max: f64,
    /// Greatest skew of connections at the sampled moments.
    pub skew_max: f64,
    /// Greatest number of gateways at any moment of the run.
    pub replicas_max: f64,
    /// Mean error of the forecast at its horizon, as a share of the viewers; 0 for contenders
    /// without a forecast.
    pub forecast_error: f64,
}

impl Outcome {
    /// Overload and waiting together, in viewer-seconds: the cost to viewers.
    #[must_use]
    pub fn penalty(&self) -> f64 {
        self.overload_viewer_s + self.wait_viewer_s
    }

    /// Returns the means of several runs, field by field.
    #[must_use]
    pub fn mean(runs: &[Outcome]) -> Outcome {
        let many = runs.len().max(1) as f64;
        let mean = |field: fn(&Outcome) -> f64| runs.iter().map(field).sum::<f64>() / many;
        Outcome {
            overload_viewer_s: mean(|o| o.overload_viewer_s),
            overload_s: mean(|o| o.overload_s),
            wait_viewer_s: mean(|o| o.wait_viewer_s),
            gateway_hours: mean(|o| o.gateway_hours),
            lower_bound_gateway_hours: mean(|o| o.lower_bound_gateway_hours),
            scale_actions: mean(|o| o.scale_actions),
            reversed_actions: mean(|o| o.reversed_actions),
            forced_closes: mean(|o| o.forced_closes),
            paced_moves: mean(|o| o.paced_moves),
            wrong_victims: mean(|o| o.wrong_victims),
            utilization_max: mean(|o| o.utilization_max),
            skew_max: mean(|o| o.skew_max),
            replicas_max: mean(|o| o.replicas_max),
            forecast_error: mean(|o| o.forecast_error),
        }
    }
}
