//! The measurement: the same viewers placed and shuffled, then a crowd in one region.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::fleet::{Fleet, FleetPlan, Gateway};
use super::map::{REGIONS_MAX, RegionMap};
use super::viewer::{self, Joined};
use crate::error::LoadtestError;

/// Room that `barrage up` makes.
const ROOM: &str = "demo";
/// Share of a crowd's viewers that come from the first region.
const CROWD_SHARE: f64 = 0.8;
/// Share of all places of the fleet that the viewers take: the crowd's region alone cannot hold it,
/// and the fleet can.
const FILL: f64 = 0.6;

/// Sizes and distances of a measurement.
#[derive(Debug, Clone)]
pub struct RegionsPlan {
    /// Server binary `barrage` that the fleet runs.
    pub barrage: PathBuf,
    /// Server binary `nats-server`, with JetStream.
    pub nats: PathBuf,
    /// Number of regions, 2 to 16.
    pub regions: u8,
    /// Number of gateways in each region, from 1.
    pub gateways_per_region: u8,
    /// Number of viewers of each phase.
    pub viewers: u32,
    /// Viewers that come per second, evenly.
    pub viewers_per_s: u32,
    /// Milliseconds from a viewer to a gateway of its own region, one way.
    pub inside_ms: u64,
    /// Milliseconds from a viewer to a gateway of another region, one way.
    pub between_ms: u64,
}

/// Figures of a measurement. Connect times count from entry's answer to the hello, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Median connect time with entry's choice by place.
    pub connect_p50_ms_placed: f64,
    /// Median connect time by an entry that knows no region.
    pub connect_p50_ms_shuffled: f64,
    /// 99th percentile of the connect time with the choice by place.
    pub connect_p99_ms_placed: f64,
    /// 99th percentile of the connect time without it.
    pub connect_p99_ms_shuffled: f64,
    /// Share of the viewers at a gateway of their own region, with the choice by place.
    pub home_share_placed: f64,
    /// Share of the viewers at a gateway of their own region, without it.
    pub home_share_shuffled: f64,
    /// Viewers of the fullest gateway as a share of its places, with the choice by place.
    pub fullest_placed: f64,
    /// Viewers of the fullest gateway as a share of its places, without it.
    pub fullest_shuffled: f64,
    /// Viewers of the fullest gateway as a share of its places, with a crowd in one region.
    pub crowd_fullest: f64,
    /// Share of the other regions' viewers that keep a gateway of their own beside the crowd.
    pub crowd_others_home_share: f64,
    /// Viewers of the crowd whose first gateway refused them, so that they tried the next one.
    pub crowd_second_tries: u32,
    /// Answers of entry that asked a viewer of any phase to come back.
    pub turned_away: u32,
    /// Viewers of all phases that no gateway admitted, by the last reason.
    pub unserved: BTreeMap<String, u32>,
}

impl Figures {
    /// Returns every rule that the figures break, as a sentence.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if self.connect_p50_ms_placed >= self.connect_p50_ms_shuffled {
            broken.push("the median connect time is not shorter by place than shuffled".into());
        }
        for (reason, many) in &self.unserved {
            broken.push(format!("no gateway admitted {many} viewers: {reason}"));
        }
        if self.crowd_fullest > 1.0 || self.fullest_placed > 1.0 {
            broken.push("a gateway has more viewers than places".into());
        }
        if self.crowd_others_home_share < 0.5 {
            broken.push("the crowd takes the places of the other regions' viewers".into());
        }
        broken
    }

    /// Returns the figures as lines for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from("                          placed  shuffled\n");
        let mut line = |name: &str, placed: f64, shuffled: f64, digits: usize| {
            writeln!(text, "{name:<24}{placed:>8.digits$}{shuffled:>10.digits$}")
                .expect("a string takes every line");
        };
        line("connect p50, ms", self.connect_p50_ms_placed, self.connect_p50_ms_shuffled, 1);
        line("connect p99, ms", self.connect_p99_ms_placed, self.connect_p99_ms_shuffled, 1);
        line("share at home", self.home_share_placed, self.home_share_shuffled, 2);
        line("fullest gateway", self.fullest_placed, self.fullest_shuffled, 2);
        text + &format!(
            "crowd of one region: fullest gateway {:.2}, others at home {:.2}, second tries {}\nturned away for a while: {}\n",
            self.crowd_fullest, self.crowd_others_home_share, self.crowd_second_tries, self.turned_away
        )
    }
}

