//! Entry's HTTP.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use barrage_bus::{Bus, Registered};
use barrage_flow::{Quota, QuotaKey, Rate, Rule, Subject};
use barrage_http::{ApiError, ClientAddr, body, rate_limited};
use barrage_protocol::entry::{EntryAnswer, RacePlan, RaceReport};
use barrage_protocol::{Code, RoomId};
use barrage_scaling::CapacityFile;
use barrage_token::Keyring;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use prometheus::Registry;
use rand::seq::SliceRandom;
use serde::Deserialize;

use crate::attendance::{Attendance, Change};
use crate::config::EntryConfig;
use crate::door::{Door, address_refused, turned_away};
use crate::error::EntryError;
use crate::factors::Factors;
use crate::grants::{GrantLimits, Grants, TooMany};
use crate::hearing::Hearing;
use crate::metrics::EntryMetrics;
use crate::placer::{Placed, Placer, PlacerConfig, Refused};
use crate::race::{self, FAILED_MS, RESULTS_MAX, RaceBook};
use crate::region::{Place, RegionTable};
use crate::report::Newcomers;
use crate::unix::unix_ms;
use crate::urls::{Here, bases, downlinks, host};

const REPORT_BYTES_MAX: usize = 4 * 1024;
/// Seconds' worth of questions that an address may save up.
const BURST_SECS: u32 = 3;

/// A report of this age, in report periods, is that of a silent gateway to the weights.
const SILENT_PERIODS: f64 = 7.0;

/// The entry scheduler.
pub struct Entry {
    pub(crate) bus: Arc<dyn Bus>,
    quota: Arc<dyn Quota>,
    /// Of one address.
    rate: Rate,
    pub(crate) started: Instant,
    pub(crate) config: EntryConfig,
    metrics: EntryMetrics,
    regions: RegionTable,
    races: Mutex<RaceBook>,
    placer: Mutex<Placer>,
    factors: Mutex<Factors>,
    /// Locked before the placer.
    grants: Mutex<Grants>,
    /// Locked after the placer.
    hearing: Mutex<Hearing>,
    attendance: Mutex<Attendance>,
    /// `None` gives no tickets: in a crowd all come at once.
    door: Option<Door>,
    pub(crate) newcomers: Newcomers,
    resource: Bytes,
    here: Here,
}

impl Entry {
    /// The keyring signs tickets; one that cannot sign gives none.
    pub fn new(
        bus: Arc<dyn Bus>,
        quota: Arc<dyn Quota>,
        here: Here,
        config: EntryConfig,
        registry: &Registry,
        keyring: Arc<Keyring>,
    ) -> Result<Arc<Self>, EntryError> {
        if !keyring.can_sign() {
            tracing::warn!("no key of this entry can sign: in a crowd there will be no tickets");
        }
        let door = keyring.can_sign().then(|| Door::new(keyring));
        let regions = match &config.region_file {
            Some(path) => RegionTable::load(path)?,
            None => RegionTable::default(),
        };
        let rate = Rate::per_sec(config.address_per_s, config.address_per_s.saturating_mul(BURST_SECS))?;
        let capacity = config.capacity_file.as_deref().map(CapacityFile::read).transpose()?;
        for warning in capacity.iter().flat_map(CapacityFile::warnings) {
            tracing::warn!("entry.capacity_file: {warning}");
        }
        // A lower bound must not turn viewers away: the gateways' own limits hold instead.
        let knee = capacity.map(|file| file.known_knee());
        let placer = Placer::new(PlacerConfig {
            gateways_max: config.gateways_max,
            race_width: config.race_width,
            wait_max: Duration::from_secs(config.ticket_wait_secs_max),
            weights: config.weights.clone(),
            knee,
        });
        let grants = Grants::new(GrantLimits {
            address_max: config.address_grants_max.max(1),
            site_max: config.site_grants_max.max(1),
        });
        let resource = race::resource(config.race_bytes);
        let metrics = EntryMetrics::new(registry)?;
        Ok(Arc::new(Entry {
            bus,
            quota,
            rate,
            started: Instant::now(),
            config,
            metrics,
            regions,
            races: Mutex::default(),
            placer: Mutex::new(placer),
            factors: Mutex::default(),
            grants: Mutex::new(grants),
            hearing: Mutex::default(),
            attendance: Mutex::default(),
            door,
            newcomers: Newcomers::default(),
            resource,
            here,
        }))
    }

    /// Counts a question against its address.
    async fn limit(&self, address: IpAddr) -> Result<(), ApiError> {
        let key = QuotaKey { purpose: "entry", subject: Subject::address(address) };
        let verdict = self.quota.take(&key, 1, &Rule::Rate(self.rate), self.started.elapsed()).await;
        if verdict.is_admit() {
            return Ok(());
        }
        let message = format!("too many questions: one address has {} a second", self.rate.units());
        let window_ms = 1_000 * u64::from(BURST_SECS);
        Err(rate_limited(message, "entry.address_per_s", "address", &verdict, window_ms))
    }

