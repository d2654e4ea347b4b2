//! The heartbeat over simulated NATs.

use proptest::prelude::*;

use super::simulation::{Direction, Figures, Scenario, SimulatedNat, Summary, scenarios, simulate};
use super::{Manner, Terms};

/// Longest interval that the server of these tests allows, in seconds.
const MAX_S: u64 = 270;
/// Bound within which any loss is noticed: the longest time without a frame of the client, and the longest
/// wait for a pong.
const NOTICED_S_MAX: f64 = MAX_S as f64 + 8.0 + 30.0;

fn show(name: &str, figures: &Figures) {
    println!(
        "{name:24} {:6.1} heartbeats/h, interval {:5.1} s at the end, {:2} losses by the NAT, {:2} losses noticed \
         within p50 {:5.1} s, p99 {:5.1} s",
        figures.heartbeats_per_hour(),
        figures.interval_s,
        figures.nat_losses,
        figures.noticed_s.len(),
        figures.loss_noticed_s(0.5),
        figures.loss_noticed_s(0.99),
    );
}

#[test]
fn interval_approaches_the_limit_of_each_nat() {
    let fixed = Terms { interval_ms: 25_000, manner: Manner::Fixed };
    // Limit of the NAT, and the bounds of the interval after a day.
    let bounds = [(22.0, 30.0), (70.0, 90.0), (180.0, 240.0), (269.0, 271.0), (45.0, 240.0), (90.0, 120.0)];
    let mut all = Vec::new();
    for (scenario, (least_s, most_s)) in scenarios().into_iter().zip(bounds) {
        let figures = simulate(&scenario);
        show(scenario.name, &figures);
        let interval_s = figures.interval_s;
        assert!((least_s..=most_s).contains(&interval_s), "{}: {interval_s} s", scenario.name);
        assert!(figures.nat_losses <= 20, "{}: {} losses", scenario.name, figures.nat_losses);
        assert_eq!(figures.false_alarms, 0, "{}", scenario.name);
        assert!(figures.loss_noticed_s(1.0) <= NOTICED_S_MAX, "{}", scenario.name);
        all.push(figures);
    }
    let fixed = scenarios().map(|scenario| simulate(&Scenario { terms: fixed, ..scenario }));
    let (adaptive, fixed) = (Summary::of(&all), Summary::of(&fixed));
    println!("adaptive {adaptive:?}\nfixed    {fixed:?}");
    assert!(fixed.heartbeats_per_hour > 140.0, "25 s are 144 an hour: {fixed:?}");
    assert!(adaptive.heartbeats_per_hour < fixed.heartbeats_per_hour / 2.0, "{adaptive:?}");
}

fn nats() -> impl Strategy<Value = SimulatedNat> {
    let direction = prop_oneof![Just(Direction::Inbound), Just(Direction::Outbound)];
    prop_oneof![
        (28_u64..1_200).prop_map(SimulatedNat::Fixed),
        (28_u64..600, 28_u64..600, 600_u64..40_000)
            .prop_map(|(a, b, every_s)| SimulatedNat::Changing { limits_s: [a, b], every_s }),
        (28_u64..600, direction).prop_map(|(limit_s, dropped)| SimulatedNat::OneWay { limit_s, dropped }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_loss_is_noticed_within_the_bound(
        nat in nats(),
        batch_every_s in prop_oneof![Just(0_u64), 1_u64..400],
        post_every_s in prop_oneof![Just(0_u64), 30_u64..4_000],
        failure_every_s in prop_oneof![Just(0_u64), 600_u64..40_000],
        seed in any::<u64>(),
    ) {
        let terms = Terms { interval_ms: 25_000, manner: Manner::Adaptive(MAX_S * 1_000) };
        let scenario =
            Scenario { name: "", nat, terms, hours: 12, batch_every_s, post_every_s, failure_every_s, seed };
        let figures = simulate(&scenario);
        prop_assert!(figures.loss_noticed_s(1.0) <= NOTICED_S_MAX, "{figures:?}");
        prop_assert_eq!(figures.false_alarms, 0);
        // The floor of the interval, and a ping with each post.
        let posts_per_hour = if post_every_s == 0 { 0.0 } else { 3_600.0 / post_every_s as f64 };
        prop_assert!(figures.heartbeats_per_hour() <= 360.0 + 2.0 * posts_per_hour, "{figures:?}");
        if let SimulatedNat::Fixed(_) = nat {
            prop_assert!(figures.nat_losses <= 12, "{figures:?}");
        }
    }
}
