//! Processes are killed and stopped while gifts are sent: every gift that was accepted is
//! shown once to every viewer, and archived once.
//!
//! Short by default; `cargo xtask fault` runs it long. `FAULT_SECS`, `FAULT_SEED`,
//! `FAULT_VIEWERS`, `FAULT_GIFTS_PER_S`, `FAULT_CHATS_PER_S`, `FAULT_JSON` (a file),
//! `FAULT_LOG` (what the processes log), `FAULT_LOGS` (a folder for that) and
//! `FAULT_CROWD_LOG` (a file for what the viewers met) say how; `FAULT_ONLY_SSE=1` has all
//! viewers take event streams.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the seed and the report are what the run is for")]

mod crowd;
mod process;
mod report;
mod site;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::sync::Mutex;
use tracing::Instrument;

use crate::crowd::{Book, Progress, Scale};
use crate::report::Report;
use crate::site::Site;

/// Accepted gifts must be shown within this after the last fault.
const SHOWN_MAX: Duration = Duration::from_secs(10);

/// Viewers of a room. The crowd runs on the machine that it judges: with five times as many
/// a viewer is sent 60 messages a second, and two cores are busy with reading them.
const ROOM_VIEWERS: usize = 20;

fn asked(name: &str, default: u64) -> u64 {
    std::env::var(format!("FAULT_{name}")).ok().map_or(default, |text| text.parse().unwrap())
}

/// A process that is away from one moment to another, in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) what: String,
    pub(crate) from_ms: u32,
    pub(crate) to_ms: u32,
}