    fn races(&self) -> MutexGuard<'_, RaceBook> {
        self.races.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn factors(&self) -> MutexGuard<'_, Factors> {
        self.factors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn placer(&self) -> MutexGuard<'_, Placer> {
        self.placer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Weighs the gateways anew when that is due, and says so in metrics; how many have a
    /// turn to come.
    pub(crate) fn weigh(&self, now: Duration) -> u64 {
        let mut placer = self.placer();
        self.weigh_if_due(&mut placer, &self.bus.gateways(), now);
        self.metrics.blind.set(placer.is_blind().into());
        let open = placer.standings(now).iter().filter(|one| one.weight > 0.0 && one.room > 0.0).count();
        self.metrics.open_gateways.set(i64::try_from(open).unwrap_or(i64::MAX));
        placer.queued(now)
    }

    fn weigh_if_due(&self, placer: &mut Placer, gateways: &[Registered], now: Duration) {
        if placer.is_due(gateways, now) {
            // Each entry has its share of what a gateway admits.
            let entries = self.bus.entries();
            placer.advise(&self.factors().advice(&entries, unix_ms(), now));
            let live = entries.iter().filter(|entry| !entry.report.draining).count();
            let live = u32::try_from(live).unwrap_or(u32::MAX);
            if self.is_deaf(gateways, now) {
                // All reports are old alike: the last weights are kept, half flattened.
                let old = Duration::from_secs_f64(SILENT_PERIODS * self.config.weights.report_secs);
                let mut gateways = gateways.to_vec();
                gateways.iter_mut().for_each(|gateway| gateway.age = gateway.age.max(old));
                placer.tick(&gateways, live, now);
            } else {
                placer.tick(gateways, live, now);
            }
        }
    }

    fn is_deaf(&self, gateways: &[Registered], now: Duration) -> bool {
        let hears = self.bus.unheard_for().is_none();
        self.hearing.lock().unwrap_or_else(PoisonError::into_inner).is_deaf(hears, gateways, now)
    }

    /// Logs the gateways that came, left, lapsed or returned since the last call.
    pub(crate) fn log_attendance(&self, now: Duration) {
        let gateways = self.bus.gateways();
        let mut attendance = self.attendance.lock().unwrap_or_else(PoisonError::into_inner);
        attendance.observe(&gateways, now).iter().for_each(Change::log);
    }

    /// Base URLs of uplinks: those configured, or else those in the registry, in an
    /// order of its own for each client.
    fn uplinks(&self, host: &str) -> Vec<String> {
        if !self.config.uplink_urls.is_empty() {
            return self.config.uplink_urls.clone();
        }
        let mut uplinks = self.bus.uplinks();
        uplinks.retain(|uplink| !uplink.report.draining);
        uplinks.shuffle(&mut rand::rng());
        let mut urls = Vec::new();
        for uplink in uplinks.iter().take(self.config.uplinks_max) {
            for base in bases(&uplink.report.base_urls, host, &self.here) {
                if !urls.contains(&base) {
                    urls.push(base);
                }
            }
        }
        urls
    }

    /// Where to go, for somebody who takes a turn or for somebody who does not.
    fn place(&self, gateways: &[Registered], turn: Turn, now: Duration) -> Result<Placed, Refused> {
        let race = self.races().factors(gateways.iter().map(|gateway| gateway.report.id.as_str()));
        let mut placer = self.placer();
        self.weigh_if_due(&mut placer, gateways, now);
        match turn {
            Turn::Taken => placer.place(gateways, &race, now, rand::random::<f64>),
            Turn::None => {
                let placed = placer.list(gateways, &race, rand::random::<f64>);
                if placed.order.is_empty() { Err(Refused::NoGateway) } else { Ok(placed) }
            }
        }
    }

