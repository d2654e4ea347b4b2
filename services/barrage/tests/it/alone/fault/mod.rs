//! Faults: processes are killed and paused while gifts are sent. Each accepted gift must be shown to
//! each viewer once and archived once.
//!
//! A run takes 25 s by default; `cargo xtask fault` makes it long. Environment variables:
//! `FAULT_SECS`, `FAULT_SEED`, `FAULT_VIEWERS`, `FAULT_GIFTS_PER_S`, `FAULT_CHATS_PER_S`,
//! `FAULT_JSON` (file for the report), `FAULT_LOG` (log filter of the processes), `FAULT_LOGS`
//! (folder for their logs), `FAULT_CROWD_LOG` (file for the log of the viewers) and
//! `FAULT_ONLY_SSE=1` (all viewers use event streams).

mod report;
mod site;
mod viewers;

use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use barrage_testkit::wait;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tracing::Instrument;

use self::report::Report;
use self::site::Site;
use self::viewers::{Progress, Records, Scale};

/// Longest time after the last fault until all accepted gifts are shown.
const SHOWN_MAX: Duration = Duration::from_secs(10);
/// Longest drain of a gateway that is asked to stop.
const DRAIN_MAX: Duration = Duration::from_secs(150);

/// Viewers of a room. The viewers run on the machine under test: with five times as many, each
/// receives 60 messages a second, and reading them keeps two cores busy.
const ROOM_VIEWERS: usize = 20;

/// Reads a number from the environment variable `FAULT_` and `name`.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(format!("FAULT_{name}")).ok().map_or(default, |text| text.parse().unwrap())
}

