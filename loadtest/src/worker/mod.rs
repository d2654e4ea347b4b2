//! A worker process: so many threads, each with its share of the load. It is told its plan
//! on standard input and answers on standard output.

mod connect;
mod frame;
mod marker;
mod poster;
mod seen;
pub(crate) mod source;
mod texts;
mod thread;
mod track;
mod viewer;
mod watch;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::clock;
use crate::error::LoadtestError;
use crate::interval::Interval;
use crate::ledger::{Ledger, Record};
use crate::plan::{FromWorker, Plan, Share, ToWorker};
use crate::worker::thread::Stop;
use crate::{descriptors, recordings};

use thread::Told;

/// Reports under way from the threads; a thread keeps what does not fit.
const TOLD_MAX: usize = 256;

/// What the worker waits for.
enum Event {
    Told(Told),
    /// The conductor's union of all ledgers.
    Ledger(Ledger),
    /// The conductor is gone, and with it the reason to go on.
    Orphaned,
}

/// Works until everything is told.
pub fn run() -> Result<(), LoadtestError> {
    descriptors::raise()?;
    let mut first = String::new();
    let read = std::io::stdin().read_line(&mut first);
    let plan = match read.map(|_| serde_json::from_str(&first)) {
        Ok(Ok(ToWorker::Plan(plan))) => Arc::new(*plan),
        _ => return Err(LoadtestError::Usage("a worker is started by `run`, not by hand".into())),
    };
    let tape = Arc::new(recordings::load(plan.scenario.recording.as_deref())?);
    let (events_in, events) = sync_channel(TOLD_MAX);
    let (stop_in, stop) = tokio::sync::watch::channel(false);
    for thread in 0..plan.threads {
        let share = Share { shard: plan.worker * plan.threads + thread, shards: plan.workers * plan.threads };
        let (plan, tape, events) = (Arc::clone(&plan), Arc::clone(&tape), events_in.clone());
        let (told_in, told) = sync_channel(TOLD_MAX);
        let stop: Stop = stop.clone();
        std::thread::spawn(move || thread::run(plan, share, &tape, &told_in, stop));
        std::thread::spawn(move || forward(&told, &events));
    }
    std::thread::spawn(move || listen(&events_in, &stop_in));
    Shift::new(&plan).work(&events)
}

fn forward(told: &Receiver<Told>, events: &SyncSender<Event>) {
    while let Ok(told) = told.recv() {
        if events.send(Event::Told(told)).is_err() {
            return;
        }
    }
}

fn listen(events: &SyncSender<Event>, stop: &tokio::sync::watch::Sender<bool>) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match serde_json::from_str(&line) {
            Ok(ToWorker::Stop) => {
                stop.send_replace(true);
            }
            Ok(ToWorker::Ledger(ledger)) => {
                if events.send(Event::Ledger(ledger)).is_err() {
                    return;
                }
            }
            Ok(ToWorker::Plan(_)) | Err(_) => {}
        }
    }
    drop(events.send(Event::Orphaned));
}

/// One run, as the worker's own thread sees it.
struct Shift {
    threads: u32,
    done: u32,
    /// Seconds that some threads have told, and how many.
    open: BTreeMap<u32, (u32, Interval)>,
    records: Vec<Record>,
    ledger: Ledger,
    cpu: std::time::Duration,
}

impl Shift {
    fn new(plan: &Plan) -> Self {
        Shift {
            threads: plan.threads,
            done: 0,
            open: BTreeMap::new(),
            records: Vec::new(),
            ledger: Ledger::default(),
            cpu: clock::process_cpu(),
        }
    }

    fn work(mut self, events: &Receiver<Event>) -> Result<(), LoadtestError> {
        while let Ok(event) = events.recv() {
            match event {
                Event::Told(Told::Tick { second, interval }) => self.tick(second, &interval)?,
                Event::Told(Told::Done { records, ledger }) => {
                    self.records.extend(records);
                    self.ledger.add(ledger);
                    self.done += 1;
                    if self.done == self.threads {
                        self.flush(u32::MAX)?;
                        tell(&FromWorker::Ledger(std::mem::take(&mut self.ledger)))?;
                    }
                }
                Event::Told(Told::Failed(message)) => {
                    // The conductor says it to the person.
                    return tell(&FromWorker::Failed(message));
                }
                Event::Ledger(ledger) => return tell(&FromWorker::Balance(ledger.balance(&self.records))),
                Event::Orphaned => break,
            }
        }
        Err(LoadtestError::cannot("the run was given up"))
    }

    /// Tells a second when all threads have, and with it those before that some thread left
    /// out.
    fn tick(&mut self, second: u32, interval: &Interval) -> Result<(), LoadtestError> {
        let (told, sum) = self.open.entry(second).or_default();
        *told += 1;
        sum.add(interval);
        if *told < self.threads {
            return Ok(());
        }
        self.flush(second)
    }

    /// Tells all open seconds up to this one. After an interruption the threads end in
    /// different seconds, so that the last ones stay open.
    fn flush(&mut self, second: u32) -> Result<(), LoadtestError> {
        let later = self.open.split_off(&second.saturating_add(1));
        for (second, (_, interval)) in std::mem::replace(&mut self.open, later) {
            let cpu = clock::process_cpu();
            let cpu_secs = (cpu - self.cpu).as_secs_f64();
            self.cpu = cpu;
            tell(&FromWorker::Tick { second, interval: Box::new(interval), cpu_secs })?;
        }
        Ok(())
    }
}

fn tell(what: &FromWorker) -> Result<(), LoadtestError> {
    let mut line = serde_json::to_vec(what).expect("reports are plain data");
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| LoadtestError::cannot_run("the conductor does not listen", error))
}