/// A run has the machine to itself.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_gift_is_lost_or_doubled_whatever_dies() {
    let _alone = ALONE.lock().await;
    if let Ok(file) = std::env::var("FAULT_CROWD_LOG") {
        let file = std::fs::File::create(file).unwrap();
        let filter = tracing_subscriber::EnvFilter::new("barrage_client=debug");
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(file).init();
    }
    let seed = asked("SEED", rand::random::<u32>().into());
    println!("FAULT_SEED={seed}");
    run(seed, async |site, book, posted| cause(site, book, seed, posted).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_gift() {
    let _alone = ALONE.lock().await;
    let restart = async |site: &mut Site, _: &Book, posted: &AtomicBool| {
        for gateway in site.processes.iter_mut().filter(|process| process.recipe.name.starts_with("gateway"))
        {
            assert!(!posted.load(Ordering::SeqCst), "the restart takes longer than the posts");
            assert!(gateway.terminate().await, "a gateway was killed");
            gateway.start_again().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        while !posted.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Vec::new()
    };
    run(0, restart).await;
}

/// Lets a crowd watch and posts go on while something is done to the site, and says what
/// it came to.
async fn run(seed: u64, act: impl AsyncFnOnce(&mut Site, &Book, &AtomicBool) -> Vec<Fault>) {
    let viewers = usize::try_from(asked("VIEWERS", 60)).unwrap();
    let scale = Scale {
        rooms: (viewers / ROOM_VIEWERS).max(3),
        viewers,
        gifts_per_s: asked("GIFTS_PER_S", 20),
        chats_per_s: asked("CHATS_PER_S", 60),
        secs: asked("SECS", 25),
        only_sse: asked("ONLY_SSE", 0) > 0,
    };
    let mut site = Site::start().await;
    make_rooms(&site, &scale).await;
    let book = Book::new(scale.clone());
    let progress = Arc::new(Progress::default());
    let crowd: Vec<_> = (0..scale.viewers)
        .map(|n| {
            let watch = crowd::watch(Arc::clone(&book), site.entry.clone(), n, Arc::clone(&progress));
            tokio::spawn(watch.instrument(tracing::info_span!("viewer", n)))
        })
        .collect();
    until("all viewers are in", 120, || book.here.load(Ordering::Relaxed) == scale.viewers as u64).await;

    let joined_by = book.hellos.lock().unwrap().len();
    let posted = Arc::new(AtomicBool::new(false));
    let token = site.token("payments", "host");
    tokio::spawn(crowd::post(Arc::clone(&book), site.entry.clone(), token, Arc::clone(&posted)));
    let faults = act(&mut site, &book, &posted).await;

    let due = || {
        let accepted =
            book.gifts_accepted_ms.iter().enumerate().filter(|(_, at)| at.load(Ordering::Relaxed) > 0);
        accepted.map(|(gift, _)| book.viewers_of(gift % scale.rooms)).sum::<u64>()
    };
    let late = tokio::time::timeout(SHOWN_MAX, async {
        while progress.shown.load(Ordering::Relaxed) < due() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    drop(late.await);
    book.end();
    let mut seen = Vec::new();
    for viewer in crowd {
        seen.push(viewer.await.unwrap());
    }
    let archived = archived(&site, &book).await;
    let report = Report::new(&book, &seen, &faults, &archived, seed, joined_by);
    let text = serde_json::to_string(&report).unwrap();
    println!("{text}");
    if let Ok(file) = std::env::var("FAULT_JSON") {
        std::fs::write(file, &text).unwrap();
    }
    if let Ok(folder) = std::env::var("FAULT_LOGS") {
        site.keep_logs(folder.as_ref());
    }
    let wrong = report.wrong();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("; "), site.logs());
}

async fn make_rooms(site: &Site, scale: &Scale) {
    let (http, token) = (reqwest::Client::new(), site.token("operator", "admin"));
    for n in 0..scale.rooms {
        let url = format!("{}/v1/admin/rooms/{}", site.admin, Scale::room(n));
        let made =
            http.put(url).bearer_auth(&token).body(json!({ "title": "fault" }).to_string()).send().await;
        let made = made.unwrap_or_else(|error| panic!("{error:?}\n{}", site.logs()));
        assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    }
    // A viewer that asks before everybody knows the room is told never to come back.
    for n in 0..scale.rooms {
        let room = Scale::room(n);
        let gateways = site.gateways().into_iter().map(|url| format!("{url}/v1/rooms/{room}/poll?after=0"));
        for url in gateways.chain([format!("{}/v1/entry?room={room}", site.entry)]) {
            let known = async {
                while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), known).await.unwrap_or_else(|_| panic!("{url}"));
        }
    }
}

async fn until(what: &str, secs: u64, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(secs), wait).await.unwrap_or_else(|_| panic!("not so: {what}"));
}

/// One fault after the other, until everything is posted.
async fn cause(site: &mut Site, book: &Book, seed: u64, posted: &AtomicBool) -> Vec<Fault> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut faults = Vec::new();
    while !posted.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(chance.random_range(1_500..4_000))).await;
        let victim = chance.random_range(0..site.processes.len());
        let (is_kill, away_ms) = (chance.random_bool(0.5), chance.random_range(200..1_500));
        let process = &mut site.processes[victim];
        let what = format!("{} {}", if is_kill { "kill" } else { "stop" }, process.recipe.name);
        let from_ms = book.now_ms();
        if is_kill {
            process.kill().await;
            tokio::time::sleep(Duration::from_millis(away_ms)).await;
            process.start_again().await;
        } else {
            process.signal("STOP").await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            process.signal("CONT").await;
        }
        faults.push(Fault { what, from_ms, to_ms: book.now_ms() });
    }
    faults
}

/// How often each gift is in the archive; waits until the archiver has the last one.
async fn archived(site: &Site, book: &Book) -> Vec<u32> {
    let accepted = |gift: &usize| book.gifts_accepted_ms[*gift].load(Ordering::Relaxed) > 0;
    let mut counts = Vec::new();
    for _ in 0..60 {
        counts = read_archive(site, book).await;
        if (0..counts.len()).filter(accepted).all(|gift| counts[gift] > 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    counts
}

async fn read_archive(site: &Site, book: &Book) -> Vec<u32> {
    let http = reqwest::Client::new();
    let mut counts = vec![0; book.scale.gifts()];
    for room in 0..book.scale.rooms {
        let mut after = 0;
        loop {
            let room = Scale::room(room);
            let url = format!("{}/v1/rooms/{room}/history?after={after}&limit=200", site.uplink);
            let answer = http.get(url).send().await.unwrap();
            let answer: serde_json::Value = answer.json().await.unwrap();
            let messages = answer["messages"].as_array().unwrap_or_else(|| panic!("{answer}"));
            let Some(last) = messages.last() else { break };
            after = last["sequence"].as_u64().unwrap();
            for message in messages {
                let id = message["body"]["id"].as_str().unwrap_or_default();
                if let Some(gift) = id.strip_prefix('g').and_then(|number| number.parse::<usize>().ok()) {
                    counts[gift] += 1;
                }
            }
        }
    }
    counts
}
