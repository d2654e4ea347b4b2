//! The scheduler: it holds the placement state, weighs the gateways, and composes answers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{Bus, Registered};
use barrage_counters::{Quota, QuotaKey, Subject};
use barrage_flow::{Rate, Rule};
use barrage_http::rate_limited;
use barrage_protocol::code::Refusal;
use barrage_protocol::entry::{
    EntryAnswer, MediaPlan, ProbeGateway, ProbeTargets, RacePlan, RaceReport, Transport,
};
use barrage_protocol::facts::NetworkType;
use barrage_protocol::{Code, RoomId};
use barrage_scaling::CapacityFile;
use barrage_token::{Keyring, Role};
use parking_lot::Mutex;
use prometheus::Registry;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::addresses;
use crate::answer::{LocalEndpoints, base_urls, downlinks, media_urls};
use crate::config::EntryConfig;
use crate::error::EntryError;
use crate::fleet_log::{FleetChange, FleetLog};
use crate::media;
use crate::metrics::EntryMetrics;
use crate::nearby::{Fleet, Nearby};
use crate::newcomers::{Newcomers, TicketSigner, address_refusal, fleet_refusal};
use crate::place::Location;
use crate::placement::{
    Factors, GrantLimits, Grants, Placed, Placer, PlacerConfig, Refused, RegistryOutage, TooMany,
};
use crate::race::Kind;

/// Seconds of the rate that an address may save up for a burst.
const BURST_SECS: u32 = 3;
/// Age in report periods at which the weights treat a report as one of a silent gateway.
const SILENT_PERIODS: f64 = 7.0;

/// The entry scheduler of a process, shared by its request handlers and its report task.
pub struct Entry {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) config: EntryConfig,
    pub(crate) factors: Mutex<Factors>,
    pub(crate) newcomers: Newcomers,
    pub(crate) placer: Mutex<Placer>,
    quota: Arc<dyn Quota>,
    /// Maximum questions a second of one client address.
    rate: Rate,
    started: Instant,
    metrics: EntryMetrics,
    nearby: Nearby,
    /// Outstanding grants by network. Lock order: before `placer`.
    grants: Mutex<Grants>,
    /// Whether the registry itself is away. Lock order: after `placer`.
    outage: Mutex<RegistryOutage>,
    fleet_log: Mutex<FleetLog>,
    /// `None` when no key can sign: then newcomers get no tickets and connect at once.
    tickets: Option<TicketSigner>,
    /// Keys that verify the tokens of probes.
    keyring: Arc<Keyring>,
    local: LocalEndpoints,
}

/// A question of a client: where to connect, and for which purpose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// `None` asks for a template that stands for any room.
    pub(crate) room: Option<&'a RoomId>,
    pub(crate) purpose: Purpose,
    /// Type of the client's network, as the client knows it.
    pub(crate) network: NetworkType,
}

/// What the client needs the answer for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// To connect: takes a slot of the join queue.
    #[default]
    Watch,
    /// For the uplinks alone: takes no slot.
    Send,
}

/// Facts of a question that decide about gateways.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    gateways: &'a [Registered],
    /// Factor of each gateway by place and race times.
    factors: &'a [f64],
    address: IpAddr,
}

/// Why a newcomer gets no slot: the fleet or the newcomer's address is at a limit.
#[derive(Debug, Clone, Copy)]
enum NoSlot {
    Fleet(Refused),
    Address(TooMany),
}

