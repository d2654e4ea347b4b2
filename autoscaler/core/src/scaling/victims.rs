//! The order in which scale-in drains gateways.

use std::collections::BTreeMap;

use crate::observed::ObservedGateway;

/// Returns at most `max` gateways to drain: cordoned ones first, then those with the fewest
/// viewers, then those of the fullest zone, then the youngest. Pinned gateways never drain.
#[must_use]
pub fn victims<'a>(candidates: &[&'a ObservedGateway], max: usize) -> Vec<&'a ObservedGateway> {
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    for gateway in candidates {
        *zones.entry(gateway.zone.as_deref().unwrap_or("")).or_default() += 1;
    }
    let in_zone = |gateway: &ObservedGateway| zones[gateway.zone.as_deref().unwrap_or("")];
    let mut sorted: Vec<_> = candidates.iter().copied().filter(|gateway| !gateway.pinned).collect();
    sorted.sort_by(|a, b| {
        b.cordoned
            .cmp(&a.cordoned)
            .then(a.connections().total_cmp(&b.connections()))
            .then(in_zone(b).cmp(&in_zone(a)))
            .then(a.age_secs.total_cmp(&b.age_secs))
            .then(a.id.cmp(&b.id))
    });
    sorted.truncate(max);
    sorted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::observed::{LoadReport, Phase};

    fn gateway(n: usize, connections: f64) -> ObservedGateway {
        ObservedGateway {
            age_secs: 100.0,
            report: Some(LoadReport { connections, ..LoadReport::default() }),
            report_age_secs: 1.0,
            ..ObservedGateway::new(format!("g{n}"), Phase::Ready)
        }
    }

    proptest! {
        #[test]
        fn no_staying_gateway_has_fewer_viewers_than_a_victim(
            loads in prop::collection::vec((0_u32..50_000, any::<bool>()), 1..40),
            max in 0_usize..40,
        ) {
            let gateways: Vec<ObservedGateway> = loads
                .iter()
                .enumerate()
                .map(|(n, (connections, pinned))| {
                    ObservedGateway { pinned: *pinned, ..gateway(n, f64::from(*connections)) }
                })
                .collect();
            let all: Vec<&ObservedGateway> = gateways.iter().collect();
            let gone = victims(&all, max);
            let free = all.iter().filter(|gateway| !gateway.pinned).count();
            prop_assert_eq!(gone.len(), max.min(free));
            let most = gone.iter().map(|gateway| gateway.connections()).fold(0.0, f64::max);
            for stays in all.iter().filter(|one| !one.pinned && !gone.iter().any(|g| g.id == one.id)) {
                prop_assert!(stays.connections() >= most);
            }
            prop_assert!(gone.iter().all(|gateway| !gateway.pinned));
        }
    }

    #[test]
    fn victims_are_cordoned_then_of_the_fullest_zone_then_young() {
        let zone = |name: &str| Some(name.into());
        let gateways = [
            ObservedGateway { zone: zone("a"), ..gateway(0, 5.0) },
            ObservedGateway { zone: zone("b"), ..gateway(1, 5.0) },
            ObservedGateway { zone: zone("b"), age_secs: 9.0, ..gateway(2, 5.0) },
            ObservedGateway { cordoned: true, ..gateway(3, 900.0) },
        ];
        let order: Vec<_> = victims(&gateways.iter().collect::<Vec<_>>(), 4);
        let ids: Vec<_> = order.iter().map(|gateway| &*gateway.id).collect();
        assert_eq!(ids, ["g3", "g2", "g1", "g0"]);
    }
}
