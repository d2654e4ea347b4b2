use barrage_bus::{InstanceReport, Role};
use barrage_scaling::LoadReport;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::grants::{GrantLimits, Grants};
use super::*;

/// Makes a gateway that admits 100 joins a second and 1,000 viewers, and is past its slow start.
fn gateway(id: &str, connections: u64) -> Registered {
    let load = LoadReport {
        connections: connections as f64,
        connections_max: 1_000,
        joins_per_s_max: 100,
        ..LoadReport::default()
    };
    let new = InstanceReport::new(Role::Gateway, id);
    Registered { report: InstanceReport { load, age_secs: 5_000, ..new }, age: Duration::ZERO }
}

fn placer() -> Placer {
    Placer::new(PlacerConfig {
        gateways_max: 3,
        race_width: 3,
        explore_share: 0.0,
        wait_max: Duration::from_secs(60),
        weights: WeightsConfig::default(),
        knee: None,
    })
}

/// Returns a placer after the slow start of all gateways, and its time.
fn settled(gateways: &[Registered]) -> (Placer, Duration) {
    let mut placer = placer();
    (0..20).for_each(|secs| placer.tick(gateways, 1, Duration::from_secs(secs)));
    (placer, Duration::from_secs(20))
}

fn even(gateways: &[Registered]) -> Vec<f64> {
    vec![1.0; gateways.len()]
}

fn chance(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = StdRng::seed_from_u64(seed);
    move || rng.random::<f64>()
}

#[test]
fn gateways_that_refuse_are_not_used_and_the_list_is_empty_only_when_all_drain() {
    let mut gateways = ["open", "draining", "overloaded", "full", "unlimited"].map(|id| gateway(id, 500));
    gateways[1].report.draining = true;
    gateways[2].report.load.overload_level = 4;
    gateways[3].report.load.connections = 1_000.0;
    gateways[4].report.load.connections_max = 0;
    let (mut placer, now) = settled(&gateways);
    let mut random = chance(1);
    let placed = placer.place(&gateways, &even(&gateways), now, &mut random).unwrap();
    assert_eq!((placed.order, placed.wait), (vec![0], Duration::ZERO));
    // A report counts before the next tick.
    gateways[0].report.load.overload_level = 4;
    assert_eq!(placer.place(&gateways, &even(&gateways), now, &mut random), Err(Refused::FleetFull));
    assert_eq!(placer.list(&gateways, &even(&gateways), &mut random).order.len(), 3);
    gateways.iter_mut().for_each(|gateway| gateway.report.draining = true);
    assert_eq!(placer.place(&gateways, &even(&gateways), now, &mut random), Err(Refused::NoGateway));
    assert!(placer.list(&gateways, &even(&gateways), &mut random).order.is_empty());
    assert_eq!(placer.place(&[], &[], now, &mut random), Err(Refused::NoGateway));
}

#[test]
fn newcomers_spread_by_headroom_and_race_among_equals_alone() {
    let gateways = [gateway("empty", 0), gateway("fuller", 700), gateway("full", 945)];
    let (mut placer, mut now) = settled(&gateways);
    let mut random = chance(7);
    let (mut first, mut rounds) = ([0; 3], 0);
    for _ in 0..400 {
        now += Duration::from_millis(50);
        // The connections stay the same: only the order is tested.
        placer.tick(&gateways, 1, now);
        let placed = placer.place(&gateways, &even(&gateways), now, &mut random).unwrap();
        assert!(placed.wait.is_zero() && placed.order.len() == 3);
        assert_eq!(placed.race_width, 1, "the three are unlike each other");
        first[placed.order[0]] += 1;
        rounds += 1;
    }
    // The shares of headroom are 1 to 0.28 to 0.03.
    assert!((275..340).contains(&first[0]) && first[2] < 20, "{first:?} of {rounds}");
    let alike = [gateway("a", 100), gateway("b", 120), gateway("c", 900)];
    let (mut placer, now) = settled(&alike);
    for _ in 0..20 {
        let placed = placer.place(&alike, &even(&alike), now, &mut random).unwrap();
        let wanted = match placed.order.iter().position(|index| *index == 2) {
            Some(place) => place.max(1) as u32,
            None => 3,
        };
        assert_eq!(placed.race_width, wanted, "{placed:?}");
    }
}

#[test]
fn gateway_with_factor_zero_gets_no_newcomer_until_the_factor_lapses() {
    let gateways = [gateway("hot", 100), gateway("other", 100)];
    let (mut placer, now) = settled(&gateways);
    let mut random = chance(2);
    let mut seen = |secs: u64, placer: &mut Placer| {
        let now = now + Duration::from_secs(secs);
        placer.tick(&gateways, 1, now);
        placer.place(&gateways, &even(&gateways), now, &mut random).unwrap().order.len()
    };
    placer.advise(&[("hot".into(), 0.0, now + Duration::from_secs(30)), ("gone".into(), 0.0, now)]);
    assert_eq!([0, 10, 29, 30].map(|secs| seen(secs, &mut placer)), [1, 1, 1, 2]);
}

