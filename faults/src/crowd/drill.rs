//! A load on a site while faults happen, up to the judgement.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use barrage_client::SenderConfig;
use barrage_protocol::entry::EntryAnswer;
use barrage_testkit::wait;
use serde_json::{Value, json};

use super::{Load, Records, viewer, writer};
use crate::figure::Figure;
use crate::oracle::{Fault, Judgement, Seen};
use crate::site::Site;

/// Longest wait after the last fault until all accepted gifts are shown.
pub(crate) const SHOWN_MAX: Duration = Duration::from_secs(10);
/// Longest wait for the join of all viewers.
const JOIN_MAX: Duration = Duration::from_secs(120);
/// Longest wait until the archive has all accepted gifts.
const ARCHIVE_MAX: Duration = Duration::from_secs(30);

/// A site under load, to which a scenario does its faults.
#[derive(Debug)]
pub struct Drill<'a> {
    /// Processes of the run.
    pub site: &'a mut Site,
    /// Records of the writer and the viewers.
    pub records: &'a Records,
    /// Faults so far, for the judgement.
    pub faults: Vec<Fault>,
    posted: &'a AtomicBool,
}

impl Drill<'_> {
    /// Whether the writer still posts.
    #[must_use]
    pub fn is_posting(&self) -> bool {
        !self.posted.load(Ordering::SeqCst)
    }

    /// Waits while the load goes on.
    pub async fn rest(&self, secs: f64) {
        tokio::time::sleep(Duration::from_secs_f64(secs)).await;
    }

    /// Kills a process, and starts it again after a while.
    pub async fn kill(&mut self, name: &str, away: Duration) {
        let from_ms = self.records.now_ms();
        self.site.process(name).kill();
        tokio::time::sleep(away).await;
        self.site.process(name).restart().await;
        self.note(format!("kill {name}"), from_ms);
    }

    /// Stops a process where it is, and continues it after a while.
    pub async fn pause(&mut self, name: &str, away: Duration) {
        let from_ms = self.records.now_ms();
        self.site.process(name).pause();
        tokio::time::sleep(away).await;
        self.site.process(name).resume();
        self.note(format!("stop {name}"), from_ms);
    }

    /// Records a fault that began at `from_ms` and ends now.
    pub fn note(&mut self, description: String, from_ms: u32) {
        self.faults.push(Fault { description, from_ms, to_ms: self.records.now_ms() });
    }
}

/// Everything that a run left behind for its scenario.
#[derive(Debug)]
pub struct Played {
    /// Comparison of promises with what was shown and archived.
    pub judgement: Judgement,
    /// Records of each viewer.
    pub seen: Vec<Seen>,
    /// Records of the writer.
    pub records: Arc<Records>,
    /// Faults of the run, in their order.
    pub faults: Vec<Fault>,
    /// Messages that the conservation ledgers of all processes miss.
    pub unaccounted: u64,
    /// Panics in the logs of all processes.
    pub panics: u64,
}

