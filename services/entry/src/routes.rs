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
use barrage_protocol::entry::{Endpoint, EntryAnswer, RacePlan, RaceReport, Transport};
use barrage_protocol::{Code, RoomId};
use barrage_token::Keyring;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use prometheus::Registry;
use rand::seq::SliceRandom;
use serde::Deserialize;

use crate::config::EntryConfig;
use crate::door::Door;
use crate::error::EntryError;
use crate::fleet::Fleet;
use crate::metrics::EntryMetrics;
use crate::race::{self, FAILED_MS, RESULTS_MAX, RaceBook};
use crate::ranker::{Candidate, rank};
use crate::region::{Place, RegionTable};
use crate::report::Newcomers;

const REPORT_BYTES_MAX: usize = 4 * 1024;
/// Seconds' worth of questions that an address may save up.
const BURST_SECS: u32 = 3;
/// Longest `Host` that is put into URLs.
const HOST_BYTES_MAX: usize = 255;

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
    /// `None` gives no tickets.
    pub(crate) door: Option<Door>,
    pub(crate) newcomers: Newcomers,
    resource: Bytes,
    /// Ports of gateways that name no URL of their own.
    ports: Vec<u16>,
}

impl Entry {
    /// `ports` are where gateways without a base URL listen, on the host that entry was
    /// asked on. The keyring signs tickets; one that cannot sign gives none.
    pub fn new(
        bus: Arc<dyn Bus>,
        quota: Arc<dyn Quota>,
        ports: Vec<u16>,
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
            door,
            newcomers: Newcomers::default(),
            resource,
            ports,
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

    fn candidate(&self, gateway: &Registered) -> Candidate {
        let report = &gateway.report;
        let free = report.load.connections_max.saturating_sub(report.load.connections);
        Candidate {
            id: report.id.clone(),
            headroom: free as f64 / report.load.connections_max.max(1) as f64,
            race_ms: self.races().race_ms(&report.id),
            draining: report.draining,
        }
    }

    /// Base URLs of a gateway, or of this host with each of its ports.
    fn bases(&self, named: &[String], host: &str) -> Vec<String> {
        if !named.is_empty() {
            return named.to_vec();
        }
        // The address that the client used works; the others are tried after it.
        let mut bases = vec![format!("http://{host}")];
        let name = host_name(host);
        for port in &self.ports {
            let base = format!("http://{name}:{port}");
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        bases
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
            for base in self.bases(&uplink.report.base_urls, host) {
                if !urls.contains(&base) {
                    urls.push(base);
                }
            }
        }
        urls
    }

    fn answer(&self, question: Question<'_>, host: &str, place: Place) -> Result<EntryAnswer, ApiError> {
        let gateways = self.bus.gateways();
        let candidates: Vec<_> = gateways.iter().map(|gateway| self.candidate(gateway)).collect();
        let ranked = rank(&candidates, self.config.gateways_max, rand::random::<f64>);
        let now = self.started.elapsed();
        if ranked.is_empty() {
            self.metrics.empty.inc();
            self.newcomers.turned_away(now);
            let message = "no gateway takes viewers now; come back at the named time";
            return Err(
                ApiError::new(Code::Overloaded, message).retry_after_ms(1_000 + rand::random_range(0..2_000))
            );
        }
        let bases: Vec<(&str, Vec<String>)> = ranked
            .iter()
            .map(|index| &gateways[*index].report)
            .map(|report| (report.id.as_str(), self.bases(&report.base_urls, host)))
            .collect();
        let ticket = match (&self.door, question) {
            (Some(door), Question { room: Some(room), purpose: Purpose::Watch }) => {
                let fleet = Fleet::of(gateways.iter().map(|gateway| &gateway.report));
                // Each entry has its share of what the fleet admits.
                let entries = self.bus.entries().len().max(1);
                door.pass(room, &fleet, now, entries, &self.config, &self.metrics)
                    .inspect_err(|_| self.newcomers.turned_away(now))?
            }
            _ => None,
        };
        if question.purpose == Purpose::Watch {
            self.newcomers.granted();
        }
        self.metrics.answers.inc();
        Ok(EntryAnswer {
            downlinks: downlinks(&bases, question.room.map_or("{room}", RoomId::as_str)),
            uplinks: self.uplinks(host),
            race: RacePlan {
                width: self.config.race_width,
                timeout_ms: self.config.race_timeout_ms,
                bytes: self.resource.len() as u64,
            },
            ticket,
            ttl_ms: self.config.ttl_ms,
            backoff_base_ms: self.config.backoff_base_ms,
            backoff_max_ms: self.config.backoff_max_ms,
            region: place.region,
            carrier: place.carrier,
        })
    }
}

/// WebSockets first, every gateway's first port before any second one; then the
/// fallbacks in the same order.
fn downlinks(bases: &[(&str, Vec<String>)], room: &str) -> Vec<Endpoint> {
    let ports = bases.iter().map(|(_, urls)| urls.len()).max().unwrap_or(0);
    let mut endpoints = Vec::new();
    for (transport, resource) in [(Transport::Ws, "ws"), (Transport::Sse, "sse"), (Transport::Poll, "poll")] {
        for port in 0..ports {
            for (gateway, base) in bases.iter().filter_map(|(id, urls)| Some((id, urls.get(port)?))) {
                let base = match (transport, base.strip_prefix("http")) {
                    (Transport::Ws, Some(rest)) => format!("ws{rest}"),
                    _ => base.clone(),
                };
                let url = format!("{base}/v1/rooms/{room}/{resource}");
                endpoints.push(Endpoint { transport, url, gateway: (*gateway).to_owned() });
            }
        }
    }
    endpoints
}

/// A host without its port; an IPv6 address keeps its brackets.
fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

/// The `Host` header, if it can stand in a URL.
fn host(headers: &HeaderMap) -> Result<&str, ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(allowed) {
        return Err(ApiError::new(Code::BadRequest, "the Host header is missing or not a host"));
    }
    Ok(host)
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
    let answer = entry.answer(question, host(headers)?, entry.regions.place(address))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websockets_come_first_and_ports_take_turns() {
        let urls = |list: &[&str]| list.iter().map(|u| (*u).to_owned()).collect::<Vec<_>>();
        let bases = [("a", urls(&["http://a:1", "http://a:2"])), ("b", urls(&["https://b"]))];
        let listed: Vec<_> = downlinks(&bases, "demo").into_iter().map(|e| e.url).collect();
        assert_eq!(
            listed[..4],
            [
                "ws://a:1/v1/rooms/demo/ws",
                "wss://b/v1/rooms/demo/ws",
                "ws://a:2/v1/rooms/demo/ws",
                "http://a:1/v1/rooms/demo/sse"
            ]
        );
        assert_eq!(listed.len(), 9);
        assert_eq!(
            (host_name("[::1]:80"), host_name("h:1"), host_name("[::1]"), host_name("h")),
            ("[::1]", "h", "[::1]", "h")
        );
    }
}