#[test]
fn gateway_with_short_race_times_comes_first() {
    let gateways = [gateway("near", 100), gateway("far", 100)];
    let (mut placer, now) = settled(&gateways);
    let mut random = chance(3);
    let near =
        (0..20).filter(|_| placer.place(&gateways, &[1.0, 0.05], now, &mut random).unwrap().order[0] == 0);
    assert!(near.count() >= 15);
}

#[test]
fn slots_of_a_gateway_end_with_its_headroom() {
    let gateways = [gateway("a", 900), gateway("b", 940)];
    let (mut placer, now) = settled(&gateways);
    let mut random = chance(5);
    let (mut sent, mut longest) = ([0; 2], Duration::ZERO);
    let refused = loop {
        match placer.place(&gateways, &even(&gateways), now, &mut random) {
            Ok(placed) if placed.race_width == 1 => {
                sent[placed.order[0]] += 1;
                longest = longest.max(placed.wait);
            }
            Ok(placed) => panic!("unlike gateways race: {placed:?}"),
            Err(refused) => break refused,
        }
    };
    // Tickets use headroom like newcomers that connect at once.
    assert_eq!(refused, Refused::FleetFull);
    assert_eq!(sent, [100, 60]);
    assert!(longest > Duration::from_millis(500), "{longest:?}");
}

/// Returns the joins of each gateway in each second. `asking_per_s` newcomers ask for `secs`, gateways
/// report every second, and `entries` replicas share them. Each newcomer connects up to 400 ms after
/// its slot.
fn flash_crowd(start: &[u64], asking_per_s: u64, entries: u32, secs: u64) -> Vec<Vec<u64>> {
    let mut connections = start.to_vec();
    let mut joins = vec![vec![0_u64; 200]; start.len()];
    let mut placers: Vec<Placer> = (0..entries).map(|_| placer()).collect();
    let mut random = chance(11);
    let mut gateways = Vec::new();
    for ms in 0..secs * 1_000 {
        let (second, now) = (ms / 1_000, Duration::from_millis(ms));
        if ms % 1_000 == 0 {
            let last = |n: usize| second.checked_sub(1).map_or(0, |last| joins[n][last as usize]);
            (0..start.len()).for_each(|n| connections[n] += last(n));
            gateways = (0..start.len())
                .map(|n| {
                    let mut one = gateway(&format!("g{n}"), connections[n]);
                    one.report.load.connections_max = 20_000;
                    one.report.load.joins_per_s = last(n) as f64;
                    one
                })
                .collect();
            placers.iter_mut().for_each(|placer| placer.tick(&gateways, entries, now));
        }
        for n in 0..asking_per_s / 1_000 {
            let asked = &mut placers[((ms + n) % u64::from(entries)) as usize];
            let Ok(placed) = asked.place(&gateways, &even(&gateways), now, &mut random) else { continue };
            let racers = (placed.race_width as usize).min(placed.order.len());
            let winner = placed.order[(random() * racers as f64) as usize];
            let latency_ms = (ms * asking_per_s + n) * 7_919 % 400;
            let at_ms = ms + u64::try_from(placed.wait.as_millis()).unwrap() + latency_ms;
            joins[winner][(at_ms / 1_000) as usize] += 1;
        }
    }
    joins.iter_mut().for_each(|joins| joins.truncate(secs as usize));
    joins
}

#[test]
fn joins_of_a_gateway_never_exceed_its_knee_and_use_the_fleet() {
    for entries in [1, 2, 4] {
        // Three gateways are a third full, and two are new and empty.
        let joins = flash_crowd(&[6_000, 6_000, 6_000, 0, 0], 2_000, entries, 20);
        for (n, joins) in joins.iter().enumerate() {
            assert!(joins.iter().all(|joins| *joins <= 100), "{entries} entries, gateway {n}: {joins:?}");
            let used = joins.iter().skip(5).sum::<u64>() as f64 / 15.0;
            assert!(used >= 65.0, "{entries} entries, gateway {n} gets {used} of 80 joins a second");
        }
    }
}

