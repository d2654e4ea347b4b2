//! Race times of one endpoint from the clients of one location. Pure.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::race_times::RaceLimits;

/// Maximum sources of one endpoint and location. A further one replaces the oldest.
const SOURCES_MAX: usize = 64;
/// Half-lives after which a time is forgotten.
const LIFE: u32 = 3;
/// Time for which a computed median is used.
const MEDIAN_LIFE: Duration = Duration::from_secs(1);
/// Prefix lengths of a source. A client has any address of its own network, and few networks.
const PREFIX_V4: u32 = 24;
const PREFIX_V6: u32 = 48;

/// Network that a report comes from: an IPv4 /24 or an IPv6 /48.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Source(Ipv6Addr);

impl Source {
    /// Returns the network of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        let (address, prefix) = match address.to_canonical() {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), 96 + PREFIX_V4),
            IpAddr::V6(address) => (address, PREFIX_V6),
        };
        Source(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - prefix))))
    }
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    source: Source,
    ms: f64,
    at: Duration,
}

/// The newest time of each source. A source counts once, however often it reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples {
    samples: Vec<Sample>,
    /// Last median and the time of its computation.
    median: Option<(Option<f64>, Duration)>,
}

impl Samples {
    /// Adds a time; it replaces the earlier one of the same source.
    pub(crate) fn take(&mut self, source: Source, ms: f64, now: Duration) {
        let sample = Sample { source, ms, at: now };
        if let Some(known) = self.samples.iter_mut().find(|known| known.source == source) {
            *known = sample;
        } else if self.samples.len() < SOURCES_MAX {
            self.samples.push(sample);
        } else if let Some(oldest) = self.samples.iter_mut().min_by_key(|known| known.at) {
            *oldest = sample;
        }
    }

    /// Whether every time is forgotten.
    pub(crate) fn is_old(&self, limits: &RaceLimits, now: Duration) -> bool {
        self.samples.iter().all(|sample| !sample.counts(limits, now))
    }

    /// Returns the median in milliseconds, in which older times weigh less; `None` from too few
    /// sources. Sources that lie change it only when they are about half of all.
    pub(crate) fn median(&mut self, limits: &RaceLimits, now: Duration) -> Option<f64> {
        match self.median {
            Some((median, at)) if now < at + MEDIAN_LIFE => median,
            _ => {
                let median = self.weighted_median(limits, now);
                self.median = Some((median, now));
                median
            }
        }
    }

    fn weighted_median(&mut self, limits: &RaceLimits, now: Duration) -> Option<f64> {
        self.samples.retain(|sample| sample.counts(limits, now));
        if self.samples.len() < limits.sources_min.max(1) {
            return None;
        }
        self.samples.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        let half = self.samples.iter().map(|sample| sample.weight(limits, now)).sum::<f64>() / 2.0;
        let mut below = 0.0;
        let at_half = |sample: &&Sample| {
            below += sample.weight(limits, now);
            below >= half
        };
        self.samples.iter().find(at_half).map(|sample| sample.ms)
    }
}

impl Sample {
    fn counts(&self, limits: &RaceLimits, now: Duration) -> bool {
        now.saturating_sub(self.at) < limits.half_life * LIFE
    }

    fn weight(&self, limits: &RaceLimits, now: Duration) -> f64 {
        let age_secs = now.saturating_sub(self.at).as_secs_f64();
        0.5_f64.powf(age_secs / limits.half_life.as_secs_f64().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RaceLimits = RaceLimits { sources_min: 5, half_life: Duration::from_secs(600) };

    fn source(n: u32) -> Source {
        Source::of(IpAddr::from((n << 8).to_be_bytes()))
    }

    fn honest(many: u32, at: Duration) -> Samples {
        let mut samples = Samples::default();
        (1..=many).for_each(|n| samples.take(source(n), 40.0 + f64::from(n % 5), at));
        samples
    }

    #[test]
    fn source_is_a_network_and_counts_once() {
        let of = |address: &str| Source::of(address.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.250"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.9"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff::1"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
        let mut samples = honest(9, Duration::ZERO);
        (0..1_000).for_each(|_| samples.take(source(77), 3_000.0, Duration::ZERO));
        assert_eq!(samples.samples.len(), 10);
        assert!(samples.median(&LIMITS, Duration::ZERO).unwrap() < 45.0);
    }

    #[test]
    fn too_few_sources_and_old_times_count_for_nothing() {
        let at = Duration::from_secs(100);
        assert_eq!(honest(4, at).median(&LIMITS, at), None);
        let mut samples = honest(5, at);
        assert_eq!(samples.median(&LIMITS, at), Some(42.0));
        let later = at + Duration::from_secs(1_800);
        assert!(samples.is_old(&LIMITS, later) && !samples.is_old(&LIMITS, later - Duration::from_secs(1)));
        assert_eq!(samples.median(&LIMITS, later), None);
    }

    #[test]
    fn newer_times_weigh_more() {
        let mut samples = honest(8, Duration::ZERO);
        let later = Duration::from_secs(1_500);
        (20..25).for_each(|n| samples.take(source(n), 500.0, later));
        assert_eq!(samples.median(&LIMITS, later), Some(500.0), "eight old ones weigh 1.4 in all");
    }

    proptest! {
        /// Fewer liars than honest sources leave the median within the honest times.
        #[test]
        fn minority_of_sources_moves_the_median_within_the_honest_times(
            times in prop::collection::vec(20.0..60.0_f64, 5..30),
            lies in prop::collection::vec(0.0..3_000.0_f64, 0..29),
        ) {
            let mut samples = Samples::default();
            let lies = &lies[..lies.len().min(times.len() - 1)];
            for (n, ms) in times.iter().chain(lies).enumerate() {
                samples.take(source(1 + n as u32), *ms, Duration::ZERO);
            }
            let median = samples.median(&LIMITS, Duration::ZERO).unwrap();
            prop_assert!((20.0..60.0).contains(&median), "{}", median);
        }

        #[test]
        fn memory_is_bounded(sources in prop::collection::vec(any::<u32>(), 0..300)) {
            let mut samples = Samples::default();
            for (n, from) in sources.into_iter().enumerate() {
                samples.take(source(from), 1.0, Duration::from_secs(n as u64));
            }
            prop_assert!(samples.samples.len() <= SOURCES_MAX);
        }
    }
}