impl Played {
    /// Figures of the promise about gifts and of the conservation ledger.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = self.judgement.figures();
        figures.push(Figure::none("messages that a conservation ledger misses", self.unaccounted));
        figures.push(Figure::none("panics in the logs", self.panics));
        figures
    }

    /// Times in milliseconds until viewers joined again whose connection ended after `from_ms`, sorted.
    #[must_use]
    pub fn back_ms(&self, from_ms: u32) -> Vec<u32> {
        let mut back: Vec<_> = self.seen.iter().filter_map(|seen| seen.back_after_ms(from_ms)).collect();
        back.sort_unstable();
        back
    }

    /// Percentile of the delays of chat that was accepted within a span of the run, in milliseconds; 0
    /// without any.
    #[must_use]
    pub fn chat_delay_ms(&self, span: Range<u32>, share: f64) -> u32 {
        let accepted = self.records.promises().chats_ms;
        let mut delays = Vec::new();
        for seen in &self.seen {
            let of_room = accepted.iter().skip(seen.room).step_by(self.records.load.rooms);
            let shown =
                of_room.zip(&seen.chats.at_ms).filter(|(at, shown)| span.contains(*at) && **shown > 0);
            delays.extend(shown.map(|(at, shown)| shown.saturating_sub(*at)));
        }
        delays.sort_unstable();
        let at = (delays.len().saturating_sub(1) as f64 * share) as usize;
        delays.get(at).copied().unwrap_or(0)
    }

    /// Chat messages a second that the first viewer received within a span of the run.
    #[must_use]
    pub fn chats_shown_per_s(&self, span: Range<u32>) -> f64 {
        let shown = self.seen[0].chats.at_ms.iter().filter(|at| span.contains(*at)).count();
        shown as f64 * 1_000.0 / f64::from(span.end - span.start)
    }

    /// Number of connections of viewers that ended, over the whole run.
    #[must_use]
    pub fn breaks(&self) -> u64 {
        self.seen.iter().map(|seen| seen.breaks_ms.len() as u64).sum()
    }

    /// Longest time in seconds that a viewer spent without a message.
    #[must_use]
    pub fn silence_max_s(&self) -> f64 {
        f64::from(self.seen.iter().map(|seen| seen.silence_max_ms).max().unwrap_or(0)) / 1_000.0
    }

    /// Largest number of joins within a second after `from_ms`.
    #[must_use]
    pub fn peak_joins_per_s(&self, from_ms: u32) -> u64 {
        let hellos = self.seen.iter().flat_map(|seen| &seen.hellos_ms);
        let mut hellos: Vec<_> = hellos.copied().filter(|at| *at >= from_ms).collect();
        hellos.sort_unstable();
        let within = |first: &u32| hellos.iter().filter(|at| (*first..*first + 1_000).contains(*at)).count();
        hellos.iter().map(within).max().unwrap_or(0) as u64
    }
}

