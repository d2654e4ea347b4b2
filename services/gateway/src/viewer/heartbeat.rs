use std::num::NonZeroU32;
use std::time::Duration;

use barrage_protocol::FrameVersion;
use barrage_protocol::facts::NetworkType;
use barrage_protocol::frame::{PONG_WAIT_MS, QUIET_MS_MAX};

use crate::config::GatewayConfig;

/// Terms of a viewer's heartbeat, as the gateway states them in hello and pong. Every viewer has a copy, so
/// they are small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeartbeatTerms {
    interval_ms: u32,
    /// Longest interval that the client may find out; `None` where the interval is fixed.
    interval_ms_max: Option<NonZeroU32>,
}

impl HeartbeatTerms {
    /// Returns the terms for a client. `is_fixed` is the switch that stops the clients' search.
    pub(crate) fn of(
        version: FrameVersion,
        network: NetworkType,
        is_fixed: bool,
        config: &GatewayConfig,
    ) -> Self {
        let interval_ms = match (version, network) {
            (FrameVersion::V1_1, NetworkType::Cellular) => config.ping_interval_cellular_ms,
            _ => config.ping_interval_ms,
        };
        let may_search = version == FrameVersion::V1_1 && !is_fixed;
        let interval_ms_max = may_search.then(|| config.ping_interval_ms_max.max(interval_ms));
        // The ranges of the configuration are far below 2^32.
        let small = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
        HeartbeatTerms {
            interval_ms: small(interval_ms),
            interval_ms_max: interval_ms_max.map(small).and_then(NonZeroU32::new),
        }
    }

    pub(crate) fn interval_ms(self) -> u64 {
        self.interval_ms.into()
    }

    pub(crate) fn interval_ms_max(self) -> Option<u64> {
        self.interval_ms_max.map(|ms| ms.get().into())
    }

    /// Returns the silence after which the gateway closes a viewer. A client of version 1.1 may be silent
    /// for longer, because frames in the other direction keep its connection alive too.
    pub(super) fn silence_max(version: FrameVersion, config: &GatewayConfig) -> Duration {
        let interval_ms = config.ping_interval_ms.max(config.ping_interval_cellular_ms);
        let silence_ms = match version {
            FrameVersion::V1_0 => config.ping_interval_ms,
            FrameVersion::V1_1 => {
                QUIET_MS_MAX.max(config.ping_interval_ms_max.max(interval_ms) + PONG_WAIT_MS)
            }
        };
        Duration::from_millis(silence_ms + config.ping_margin_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_version_1_0_has_a_fixed_interval() {
        let config = GatewayConfig { ping_interval_cellular_ms: 60_000, ..GatewayConfig::default() };
        let terms = |version, network, is_fixed| HeartbeatTerms::of(version, network, is_fixed, &config);
        let fixed = |interval_ms| HeartbeatTerms { interval_ms, interval_ms_max: None };
        assert_eq!(terms(FrameVersion::V1_0, NetworkType::Cellular, false), fixed(25_000));
        assert_eq!(terms(FrameVersion::V1_1, NetworkType::Cellular, true), fixed(60_000));
        let searching = terms(FrameVersion::V1_1, NetworkType::Wifi, false);
        assert_eq!((searching.interval_ms(), searching.interval_ms_max()), (25_000, Some(270_000)));
    }

    #[test]
    fn silence_is_longer_than_the_longest_interval() {
        let config = GatewayConfig::default();
        let secs = |version, config: &GatewayConfig| HeartbeatTerms::silence_max(version, config).as_secs();
        assert_eq!(secs(FrameVersion::V1_0, &config), 35);
        assert_eq!(secs(FrameVersion::V1_1, &config), 270 + 8 + 10);
        let short = GatewayConfig { ping_interval_ms_max: 30_000, ..config };
        assert_eq!(secs(FrameVersion::V1_1, &short), 120 + 10);
    }
}