impl Entry {
    /// Builds an entry. `keyring` signs tickets; without a signing key there are none.
    ///
    /// # Errors
    /// When a file or a limit of `config` cannot be used, or a metric is registered already.
    pub fn new(
        bus: Arc<dyn Bus>,
        quota: Arc<dyn Quota>,
        local: LocalEndpoints,
        config: EntryConfig,
        registry: &Registry,
        keyring: Arc<Keyring>,
    ) -> Result<Arc<Self>, EntryError> {
        if !keyring.can_sign() {
            tracing::warn!("no key of this entry can sign, so newcomers get no tickets in a flash crowd");
        }
        let life = Duration::from_secs(config.ticket_life_secs);
        let tickets = keyring.can_sign().then(|| TicketSigner::new(Arc::clone(&keyring), life));
        let rate = Rate::per_sec(config.address_per_s, config.address_per_s.saturating_mul(BURST_SECS))?;
        let capacity = config.capacity_file.as_deref().map(CapacityFile::read).transpose()?;
        for warning in capacity.iter().flat_map(CapacityFile::warnings) {
            tracing::warn!("entry.capacity_file: {warning}");
        }
        // A figure that is only a lower bound must not refuse viewers: the gateways' own limits
        // hold instead.
        let knee = capacity.map(|file| file.known_knee());
        let placer = Placer::new(PlacerConfig {
            gateways_max: config.gateways_max,
            race_width: config.race_width,
            explore_share: config.place.explore_share,
            wait_max: Duration::from_secs(config.ticket_wait_secs_max),
            weights: config.weights.clone(),
            knee,
        });
        let grants = Grants::new(GrantLimits {
            address_max: config.address_grants_max.max(1),
            site_max: config.site_grants_max.max(1),
        });
        let metrics = EntryMetrics::new(registry)?;
        let nearby = Nearby::new(&config, metrics.clone())?;
        Ok(Arc::new(Entry {
            bus,
            config,
            factors: Mutex::default(),
            newcomers: Newcomers::default(),
            placer: Mutex::new(placer),
            quota,
            rate,
            started: barrage_clock::now(),
            metrics,
            nearby,
            grants: Mutex::new(grants),
            outage: Mutex::default(),
            fleet_log: Mutex::default(),
            tickets,
            keyring,
            local,
        }))
    }