#[test]
fn joins_that_entry_did_not_send_reduce_its_slots() {
    let mut stormed = gateway("a", 0);
    let config = WeightsConfig::default();
    let of = |gateway: &Registered, own_per_s, entries| {
        per_s(&config, &candidate(gateway, None, &config), entries, own_per_s).round()
    };
    assert_eq!((of(&stormed, 0.0, 1), of(&stormed, 0.0, 4)), (80.0, 20.0));
    stormed.report.load.joins_per_s = 60.0;
    assert_eq!(of(&stormed, 0.0, 1), 32.0);
    assert_eq!((of(&stormed, 60.0, 1), of(&stormed, 30.0, 2)), (80.0, 40.0), "entry sent them");
    stormed.report.load.joins_per_s = 5_000.0;
    assert_eq!(of(&stormed, 0.0, 1), 4.0, "a wrong report never closes a gateway");
    stormed.age = Duration::from_secs(4);
    assert_eq!(of(&stormed, 0.0, 1), 80.0, "an old report does not either");
    stormed.report.load.joins_per_s_max = 0;
    assert_eq!(of(&stormed, 0.0, 1), f64::INFINITY);
}

#[test]
fn newcomers_are_placed_when_all_reports_are_old() {
    let mut gateways = [gateway("a", 100), gateway("b", 800)];
    let (mut placer, now) = settled(&gateways);
    assert!(!placer.is_blind());
    gateways.iter_mut().for_each(|gateway| gateway.age = Duration::from_secs(30));
    let now = now + Duration::from_secs(30);
    placer.tick(&gateways, 1, now);
    assert!(placer.is_blind());
    let placed = placer.place(&gateways, &even(&gateways), now, chance(1)).unwrap();
    assert_eq!((placed.order.len(), placed.wait), (2, Duration::ZERO));
    // Departures are unknown, so newcomers are placed at the rate of joins.
    let mut random = chance(4);
    for second in 0..60 {
        let now = now + Duration::from_secs(second);
        gateways.iter_mut().for_each(|gateway| gateway.age += Duration::from_secs(1));
        placer.tick(&gateways, 1, now);
        for _ in 0..50 {
            let placed = placer.place(&gateways, &even(&gateways), now, &mut random).unwrap();
            assert!(placed.wait < Duration::from_secs(1));
        }
    }
    gateways[0].age = Duration::from_secs(30);
    let now = now + Duration::from_secs(60);
    // One silent gateway of two is no failure of the reports.
    gateways[1].age = Duration::ZERO;
    placer.tick(&gateways, 1, now);
    assert!(!placer.is_blind());
    let mut random = chance(2);
    for _ in 0..5 {
        assert_eq!(placer.place(&gateways, &even(&gateways), now, &mut random).unwrap().order, [1]);
    }
}

/// Returns the waits of honest newcomers with the times at which they asked: one every 100 ms, each
/// from a new address. `attackers` addresses ask 200 times a second until `until_secs` and never
/// connect. One gateway admits 400 joins a second and reports the honest ones.
fn attacked(attackers: u32, address_max: u32, until_secs: u64, secs: u64) -> Vec<(f64, Option<f64>)> {
    let mut grants = Grants::new(GrantLimits { address_max, site_max: 4 * address_max });
    let (mut placer, mut random) = (placer(), chance(13));
    let mut gateways = [gateway("g", 0)];
    gateways[0].report.load.connections_max = 100_000;
    gateways[0].report.load.joins_per_s_max = 400;
    let (mut joins, mut waits) = (vec![0_u64; 400], Vec::new());
    for ms in 0..secs * 1_000 {
        let (second, now) = (ms / 1_000, Duration::from_millis(ms));
        if ms % 1_000 == 0 {
            gateways[0].report.load.joins_per_s =
                second.checked_sub(1).map_or(0, |last| joins[last as usize]) as f64;
            gateways[0].report.load.connections = joins[..second as usize].iter().sum::<u64>() as f64;
            placer.tick(&gateways, 1, now);
        }
        let mut ask = |address: std::net::IpAddr| {
            grants.check(address, now).ok()?;
            let placed = placer.place(&gateways, &[1.0], now, &mut random).ok()?;
            let life_secs = if placed.wait.is_zero() { 5 } else { 30 };
            grants.granted(address, now, now + placed.wait + Duration::from_secs(life_secs));
            Some(placed.wait)
        };
        if ms % 5 == 0 && second < until_secs {
            for attacker in 0..attackers {
                ask(std::net::IpAddr::from((0x0a00_0000 + attacker).to_be_bytes()));
            }
        }
        if ms % 100 == 50 {
            let address = u32::try_from(0xc633_0000 + ms).unwrap();
            let wait = ask(std::net::IpAddr::from(address.to_be_bytes()));
            if let Some(wait) = wait {
                joins[((now + wait).as_millis() / 1_000) as usize] += 1;
            }
            waits.push((ms as f64 / 1_000.0, wait.map(|wait| wait.as_secs_f64())));
        }
    }
    waits
}

