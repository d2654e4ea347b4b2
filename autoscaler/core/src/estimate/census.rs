//! Gateways sorted by what they can do.

use super::memory::Memory;
use crate::capacity::Knee;
use crate::observed::{LoadReport, Observation, ObservedGateway, Phase};
use crate::policy::PolicyConfig;

/// The gateways of a fleet, sorted by their phase and their reports.
#[derive(Debug)]
pub(crate) struct Census<'a> {
    /// Admit joins and report. When blind, every ready gateway counts.
    pub(crate) serving: Vec<&'a ObservedGateway>,
    /// Ready gateways that are cordoned: scale-in drains them first.
    pub(crate) cordoned: Vec<&'a ObservedGateway>,
    /// Gateways that move their viewers to other gateways before they end.
    pub(crate) draining: Vec<&'a ObservedGateway>,
    /// Starting, or asked for and not listed yet.
    pub(crate) arriving: u32,
    /// Number of gateways that run and cannot serve.
    pub(crate) unready: u32,
    /// Should report and do not, or their reports are not credible.
    pub(crate) silent: u32,
    /// So many gateways are silent that the reports must be failing, not the gateways.
    pub(crate) blind: bool,
}

impl<'a> Census<'a> {
    pub(crate) fn take(
        policy: &PolicyConfig,
        knee: &Knee,
        memory: &Memory,
        seen: &'a Observation,
    ) -> Census<'a> {
        let should_report = |g: &&ObservedGateway| matches!(g.phase, Phase::Ready | Phase::Draining);
        let expected = seen.gateways.iter().filter(should_report).count();
        let silent =
            seen.gateways.iter().filter(should_report).filter(|g| fresh(policy, knee, g).is_none()).count();
        let blind = expected > 0 && silent as f64 > policy.missing.blind_share * expected as f64;
        let mut census = Census {
            serving: Vec::with_capacity(expected),
            cordoned: Vec::new(),
            draining: Vec::new(),
            arriving: 0,
            unready: 0,
            silent: u32::try_from(silent).unwrap_or(u32::MAX),
            blind,
        };
        let mut staying = 0_u32;
        for gateway in &seen.gateways {
            staying += u32::from(gateway.phase != Phase::Ending);
            match gateway.phase {
                Phase::Starting => census.arriving += 1,
                Phase::Unready => census.unready += 1,
                Phase::Draining => census.draining.push(gateway),
                Phase::Ready if memory.is_draining(&gateway.id) => census.draining.push(gateway),
                Phase::Ready if gateway.cordoned => census.cordoned.push(gateway),
                Phase::Ready if blind || fresh(policy, knee, gateway).is_some() => {
                    census.serving.push(gateway);
                }
                Phase::Ready | Phase::Ending => {}
            }
        }
        census.arriving += seen.replicas.saturating_sub(staying);
        census
    }

    /// Returns the number of gateways that serve now or will serve once they have started.
    pub(crate) fn supply(&self) -> u32 {
        count(self.serving.len()) + self.arriving
    }
}

/// The gateway's report, if it is young and credible.
pub(crate) fn fresh<'a>(
    policy: &PolicyConfig,
    knee: &Knee,
    gateway: &'a ObservedGateway,
) -> Option<&'a LoadReport> {
    let young = (0.0..=policy.missing.stale_secs).contains(&gateway.report_age_secs);
    gateway.report.as_ref().filter(|report| young && report.is_sane(knee))
}

/// Converts a length to a number of replicas.
#[must_use]
pub fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