/// Starts the fleet and measures three phases: even viewers shuffled, the same placed, and a crowd in
/// the first region, placed. Takes about half a minute, and as long as the viewers take to come.
///
/// # Errors
/// When the plan is out of range, or a server cannot start.
pub async fn measure(plan: &RegionsPlan) -> Result<Figures, LoadtestError> {
    if !(2..=REGIONS_MAX).contains(&plan.regions) || plan.gateways_per_region == 0 || plan.viewers == 0 {
        return Err(LoadtestError::Usage(format!("2 to {REGIONS_MAX} regions, a gateway, and a viewer")));
    }
    let map = RegionMap {
        regions: plan.regions,
        inside: Duration::from_millis(plan.inside_ms),
        between: Duration::from_millis(plan.between_ms),
    };
    let gateways = u32::from(plan.regions) * u32::from(plan.gateways_per_region);
    let viewers_max = (f64::from(plan.viewers) / FILL / f64::from(gateways)).ceil() as u32;
    let (barrage, nats) = (plan.barrage.clone(), plan.nats.clone());
    let gateways_per_region = plan.gateways_per_region;
    let fleet = Fleet::start(map, &FleetPlan { barrage, nats, gateways_per_region, viewers_max }).await?;
    let even = |n: u32| (n % u32::from(plan.regions)) as u8;
    let shuffled = phase(plan, fleet.shuffled, even).await;
    let shuffled = Phase::of(&fleet.gateways, shuffled, viewers_max);
    fleet.is_empty().await?;
    let placed = phase(plan, fleet.placed, even).await;
    let placed = Phase::of(&fleet.gateways, placed, viewers_max);
    fleet.is_empty().await?;
    let crowd = phase(plan, fleet.placed, |n| crowd_region(n, plan)).await;
    let crowd = Phase::of(&fleet.gateways, crowd, viewers_max);
    let mut unserved = BTreeMap::new();
    for (reason, many) in [&shuffled, &placed, &crowd].into_iter().flat_map(|phase| &phase.unserved) {
        *unserved.entry(reason.clone()).or_default() += many;
    }
    Ok(Figures {
        connect_p50_ms_placed: placed.quantile_ms(0.5),
        connect_p50_ms_shuffled: shuffled.quantile_ms(0.5),
        connect_p99_ms_placed: placed.quantile_ms(0.99),
        connect_p99_ms_shuffled: shuffled.quantile_ms(0.99),
        home_share_placed: placed.home_share(|_| true),
        home_share_shuffled: shuffled.home_share(|_| true),
        fullest_placed: placed.fullest,
        fullest_shuffled: shuffled.fullest,
        crowd_fullest: crowd.fullest,
        crowd_others_home_share: crowd.home_share(|region| region != 0),
        crowd_second_tries: crowd.second_tries,
        turned_away: shuffled.turned_away + placed.turned_away + crowd.turned_away,
        unserved,
    })
}

/// Region of a viewer of the crowd: of ten in turn, eight are of the first.
fn crowd_region(n: u32, plan: &RegionsPlan) -> u8 {
    if f64::from(n % 10) < 10.0 * CROWD_SHARE {
        return 0;
    }
    let others = u32::from(plan.regions) - 1;
    1 + ((n / 10 * 2 + n % 2) % others) as u8
}

/// Lets all viewers come, and returns what became of each, with its region. The viewers leave when the
/// result is dropped.
async fn phase(
    plan: &RegionsPlan,
    entry: SocketAddr,
    region_of: impl Fn(u32) -> u8,
) -> Vec<(u8, Result<Joined, String>)> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / plan.viewers_per_s.max(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut viewers = JoinSet::new();
    for n in 0..plan.viewers {
        tick.tick().await;
        let region = region_of(n);
        let source = RegionMap::source(region, n).into();
        viewers.spawn(async move { (region, viewer::join(entry, ROOM, source).await) });
    }
    viewers.join_all().await
}

/// Sums of a phase.
struct Phase {
    /// Connect times in rising order, in milliseconds.
    times_ms: Vec<f64>,
    /// Region of each served viewer, and whether its gateway is there as well.
    homes: Vec<(u8, bool)>,
    fullest: f64,
    second_tries: u32,
    turned_away: u32,
    /// Viewers without a gateway, by the last reason.
    unserved: BTreeMap<String, u32>,
}

impl Phase {
    fn of(gateways: &[Gateway], viewers: Vec<(u8, Result<Joined, String>)>, viewers_max: u32) -> Self {
        let regions: BTreeMap<&str, u8> =
            gateways.iter().map(|gateway| (gateway.name.as_str(), gateway.region)).collect();
        let (mut times_ms, mut homes) = (Vec::new(), Vec::new());
        let (mut second_tries, mut turned_away, mut unserved) = (0, 0, BTreeMap::new());
        let mut held = BTreeMap::<String, u32>::new();
        for (region, joined) in viewers {
            let joined = match joined {
                Ok(joined) => joined,
                Err(reason) => {
                    *unserved.entry(reason).or_default() += 1;
                    continue;
                }
            };
            times_ms.push(joined.took.as_secs_f64() * 1_000.0);
            homes.push((region, regions.get(joined.gateway.as_str()) == Some(&region)));
            second_tries += u32::from(!joined.is_first);
            turned_away += joined.turned_away;
            *held.entry(joined.gateway).or_default() += 1;
        }
        times_ms.sort_by(f64::total_cmp);
        let fullest = f64::from(held.into_values().max().unwrap_or(0)) / f64::from(viewers_max);
        Phase { times_ms, homes, fullest, second_tries, turned_away, unserved }
    }

    fn quantile_ms(&self, share: f64) -> f64 {
        let index = (share * self.times_ms.len().saturating_sub(1) as f64).round() as usize;
        self.times_ms.get(index).copied().unwrap_or(0.0)
    }

    /// Returns the share of the viewers of some regions that are at a gateway of their own.
    fn home_share(&self, counts: impl Fn(u8) -> bool) -> f64 {
        let counted = || self.homes.iter().filter(|(region, _)| counts(*region));
        counted().filter(|(_, is_home)| *is_home).count() as f64 / counted().count().max(1) as f64
    }
}