#[test]
fn four_addresses_that_never_connect_delay_others_by_2_s_at_most() {
    for (at, wait) in attacked(4, 100, 60, 70) {
        let wait = wait.unwrap_or(f64::INFINITY);
        assert!(wait < 2.0, "asked at {at} s, waits {wait} s");
    }
}

/// Without a limit by address the attack delays newcomers, and unused grants are given back after it.
#[test]
fn unused_grants_are_given_back() {
    let waits = attacked(4, 1_000_000, 40, 60);
    let longest = waits.iter().filter_map(|(_, wait)| *wait).fold(0.0, f64::max);
    assert!(longest > 5.0, "the attack delays newcomers while it lasts: {longest} s");
    for (at, wait) in waits.into_iter().filter(|(at, _)| (42.0..44.0).contains(at)) {
        let wait = wait.unwrap_or(f64::INFINITY);
        assert!(wait < 2.0, "asked {at} s after the start, 2 s after the attack, waits {wait} s");
    }
}

#[test]
fn old_reports_give_no_slot_back() {
    let mut gateways = [gateway("a", 100)];
    let (mut placer, now) = settled(&gateways);
    gateways[0].age = Duration::from_secs(30);
    for second in 0..20 {
        let now = now + Duration::from_secs(second);
        placer.tick(&gateways, 1, now);
        for _ in 0..150 {
            drop(placer.place(&gateways, &[1.0], now, chance(4)));
        }
    }
    let placed = placer.place(&gateways, &[1.0], now + Duration::from_secs(20), chance(4)).unwrap();
    assert!(placed.wait > Duration::from_secs(5), "the joins are unknown: {placed:?}");
}

#[test]
fn far_gateway_serves_when_the_near_one_has_no_headroom() {
    let gateways = [gateway("near", 900), gateway("far", 0)];
    let (mut placer, now) = settled(&gateways);
    let (mut random, mut first) = (chance(17), [0; 2]);
    for _ in 0..300 {
        let placed = placer.place(&gateways, &[1.0, 0.007], now, &mut random).unwrap();
        first[placed.order[0]] += 1;
    }
    // 1,000 viewers are the limit of the near one.
    assert!(first[0] <= 100 && first[0] > 50 && first[1] >= 200, "{first:?}");
}

#[test]
fn some_races_include_a_gateway_that_costs_too_much_to_race() {
    let gateways = [gateway("a", 100), gateway("b", 100), gateway("far", 100), gateway("farther", 100)];
    let mut random = chance(19);
    let mut raced = |explore_share: f64| {
        let mut far = 0;
        for _ in 0..400 {
            // A placer for each, because slots are given out.
            let (mut placer, now) = settled(&gateways);
            placer.config.explore_share = explore_share;
            let placed = placer.place(&gateways, &[1.0, 1.0, 0.001, 0.001], now, &mut random).unwrap();
            let racers = &placed.order[..placed.race_width as usize];
            far += u32::from(racers.iter().any(|index| *index >= 2));
        }
        far
    };
    assert!(raced(0.0) < 8, "far gateways have one share in five hundred");
    let far = raced(0.5);
    assert!((140..260).contains(&far), "{far}");
}

proptest! {
    #[test]
    fn placed_gateways_are_distinct_and_admit_newcomers(
        seen in prop::collection::vec((0_u64..1_100, any::<bool>(), 0_u8..6), 1..12),
        costs in prop::collection::vec(1e-4..=1.0_f64, 12),
        explore_share in 0.0..=1.0_f64,
        seed: u64,
    ) {
        let gateways: Vec<_> = seen
            .iter()
            .enumerate()
            .map(|(n, (connections, draining, overload_level))| {
                let mut one = gateway(&format!("g{n}"), *connections);
                one.report.draining = *draining;
                one.report.load.overload_level = *overload_level;
                one
            })
            .collect();
        let (mut placer, now) = settled(&gateways);
        placer.config.explore_share = explore_share;
        let factors = &costs[..gateways.len()];
        let mut random = chance(seed);
        let open = gateways.iter().filter(|one| takes_newcomers(&one.report)).count();
        match placer.place(&gateways, factors, now, &mut random) {
            Ok(placed) => {
                prop_assert!(placed.order.len() <= open.min(3) && !placed.order.is_empty());
                let distinct: std::collections::BTreeSet<_> = placed.order.iter().collect();
                prop_assert_eq!(distinct.len(), placed.order.len());
                prop_assert!(placed.order.iter().all(|n| takes_newcomers(&gateways[*n].report)));
                prop_assert!((1..=3).contains(&placed.race_width));
            }
            Err(_) => prop_assert_eq!(open, 0),
        }
        let live = gateways.iter().any(|one| !one.report.draining);
        prop_assert_eq!(placer.list(&gateways, factors, &mut random).order.is_empty(), !live);
    }
}
