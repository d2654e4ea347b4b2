use proptest::prelude::*;

use super::*;

fn prospect(place_ms: f64, race_ms: impl Into<Option<f64>>) -> Prospect {
    Prospect { place_ms, race_ms: race_ms.into() }
}

fn place(region: &str, carriers: &[&str]) -> Place {
    let carriers = carriers.iter().map(|&carrier| carrier.to_owned()).collect();
    Place { region: Some(region.to_owned()), carriers, ..Place::default() }
}

#[test]
fn cost_of_a_place_is_the_sum_of_region_and_carrier() {
    let config = PlaceConfig::default();
    let here = Location { region: Some("east".into()), carrier: Some("telecom".into()) };
    let costs = [
        place("east", &["telecom"]),
        place("east", &["unicom"]),
        place("west", &["telecom"]),
        place("west", &["unicom"]),
        Place::default(),
    ]
    .map(|place| place_ms(&config, &here, &place));
    assert_eq!(costs, [0.0, 60.0, 180.0, 240.0, 180.0]);
    assert_eq!(place_ms(&config, &Location::default(), &place("west", &["unicom"])), 0.0);
}

#[test]
fn cost_halves_the_share_every_25_ms() {
    let config = PlaceConfig::default();
    let shares = factors(&config, &[0.0, 25.0, 60.0, 1e6].map(|ms| prospect(ms, None)));
    assert_eq!((shares[0], shares[1], shares[3]), (1.0, 0.5, FACTOR_MIN));
    assert!((shares[2] - 0.189).abs() < 0.001, "{shares:?}");
}

#[test]
fn race_times_correct_a_wrong_place_and_only_against_the_typical_endpoint() {
    let config = PlaceConfig::default();
    // One measured endpoint has nothing to compare with.
    assert_eq!(factors(&config, &[prospect(0.0, 500.0), prospect(0.0, None)]), [1.0, 1.0]);
    // The file calls the first two near; most clients measure that they are far.
    let times = [prospect(0.0, 400.0), prospect(0.0, 420.0), prospect(180.0, 30.0), prospect(180.0, 35.0)];
    let shares = factors(&config, &times);
    assert!(shares[2] > 1.5 * shares[0] && shares[3] > 1.5 * shares[1], "{shares:?}");
}

/// Reports about near endpoints alone move clients among them, and to no other region. Even with praise
/// of the others, the near ones keep a share by which honest times come back.
#[test]
fn slander_of_near_endpoints_is_bounded() {
    let config = PlaceConfig::default();
    let slandered = [prospect(0.0, 3_000.0), prospect(0.0, 3_000.0), prospect(180.0, None)];
    let shares = factors(&config, &slandered);
    assert!(shares[0] > 100.0 * shares[2], "{shares:?}");
    let praised = [prospect(0.0, 3_000.0), prospect(180.0, 1.0), prospect(180.0, 1.0)];
    let shares = factors(&config, &praised);
    assert!(shares[0] > 0.5 * shares[1], "{shares:?}");
}

fn prospects() -> impl Strategy<Value = Vec<Prospect>> {
    let one = (prop::sample::select(vec![0.0, 60.0, 180.0, 240.0]), prop::option::of(1.0..3_000.0));
    prop::collection::vec(one.prop_map(|(place_ms, race_ms)| Prospect { place_ms, race_ms }), 1..20)
}

proptest! {
    #[test]
    fn every_endpoint_keeps_a_share_and_the_cheapest_the_whole(prospects in prospects()) {
        let shares = factors(&PlaceConfig::default(), &prospects);
        prop_assert_eq!(shares.len(), prospects.len());
        prop_assert!(shares.iter().all(|share| (FACTOR_MIN..=1.0).contains(share)), "{:?}", shares);
        prop_assert!(shares.contains(&1.0));
    }

    #[test]
    fn nearer_endpoint_of_equal_race_time_never_gets_less(
        prospects in prospects(),
        at: prop::sample::Index,
        race_ms in prop::option::of(1.0..3_000.0),
    ) {
        let mut prospects = prospects;
        let at = at.index(prospects.len());
        prospects[at].race_ms = None;
        let far = Prospect { place_ms: prospects[at].place_ms + 60.0, race_ms: None };
        prospects.push(far);
        prospects.push(Prospect { place_ms: 0.0, race_ms });
        let shares = factors(&PlaceConfig::default(), &prospects);
        prop_assert!(shares[at] >= shares[prospects.len() - 2]);
    }

    #[test]
    fn slower_race_time_never_raises_a_share(
        prospects in prospects(),
        at: prop::sample::Index,
        slower_ms in 0.0..3_000.0,
    ) {
        let mut prospects = prospects;
        let at = at.index(prospects.len());
        prospects[at].race_ms.get_or_insert(40.0);
        let before = factors(&PlaceConfig::default(), &prospects)[at];
        if let Some(ms) = &mut prospects[at].race_ms {
            *ms += slower_ms;
        }
        let after = factors(&PlaceConfig::default(), &prospects)[at];
        prop_assert!(after <= before + 1e-9, "{} then {}", before, after);
    }

    #[test]
    fn reports_shift_a_cost_by_the_bound_at_most(prospects in prospects()) {
        let config = PlaceConfig::default();
        for (cost, one) in costs_ms(&config, &prospects).into_iter().zip(&prospects) {
            prop_assert!((cost - one.place_ms).abs() <= config.race_ms_max);
        }
    }
}
