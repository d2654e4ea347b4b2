//! A worker process: several threads, each with a share of the load. Its plan comes on standard
//! input, and its reports go to standard output.

pub(crate) mod connect;
mod context;
mod marker;
mod page;
mod poster;
mod seen;
mod stay;
mod texts;
mod thread;
mod track;
mod viewer;
mod watch;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use barrage_tls::ClientTls;

use crate::clock;
use crate::descriptors;
use crate::error::LoadtestError;
use crate::measure::interval::Interval;
use crate::measure::ledger::{Ledger, Record};
use crate::plan::{FromWorker, Plan, Share, ToWorker};
use crate::recording::tape;

pub(crate) use connect::{anonymous_request, read_answer};
use thread::{Report, Stop};

/// Reports of threads in the queue; a thread keeps a report that does not fit.
const REPORTS_MAX: usize = 256;

/// An event that the worker waits for.
enum Event {
    Report(Report),
    /// Messages that all workers together know as sent.
    Ledger(Ledger),
    /// The conductor has ended, so the worker ends.
    ConductorGone,
}

/// Works until the last report is written.
pub fn run() -> Result<(), LoadtestError> {
    descriptors::raise()?;
    let mut first = String::new();
    let read = std::io::stdin().read_line(&mut first);
    let plan = match read.map(|_| serde_json::from_str(&first)) {
        Ok(Ok(ToWorker::Plan(plan))) => Arc::new(*plan),
        _ => return Err(LoadtestError::Usage("`worker` is an internal command; use `run`".into())),
    };
    let tape = Arc::new(tape::load(plan.scenario.recording.as_deref())?);
    let tls = ClientTls::load(plan.ca_file.as_deref())
        .map_err(|error| LoadtestError::cannot_run("--ca-file", error))?;
    let (events_in, events) = sync_channel(REPORTS_MAX);
    let (stop_in, stop) = tokio::sync::watch::channel(false);
    for thread in 0..plan.threads {
        let share = Share { shard: plan.worker * plan.threads + thread, shards: plan.workers * plan.threads };
        let (plan, tape, events) = (Arc::clone(&plan), Arc::clone(&tape), events_in.clone());
        let (sender, reports) = sync_channel(REPORTS_MAX);
        let (stop, tls): (Stop, _) = (stop.clone(), tls.clone());
        std::thread::spawn(move || thread::run(plan, share, tls, &tape, &sender, stop));
        std::thread::spawn(move || forward(&reports, &events));
    }
    std::thread::spawn(move || listen(&events_in, &stop_in));
    Shift::new(&plan).work(&events)
}

fn forward(reports: &Receiver<Report>, events: &SyncSender<Event>) {
    while let Ok(report) = reports.recv() {
        if events.send(Event::Report(report)).is_err() {
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
    drop(events.send(Event::ConductorGone));
}

/// One run, as the worker's main thread sees it.
struct Shift {
    threads: u32,
    done: u32,
    /// Seconds that some threads have reported, and how many of them.
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
                Event::Report(Report::Tick { second, interval }) => self.tick(second, &interval)?,
                Event::Report(Report::Done { records, ledger }) => {
                    self.records.extend(records);
                    self.ledger.add(ledger);
                    self.done += 1;
                    if self.done == self.threads {
                        self.flush(u32::MAX)?;
                        write(&FromWorker::Ledger(std::mem::take(&mut self.ledger)))?;
                    }
                }
                Event::Report(Report::Failed(message)) => {
                    // The conductor shows the message to the user.
                    return write(&FromWorker::Failed(message));
                }
                Event::Ledger(ledger) => return write(&FromWorker::Balance(ledger.balance(&self.records))),
                Event::ConductorGone => break,
            }
        }
        Err(LoadtestError::cannot("the conductor ended, so the run was given up"))
    }

    /// Reports a second when all threads have reported it, and with it earlier seconds that a
    /// thread omitted.
    fn tick(&mut self, second: u32, interval: &Interval) -> Result<(), LoadtestError> {
        let (threads, sum) = self.open.entry(second).or_default();
        *threads += 1;
        sum.add(interval);
        if *threads < self.threads {
            return Ok(());
        }
        self.flush(second)
    }

    /// Reports all open seconds up to this one. After an interruption the threads end in different
    /// seconds, so that the last ones stay open.
    fn flush(&mut self, second: u32) -> Result<(), LoadtestError> {
        let later = self.open.split_off(&second.saturating_add(1));
        for (second, (_, interval)) in std::mem::replace(&mut self.open, later) {
            let cpu = clock::process_cpu();
            let cpu_secs = (cpu - self.cpu).as_secs_f64();
            self.cpu = cpu;
            write(&FromWorker::Tick { second, interval: Box::new(interval), cpu_secs })?;
        }
        Ok(())
    }
}

fn write(message: &FromWorker) -> Result<(), LoadtestError> {
    let mut line = serde_json::to_vec(message).expect("reports are plain data");
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| LoadtestError::cannot_run("the conductor does not read the reports", error))
}