    /// Places a newcomer, and counts the grant against its address until it lapses.
    fn grant(&self, gateways: &[Registered], address: IpAddr, now: Duration) -> Result<Placed, Refusal> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.check(address, now).map_err(Refusal::Address)?;
        let placed = self.place(gateways, Turn::Taken, now).map_err(Refusal::Fleet)?;
        let life_secs =
            if placed.wait.is_zero() { self.config.grant_secs } else { self.config.ticket_life_secs };
        grants.granted(address, now, now + placed.wait + Duration::from_secs(life_secs));
        self.metrics.granted_networks.set(i64::try_from(grants.networks()).unwrap_or(i64::MAX));
        Ok(placed)
    }

    fn answer(&self, question: Question<'_>, host: &str, client: Client) -> Result<EntryAnswer, ApiError> {
        let gateways = self.bus.gateways();
        let now = self.started.elapsed();
        let newcomer = question.room.filter(|_| question.purpose == Purpose::Watch);
        let turn = if newcomer.is_some() { Turn::Taken } else { Turn::None };
        let placed = match turn {
            Turn::Taken => self.grant(&gateways, client.address, now),
            Turn::None => self.place(&gateways, turn, now).map_err(Refusal::Fleet),
        };
        let placed = placed.map_err(|refusal| {
            let refused = match refusal {
                Refusal::Fleet(refused) => refused,
                Refusal::Address(too_many) => return address_refused(too_many, &self.metrics),
            };
            let told = turned_away(
                refused,
                self.newcomers.waiting(now),
                self.bus.unheard_for(),
                &self.config,
                &self.metrics,
            );
            if turn == Turn::Taken {
                let back_after = Duration::from_millis(told.0.retry_after_ms.unwrap_or_default());
                self.newcomers.turned_away(now, back_after);
            }
            told
        })?;
        let ticket = match (&self.door, newcomer) {
            (Some(door), Some(room)) if !placed.wait.is_zero() => {
                Some(door.ticket(room, placed.wait, &self.config, &self.metrics)?)
            }
            _ => None,
        };
        if newcomer.is_some() {
            self.newcomers.granted();
        }
        self.metrics.answers.inc();
        let reports = placed.order.iter().map(|index| &gateways[*index].report);
        let bases: Vec<(&str, Vec<String>)> =
            reports.map(|report| (report.id.as_str(), bases(&report.base_urls, host, &self.here))).collect();
        Ok(EntryAnswer {
            downlinks: downlinks(&bases, question.room.map_or("{room}", RoomId::as_str)),
            uplinks: self.uplinks(host),
            race: RacePlan {
                width: placed.race_width,
                timeout_ms: self.config.race_timeout_ms,
                bytes: self.resource.len() as u64,
            },
            ticket,
            ttl_ms: self.config.ttl_ms,
            backoff_base_ms: self.config.backoff_base_ms,
            backoff_max_ms: self.config.backoff_max_ms,
            region: client.place.region,
            carrier: client.place.carrier,
        })
    }
}

/// Entry's public routes.
pub fn router(entry: Arc<Entry>) -> Router {
    Router::new()
        .route("/v1/entry", get(query))
        .route("/v1/entry/race", post(report))
        .route("/v1/entry/fallback", get(fallback))
        .route("/v1/race", get(resource))
        .with_state(entry)
}

#[derive(Debug, Deserialize)]
struct Asked {
    room: String,
    #[serde(default)]
    purpose: Purpose,
}

/// Why somebody asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    /// To connect: takes a turn.
    #[default]
    Watch,
    /// For the uplinks alone.
    Send,
}

/// Whether an answer takes somebody's place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Taken,
    None,
}

/// Why a newcomer is refused.
enum Refusal {
    Fleet(Refused),
    Address(TooMany),
}

/// Who asks.
struct Client {
    address: IpAddr,
    place: Place,
}

/// What an answer is for.
#[derive(Debug, Clone, Copy)]
struct Question<'a> {
    /// `None` for a form that stands for any room.
    room: Option<&'a RoomId>,
    purpose: Purpose,
}

async fn query(
    State(entry): State<Arc<Entry>>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    entry.limit(address).await?;
    let Query(asked) = asked.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room =
        RoomId::parse(&asked.room).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    match entry.bus.settings().borrow().rooms.get(&room) {
        None => return Err(ApiError::new(Code::UnknownRoom, "there is no such room")),
        Some(found) if found.closed => return Err(ApiError::new(Code::RoomClosed, "the room is closed")),
        Some(_) => {}
    }
    respond(&entry, Question { room: Some(&room), purpose: asked.purpose }, &headers, address)
}

/// A list that a client can embed, for the day when entry cannot be asked:
/// `{room}` stands for the room.
async fn fallback(
    State(entry): State<Arc<Entry>>,
    Extension(ClientAddr(address)): Extension<ClientAddr>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    entry.limit(address).await?;
    respond(&entry, Question { room: None, purpose: Purpose::Watch }, &headers, address)
}

fn respond(
    entry: &Entry,
    question: Question<'_>,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Response, ApiError> {
    let client = Client { address, place: entry.regions.place(address) };
    let answer = entry.answer(question, host(headers)?, client)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

async fn resource(State(entry): State<Arc<Entry>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, entry.resource.clone()).into_response()
}

async fn report(State(entry): State<Arc<Entry>>, request_body: Body) -> Result<StatusCode, ApiError> {
    let bytes = body::read(request_body, REPORT_BYTES_MAX, Duration::from_secs(5)).await?;
    let report: RaceReport = body::json(&bytes)?;
    if report.results.len() > RESULTS_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("results: at most {RESULTS_MAX}")));
    }
    let gateways = entry.bus.gateways();
    let is_known = |id: &str| gateways.iter().any(|gateway| gateway.report.id == id);
    for result in report.results.iter().filter(|result| is_known(&result.gateway)) {
        match result.elapsed_ms {
            // A made-up time must not spoil the histogram's sum.
            Some(ms) => entry.metrics.race_seconds.observe((ms as f64).min(FAILED_MS) / 1000.0),
            None => entry.metrics.race_failures.inc(),
        }
    }
    entry.races().take(&report, is_known);
    Ok(StatusCode::NO_CONTENT)
}
