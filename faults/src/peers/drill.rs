//! A load on nchan while faults happen, up to the judgement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use barrage_testkit::wait;

use super::nchan::Nchan;
use super::viewer::{Pace, kept, watch};
use super::writer::post_one;
use crate::crowd::{Load, Played, Records, SHOWN_MAX, number_in, paced};
use crate::figure::{Bound, Figure};
use crate::oracle::{Fault, Judgement};

/// Longest wait for the join of all viewers.
const JOIN_MAX: Duration = Duration::from_secs(60);
/// Figures of the oracle that mean the same here. The archive is what a newcomer gets of a channel.
const SHARED: [&str; 7] = [
    "gifts accepted",
    "gifts lost at a viewer",
    "gifts doubled at a viewer",
    "gifts not archived",
    "gift delay p99",
    "gift delay max",
    "chat not shown",
];

/// Servers under load, to which a scenario does its faults.
pub(super) struct Drill<'a> {
    pub(super) nchan: &'a mut Nchan,
    pub(super) records: &'a Records,
    faults: Vec<Fault>,
    posted: &'a AtomicBool,
}

impl Drill<'_> {
    pub(super) fn is_posting(&self) -> bool {
        !self.posted.load(Ordering::SeqCst)
    }

    pub(super) async fn rest(&self, secs: f64) {
        tokio::time::sleep(Duration::from_secs_f64(secs)).await;
    }

    /// Kills a process, and starts it again after a while.
    pub(super) async fn kill(&mut self, victim: usize, away: Duration) {
        let from_ms = self.records.now_ms();
        self.nchan.processes[victim].kill();
        tokio::time::sleep(away).await;
        self.nchan.processes[victim].restart().await;
        self.note("kill", victim, from_ms);
    }

    /// Stops a process where it is, and continues it after a while.
    pub(super) async fn pause(&mut self, victim: usize, away: Duration) {
        let from_ms = self.records.now_ms();
        self.nchan.processes[victim].pause();
        tokio::time::sleep(away).await;
        self.nchan.processes[victim].resume();
        self.note("stop", victim, from_ms);
    }

    fn note(&mut self, what: &str, victim: usize, from_ms: u32) {
        let description = format!("{what} {}", self.nchan.processes[victim].recipe.name);
        self.faults.push(Fault { description, from_ms, to_ms: self.records.now_ms() });
    }
}

/// Runs a load on nchan while `act` does its faults, then judges the run as one of Barrage.
pub(super) async fn play(
    nchan: &mut Nchan,
    load: Load,
    pace: Pace,
    act: impl AsyncFnOnce(&mut Drill<'_>),
) -> Played {
    let records = Records::new(load.clone());
    let servers = nchan.servers.clone();
    let viewer = |number| tokio::spawn(watch(Arc::clone(&records), servers.clone(), number, pace));
    let watching: Vec<_> = (0..load.viewers).map(viewer).collect();
    wait::until_true(JOIN_MAX, "all viewers in their channels", async || {
        records.joined.load(Ordering::Relaxed) == load.viewers as u64
    })
    .await;
    let posted = Arc::new(AtomicBool::new(false));
    let (http, all, done) = (reqwest::Client::new(), Arc::clone(&records), Arc::clone(&posted));
    let writing = tokio::spawn(async move {
        let one = |kind, number| post_one(Arc::clone(&all), http.clone(), servers.clone(), kind, number);
        paced(&all.load, one).await;
        done.store(true, Ordering::SeqCst);
    });
    let mut drill = Drill { nchan, records: &records, faults: Vec::new(), posted: &posted };
    act(&mut drill).await;
    let faults = drill.faults;
    writing.await.unwrap();
    records.all_shown(SHOWN_MAX).await;
    records.end();
    let mut seen = Vec::new();
    for viewer in watching {
        seen.push(viewer.await.unwrap());
    }
    let archived = archived(nchan, &records).await;
    let judgement = Judgement::new(&records.promises(), &seen, Some(&archived), &faults);
    Played { judgement, seen, records, faults, unaccounted: 0, panics: 0 }
}

/// Counts each gift among the messages that a running server still has.
async fn archived(nchan: &mut Nchan, records: &Records) -> Vec<u32> {
    let mut counts = vec![0; records.load.gifts()];
    let running = (0..nchan.servers.len()).find(|at| nchan.processes[*at].is_running());
    let server = nchan.servers[running.unwrap()];
    for room in 0..records.load.rooms {
        let bodies = kept(server, room).await.unwrap();
        for gift in bodies.iter().filter_map(|body| number_in(body, 'g')) {
            counts[gift] += 1;
        }
    }
    counts
}

/// Figures of the promise about gifts, without targets, and the number of workers that crashed.
pub(super) fn figures(nchan: &Nchan, played: &Played) -> Vec<Figure> {
    let shared = played.judgement.figures().into_iter().filter(|it| SHARED.contains(&it.name.as_str()));
    let mut all: Vec<_> = shared.map(|figure| Figure { bound: Bound::Free, ..figure }).collect();
    // A killed master writes no such line about its worker.
    let crashed = |log: String| log.matches("exited on signal").count();
    let crashes: usize = nchan.processes.iter().map(|process| crashed(process.recipe.log_text())).sum();
    all.push(Figure::new("workers that crashed", crashes as f64, "", Bound::Free));
    all
}