/// Runs a load on a site while `act` does its faults, then judges the run.
pub async fn play(site: &mut Site, load: Load, act: impl AsyncFnOnce(&mut Drill<'_>)) -> Played {
    make_rooms(site, &load).await;
    let fallback = if load.has_fallback { Some(fallback(site).await) } else { None };
    let records = Records::new(load.clone());
    let watch = |number| {
        let watch = viewer::watch(Arc::clone(&records), site.entry.clone(), number, fallback.clone());
        tokio::spawn(watch)
    };
    let watching: Vec<_> = (0..load.viewers).map(watch).collect();
    wait::until_true(JOIN_MAX, "all viewers in their rooms", async || {
        records.joined.load(Ordering::Relaxed) == load.viewers as u64
    })
    .await;
    let posted = Arc::new(AtomicBool::new(false));
    let config = SenderConfig::through_entry(site.entry.clone(), site.token("payments", load.role));
    tokio::spawn(writer::post(Arc::clone(&records), config, Arc::clone(&posted)));
    let mut drill = Drill { site, records: &records, faults: Vec::new(), posted: &posted };
    act(&mut drill).await;
    while drill.is_posting() {
        drill.rest(0.05).await;
    }
    let faults = drill.faults;
    records.all_shown(SHOWN_MAX).await;
    let archived = archived(site, &records).await;
    let unaccounted = unaccounted(site).await;
    records.end();
    let mut seen = Vec::new();
    for viewer in watching {
        seen.push(viewer.await.unwrap());
    }
    if let Ok(folder) = std::env::var("FAULT_LOGS") {
        site.keep_logs(folder.as_ref());
    }
    let judgement = Judgement::new(&records.promises(), &seen, Some(&archived), &faults);
    let played = Played { judgement, seen, records, faults, unaccounted, panics: site.panics() };
    if !played.figures().iter().all(Figure::passes) {
        explain(site, &played);
    }
    played
}

/// Prints faults, examples and logs of a run that failed.
fn explain(site: &Site, played: &Played) {
    let (gift, _, viewer) = played.judgement.slowest;
    let mut text =
        format!("faults: {:?}\nlost (gift, accepted, viewer): {:?}\n", played.faults, played.judgement.lost);
    let viewers = played.judgement.lost.iter().map(|(_, _, viewer)| *viewer).chain([viewer]).take(2);
    for number in viewers {
        text.push_str(&format!("viewer {number} (slowest gift {gift}): {:?}\n", played.seen[number].log));
    }
    let closed = played.seen.iter().filter_map(|seen| seen.closed.as_ref()).next();
    text.push_str(&format!("closed: {closed:?}\n{}", site.logs()));
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Creates the rooms, and waits until all processes have them: a gateway without the room would close a
/// viewer for good.
async fn make_rooms(site: &Site, load: &Load) {
    let (http, token) = (reqwest::Client::new(), site.token("operator", "admin"));
    for room in (0..load.rooms).map(Load::room) {
        let url = format!("{}/v1/admin/rooms/{room}", site.admin());
        let body = json!({ "title": "fault" }).to_string();
        let made = http.put(url).bearer_auth(&token).body(body).send().await;
        let made = made.unwrap_or_else(|error| panic!("{error:?}\n{}", site.logs()));
        assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    }
    for room in (0..load.rooms).map(Load::room) {
        let gateways = site.gateways().into_iter().map(|url| format!("{url}/v1/rooms/{room}/poll?after=0"));
        for url in gateways.chain([format!("{}/v1/entry?room={room}", site.entry)]) {
            wait::until_true(Duration::from_secs(30), &url, async || {
                http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        }
    }
}

/// List of endpoints that a program carries with it.
async fn fallback(site: &Site) -> EntryAnswer {
    let url = format!("{}/v1/entry/fallback", site.entry);
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// Counts each gift in the archive, after a wait until the archive has all accepted gifts.
async fn archived(site: &Site, records: &Records) -> Vec<u32> {
    let began = barrage_clock::now();
    loop {
        let counts = read_archive(site, records).await;
        let promises = records.promises();
        let missing = promises.gifts_ms.iter().zip(&counts).any(|(at, count)| *at > 0 && *count == 0);
        if !missing || began.elapsed() > ARCHIVE_MAX {
            return counts;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn read_archive(site: &Site, records: &Records) -> Vec<u32> {
    let http = reqwest::Client::new();
    let mut counts = vec![0; records.load.gifts()];
    for room in (0..records.load.rooms).map(Load::room) {
        let mut after = 0;
        loop {
            let url = format!("{}/v1/rooms/{room}/history?after={after}&limit=1000", site.uplink);
            let Ok(answer) = http.get(url).send().await else { return counts };
            let Ok(answer) = answer.json::<Value>().await else { return counts };
            let messages = answer["messages"].as_array().cloned().unwrap_or_default();
            let Some(last) = messages.last() else { break };
            after = last["sequence"].as_u64().unwrap();
            for message in &messages {
                let id = message["body"]["id"].as_str().unwrap_or_default();
                let gift = id.strip_prefix('g').and_then(|number| number.parse::<usize>().ok());
                if let Some(count) = gift.and_then(|gift| counts.get_mut(gift)) {
                    *count += 1;
                }
            }
        }
    }
    counts
}

/// Sums the errors of the conservation ledgers, after a wait until all are settled. Processes that are
/// away have no ledger.
pub(crate) async fn unaccounted(site: &Site) -> u64 {
    let mut sum = 0;
    for _ in 0..30 {
        sum = 0;
        for (_, admin) in &site.admins {
            sum += gauge(*admin, "barrage_conservation_error").await.unwrap_or(0.0) as u64;
        }
        if sum == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sum
}

/// Value of one metric of a process, summed over its labels; `None` without an answer.
pub async fn gauge(admin: std::net::SocketAddr, name: &str) -> Option<f64> {
    let text = reqwest::get(format!("http://{admin}/metrics")).await.ok()?.text().await.ok()?;
    let has_name = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.starts_with('{'))
    };
    let values = text.lines().filter(has_name).filter_map(|line| line.rsplit(' ').next());
    Some(values.filter_map(|value| value.parse::<f64>().ok()).sum())
}
