//! Verbs of `barrage gateway`: load, weights and drains.

use std::time::Duration;

use clap::Subcommand;

use crate::cli::value::{duration, factor};

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// List the gateways of the fleet with their load.
    List,
    /// Print the drain and the number of viewers of a gateway.
    Show {
        /// Id of the gateway; the process of the admin URL when absent.
        gateway: Option<String>,
    },
    /// Drain a gateway: all viewers move to other gateways, and new viewers are refused.
    Drain {
        /// Id of the gateway; the process of the admin URL when absent.
        gateway: Option<String>,
        /// Time in which all viewers leave, such as 5m; the rate that others admit when absent.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        within: Option<Duration>,
    },
    /// End a drain: the gateway admits viewers again.
    Undrain {
        /// Id of the gateway; the process of the admin URL when absent.
        gateway: Option<String>,
    },
    /// Move a share of a gateway's viewers to other gateways. The gateway stays open.
    GiveBack {
        /// Id of the gateway; the process of the admin URL when absent.
        gateway: Option<String>,
        /// Share of the viewers: more than 0, at most 1.
        #[arg(long, value_name = "SHARE")]
        share: f64,
    },
    /// List the weight of every gateway for newcomers.
    Weights,
    /// List the factors of gateways' weights.
    Factors,
    /// Set factors of gateways' weights, which lapse after `entry.weights.factor_secs`.
    SetFactors {
        /// Gateway and factor, 0 to 1, such as gateway-1=0.5.
        #[arg(required = true, value_name = "GATEWAY=FACTOR", value_parser = factor)]
        factors: Vec<(String, f64)>,
    },
}