/// Outage of one process; times are milliseconds since the start of the run.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) description: String,
    pub(crate) from_ms: u32,
    pub(crate) to_ms: u32,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_gift_is_lost_or_duplicated_over_faults() {
    let _alone = super::lock().await;
    if let Ok(file) = std::env::var("FAULT_CROWD_LOG") {
        let file = std::fs::File::create(file).unwrap();
        let filter = tracing_subscriber::EnvFilter::new("barrage_client=debug");
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(file).init();
    }
    let seed = setting("SEED", rand::random::<u32>().into());
    println!("FAULT_SEED={seed}");
    run(seed, async |site, records, posted| cause_faults(site, records, seed, posted).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restart_loses_no_gift() {
    let _alone = super::lock().await;
    let restart = async |site: &mut Site, _: &Records, posted: &AtomicBool| {
        for gateway in site.processes.iter_mut().filter(|process| process.recipe.name.starts_with("gateway"))
        {
            assert!(!posted.load(Ordering::SeqCst), "the posts ended before the restarts");
            let status = gateway.terminate(DRAIN_MAX).await;
            assert!(status.signal().is_none(), "a gateway was killed");
            gateway.restart().await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        while !posted.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Vec::new()
    };
    run(0, restart).await;
}

/// Runs viewers and posts while `act` changes the site, then checks and prints the report.
async fn run(seed: u64, act: impl AsyncFnOnce(&mut Site, &Records, &AtomicBool) -> Vec<Fault>) {
    let viewers = usize::try_from(setting("VIEWERS", 60)).unwrap();
    let scale = Scale {
        rooms: (viewers / ROOM_VIEWERS).max(3),
        viewers,
        gifts_per_s: setting("GIFTS_PER_S", 20),
        chats_per_s: setting("CHATS_PER_S", 60),
        secs: setting("SECS", 25),
        only_sse: setting("ONLY_SSE", 0) > 0,
    };
    let mut site = Site::start().await;
    make_rooms(&site, &scale).await;
    let records = Records::new(scale.clone());
    let progress = Arc::new(Progress::default());
    let watching: Vec<_> = (0..scale.viewers)
        .map(|n| {
            let watch = viewers::watch(Arc::clone(&records), site.entry.clone(), n, Arc::clone(&progress));
            tokio::spawn(watch.instrument(tracing::info_span!("viewer", n)))
        })
        .collect();
    wait::until_true(Duration::from_secs(120), "all viewers in their rooms", async || {
        records.joined.load(Ordering::Relaxed) == scale.viewers as u64
    })
    .await;

    let joined_by = records.hellos.lock().len();
    let posted = Arc::new(AtomicBool::new(false));
    let token = site.token("payments", "host");
    tokio::spawn(viewers::post(Arc::clone(&records), site.entry.clone(), token, Arc::clone(&posted)));
    let faults = act(&mut site, &records, &posted).await;

    let due = || {
        let accepted =
            records.gifts_accepted_ms.iter().enumerate().filter(|(_, at)| at.load(Ordering::Relaxed) > 0);
        accepted.map(|(gift, _)| records.viewers_of(gift % scale.rooms)).sum::<u64>()
    };
    let late = tokio::time::timeout(SHOWN_MAX, async {
        while progress.shown.load(Ordering::Relaxed) < due() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    drop(late.await);
    records.end();
    let mut seen = Vec::new();
    for viewer in watching {
        seen.push(viewer.await.unwrap());
    }
    let archived = archived(&site, &records).await;
    let report = Report::new(&records, &seen, &faults, &archived, seed, joined_by);
    let text = serde_json::to_string(&report).unwrap();
    println!("{text}");
    if let Ok(file) = std::env::var("FAULT_JSON") {
        std::fs::write(file, &text).unwrap();
    }
    if let Ok(folder) = std::env::var("FAULT_LOGS") {
        site.keep_logs(folder.as_ref());
    }
    let violations = report.violations();
    assert!(violations.is_empty(), "{}\n{}", violations.join("; "), site.logs());
}

/// Creates the rooms, and waits until all processes have them.
async fn make_rooms(site: &Site, scale: &Scale) {
    let (http, token) = (reqwest::Client::new(), site.token("operator", "admin"));
    for n in 0..scale.rooms {
        let url = format!("{}/v1/admin/rooms/{}", site.admin, Scale::room(n));
        let made =
            http.put(url).bearer_auth(&token).body(json!({ "title": "fault" }).to_string()).send().await;
        let made = made.unwrap_or_else(|error| panic!("{error:?}\n{}", site.logs()));
        assert!(made.status().is_success(), "{}", made.text().await.unwrap());
    }
    // A gateway without the room would close a viewer for good.
    for n in 0..scale.rooms {
        let room = Scale::room(n);
        let gateways = site.gateways().into_iter().map(|url| format!("{url}/v1/rooms/{room}/poll?after=0"));
        for url in gateways.chain([format!("{}/v1/entry?room={room}", site.entry)]) {
            wait::until_true(Duration::from_secs(30), &url, async || {
                http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
            })
            .await;
        }
    }
}

/// Causes one fault after the other, until everything is posted.
async fn cause_faults(site: &mut Site, records: &Records, seed: u64, posted: &AtomicBool) -> Vec<Fault> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut faults = Vec::new();
    while !posted.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(chance.random_range(1_500..4_000))).await;
        let victim = chance.random_range(0..site.processes.len());
        let (is_kill, away_ms) = (chance.random_bool(0.5), chance.random_range(200..1_500));
        let process = &mut site.processes[victim];
        let description = format!("{} {}", if is_kill { "kill" } else { "stop" }, process.recipe.name);
        let from_ms = records.now_ms();
        if is_kill {
            process.kill();
            tokio::time::sleep(Duration::from_millis(away_ms)).await;
            process.restart().await;
        } else {
            process.pause();
            tokio::time::sleep(Duration::from_secs(3)).await;
            process.resume();
        }
        faults.push(Fault { description, from_ms, to_ms: records.now_ms() });
    }
    faults
}

/// Counts each gift in the archive, after a wait until the archiver has all accepted gifts.
async fn archived(site: &Site, records: &Records) -> Vec<u32> {
    let accepted = |gift: &usize| records.gifts_accepted_ms[*gift].load(Ordering::Relaxed) > 0;
    let mut counts = Vec::new();
    for _ in 0..60 {
        counts = read_archive(site, records).await;
        if (0..counts.len()).filter(accepted).all(|gift| counts[gift] > 0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    counts
}

async fn read_archive(site: &Site, records: &Records) -> Vec<u32> {
    let http = reqwest::Client::new();
    let mut counts = vec![0; records.scale.gifts()];
    for room in 0..records.scale.rooms {
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