    /// Returns the time since this entry started.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Counts a question against its address; refuses at the limit `entry.address_per_s`.
    pub(crate) async fn limit(&self, address: IpAddr) -> Result<(), Refusal> {
        let key = QuotaKey { purpose: "entry", subject: Subject::address(address) };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(self.rate), self.now()).await;
        if verdict.is_admit() {
            return Ok(());
        }
        let message = format!("too many questions: one address has {} a second", self.rate.units());
        let window_ms = 1_000 * u64::from(BURST_SECS);
        Err(rate_limited(message, "entry.address_per_s", "address", &verdict, window_ms))
    }

    /// Counts the race times that a client measured. `host` is the one that it reached this server as.
    pub(crate) fn take_race_report(&self, report: &RaceReport, host: Option<&str>, from: IpAddr) {
        let (gateways, uplinks) = (self.bus.gateways(), self.bus.uplinks());
        let uplink_of = |url: &str| {
            let has = |uplink: &&Registered| match (uplink.report.base_urls.as_slice(), host) {
                ([], Some(host)) => base_urls(&[], host, &self.local).iter().any(|own| own == url),
                (own, _) => own.iter().any(|own| own.trim_end_matches('/') == url.trim_end_matches('/')),
            };
            uplinks.iter().find(has).map(|uplink| uplink.report.id.clone())
        };
        let fleet = Fleet { gateways: &gateways, uplinks: &uplinks };
        self.nearby.take_report(report, from, &fleet, uplink_of, self.now());
    }

    /// Weighs the gateways if that is due, and sets the metrics. Returns the newcomers whose slot
    /// is in the future.
    pub(crate) fn weigh(&self, now: Duration) -> u64 {
        let mut placer = self.placer.lock();
        self.weigh_if_due(&mut placer, &self.bus.gateways(), now);
        self.metrics.blind.set(placer.is_blind().into());
        let open = placer.standings(now).iter().filter(|one| one.weight > 0.0 && one.room > 0.0).count();
        self.metrics.open_gateways.set(i64::try_from(open).unwrap_or(i64::MAX));
        placer.queued(now)
    }

    fn weigh_if_due(&self, placer: &mut Placer, gateways: &[Registered], now: Duration) {
        if !placer.is_due(gateways, now) {
            return;
        }
        // Each entry gives out its share of the joins that a gateway admits.
        let entries = self.bus.entries();
        placer.advise(&self.factors.lock().advice(&entries, barrage_clock::unix_ms(), now));
        let live = entries.iter().filter(|entry| !entry.report.draining).count();
        let live = u32::try_from(live).unwrap_or(u32::MAX);
        if self.is_outage(gateways, now) {
            // The reports of all gateways are old for the same reason: the last weights are kept,
            // half flattened.
            let old = Duration::from_secs_f64(SILENT_PERIODS * self.config.weights.report_secs);
            let mut gateways = gateways.to_vec();
            gateways.iter_mut().for_each(|gateway| gateway.age = gateway.age.max(old));
            placer.tick(&gateways, live, now);
        } else {
            placer.tick(gateways, live, now);
        }
    }

    fn is_outage(&self, gateways: &[Registered], now: Duration) -> bool {
        let hears = self.bus.servers_silent_for().is_none();
        self.outage.lock().observe(hears, gateways, now)
    }

    /// Logs the gateways that joined, left, lapsed or returned since the last call.
    pub(crate) fn log_fleet_changes(&self, now: Duration) {
        let gateways = self.bus.gateways();
        self.fleet_log.lock().observe(&gateways, now).iter().for_each(FleetChange::log);
    }

    /// Returns the base URLs of uplinks for a client: those configured, or else those of the registry
    /// in the order of load, place and race times.
    fn uplinks(&self, host: &str, location: &Location) -> Vec<String> {
        if !self.config.uplink_urls.is_empty() {
            return self.config.uplink_urls.clone();
        }
        let mut uplinks = self.bus.uplinks();
        uplinks.retain(|uplink| !uplink.report.draining);
        let mut urls = Vec::new();
        let order = self.nearby.uplink_order(location, &uplinks, self.now());
        for uplink in order.into_iter().take(self.config.uplinks_max).map(|index| &uplinks[index]) {
            for url in base_urls(&uplink.report.base_urls, host, &self.local) {
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
        }
        urls
    }

    /// Returns where a client uploads and reads media; `None` where there are none.
    fn media(&self, host: &str, location: &Location, network: NetworkType) -> Option<MediaPlan> {
        let config = &self.config.media;
        let hosts = match config.hosts.is_empty() {
            true => media_urls(host, &self.local),
            false => media::hosts(config, &self.config.place, location, rand::random::<f64>),
        };
        let piece_bytes = media::piece_bytes(config, network, location.carrier.as_deref());
        (!hosts.is_empty()).then_some(MediaPlan { hosts, piece_bytes })
    }

    /// Lists every gateway and uplink for a probe that reached this server as `host`.
    ///
    /// # Errors
    /// When the token does not verify, or is not of the role probe.
    pub(crate) fn probe_targets(&self, token: &str, host: &str) -> Result<ProbeTargets, Refusal> {
        let room = RoomId::probe();
        if self.keyring.verify_for(token, &room)?.role != Role::Probe {
            return Err(Refusal::new(Code::Forbidden, "only a token of the role probe lists all gateways"));
        }
        let gateways = self.bus.gateways().into_iter().filter_map(|gateway| {
            let report = gateway.report;
            let base = base_urls(&report.base_urls, host, &self.local).into_iter().next()?;
            let url = barrage_http::endpoint(&report.id, &base, Transport::Ws, room.as_str()).url;
            Some(ProbeGateway { id: report.id, url, draining: report.draining })
        });
        Ok(ProbeTargets { gateways: gateways.collect(), uplinks: self.uplinks(host, &Location::default()) })
    }

    /// Takes a slot for a newcomer, and counts the grant against its address until it lapses.
    fn grant(&self, asked: &Asked<'_>, now: Duration) -> Result<Placed, NoSlot> {
        let Asked { gateways, factors, address } = *asked;
        let mut grants = self.grants.lock();
        grants.check(address, now).map_err(NoSlot::Address)?;
        let mut placer = self.placer.lock();
        self.weigh_if_due(&mut placer, gateways, now);
        let placed = placer.place(gateways, factors, now, rand::random::<f64>).map_err(NoSlot::Fleet)?;
        drop(placer);
        let life_secs =
            if placed.wait.is_zero() { self.config.grant_secs } else { self.config.ticket_life_secs };
        grants.granted(address, now, now + placed.wait + Duration::from_secs(life_secs));
        self.metrics.granted_networks.set(i64::try_from(grants.networks()).unwrap_or(i64::MAX));
        Ok(placed)
    }

    /// Lists gateways for a client that takes no slot.
    fn list(&self, asked: &Asked<'_>, now: Duration) -> Result<Placed, Refused> {
        let Asked { gateways, factors, .. } = *asked;
        let mut placer = self.placer.lock();
        self.weigh_if_due(&mut placer, gateways, now);
        let placed = placer.list(gateways, factors, rand::random::<f64>);
        if placed.order.is_empty() { Err(Refused::NoGateway) } else { Ok(placed) }
    }

    /// Refuses a client for which no gateway is free.
    fn fleet_refusal(&self, refused: Refused, now: Duration) -> Refusal {
        let (waiting, outage) = (self.newcomers.waiting(now), self.bus.servers_silent_for());
        fleet_refusal(refused, waiting, outage, self.config.ticket_wait_secs_max, &self.metrics)
    }

    /// Refuses a newcomer, and counts it as waiting until its retry time.
    fn newcomer_refusal(&self, no_slot: NoSlot, now: Duration) -> Refusal {
        let refused = match no_slot {
            NoSlot::Fleet(refused) => refused,
            NoSlot::Address(too_many) => return address_refusal(too_many, &self.metrics),
        };
        let refusal = self.fleet_refusal(refused, now);
        let retry_after = Duration::from_millis(refusal.retry_after_ms.unwrap_or_default());
        self.newcomers.count_refused(now, retry_after);
        refusal
    }

    /// Answers a question of a client that reached this server as `host`.
    ///
    /// # Errors
    /// A refusal with a time to come back, when no gateway or no slot is free.
    pub(crate) fn answer(
        &self,
        question: Question<'_>,
        host: &str,
        address: IpAddr,
    ) -> Result<EntryAnswer, Refusal> {
        let (gateways, now) = (self.bus.gateways(), self.now());
        let location = self.nearby.locate(address);
        let factors = self.nearby.factors(&location, Kind::Gateway, &gateways, now);
        let asked = Asked { gateways: &gateways, factors: &factors, address };
        let newcomer = question.room.filter(|_| question.purpose == Purpose::Watch);
        let placed = match newcomer {
            Some(_) => self.grant(&asked, now).map_err(|no_slot| self.newcomer_refusal(no_slot, now))?,
            None => self.list(&asked, now).map_err(|refused| self.fleet_refusal(refused, now))?,
        };
        let ticket = match (&self.tickets, newcomer) {
            (Some(tickets), Some(room)) if !placed.wait.is_zero() => {
                let ticket = tickets.sign(room, placed.wait)?;
                self.metrics.ticket_wait_seconds.observe(placed.wait.as_secs_f64());
                Some(ticket)
            }
            _ => None,
        };
        if newcomer.is_some() {
            self.newcomers.count_granted();
            placed.order.first().inspect(|first| self.nearby.count_placed(&location, &gateways[**first]));
        }
        self.metrics.answers.inc();
        let reports = placed.order.iter().map(|index| &gateways[*index].report);
        let urls: Vec<(&str, Vec<String>)> = reports
            .map(|report| (report.id.as_str(), base_urls(&report.base_urls, host, &self.local)))
            .collect();
        let downlinks = downlinks(&urls, question.room.map_or("{room}", RoomId::as_str));
        let uplinks = self.uplinks(host, &location);
        let media = self.media(host, &location, question.network);
        let media_hosts = media.iter().flat_map(|media| &media.hosts);
        let urls = downlinks.iter().map(|endpoint| &endpoint.url).chain(&uplinks).chain(&self.config.urls);
        let urls = urls.chain(media_hosts);
        let reporting = self.bus.uplinks();
        let reports = placed.order.iter().map(|index| &gateways[*index].report);
        let reporting = reporting.iter().map(|uplink| &uplink.report).filter(|uplink| !uplink.draining);
        let reported = addresses::reported(reports.chain(reporting));
        let addresses = addresses::of_urls(&self.config.addresses, &reported, urls.map(String::as_str), host);
        Ok(EntryAnswer {
            downlinks,
            uplinks,
            race: RacePlan {
                width: placed.race_width,
                timeout_ms: self.config.race_timeout_ms,
                bytes: self.config.race_bytes as u64,
            },
            ticket,
            ttl_ms: self.config.ttl_ms,
            backoff_base_ms: self.config.backoff_base_ms,
            backoff_max_ms: self.config.backoff_max_ms,
            region: location.region,
            carrier: location.carrier,
            addresses,
            entries: self.config.urls.clone(),
            media,
            issued_ms: Some(barrage_clock::unix_ms()),
        })
    }
}
