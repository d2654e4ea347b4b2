//! One thread of a worker: its share of the viewers and of the posts, on a runtime of its
//! own. Nothing here is shared with another thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use hyper::Uri;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::poster;
use super::seen::Seen;
use super::viewer::{chance, live};
use crate::clock::Moment;
use crate::http::{Pool, Target};
use crate::interval::Interval;
use crate::ledger::{Ledger, Record};
use crate::plan::{INTERRUPTED_SETTLE_SECS, Plan, Share};
use crate::popularity::Popularity;
use crate::population::{Population, Stay};
use crate::recordings::Tape;

/// Connections to entry that the viewers of a worker share; each asks for itself. Beyond,
/// an ask waits, and its wait is in the latency of the join.
const ENTRY_CONNECTIONS_MAX: u32 = 384;
/// For an answer of entry.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the tester looks at its own lateness, besides at all that it does.
const LAG_EVERY_SECS: f64 = 0.01;

/// Becomes true when the person interrupts the run.
pub(crate) type Stop = watch::Receiver<bool>;

/// What a thread tells its worker.
#[derive(Debug)]
pub(crate) enum Told {
    /// A second is over.
    Tick { second: u32, interval: Box<Interval> },
    /// The run is over.
    Done { records: Vec<Record>, ledger: Ledger },
    /// It cannot go on.
    Failed(String),
}

/// State that the tasks of one thread share.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) plan: Arc<Plan>,
    pub(crate) share: Share,
    pub(crate) popularity: Popularity,
    pub(crate) population: Population,
    pub(crate) entry: Pool,
    pub(crate) interval: RefCell<Interval>,
    pub(crate) connected: Cell<u64>,
    /// Viewers that want in and were told when to come.
    pub(crate) waiting: Cell<u64>,
    pub(crate) seen: RefCell<Seen>,
    pub(crate) records: RefCell<Vec<Record>>,
    /// What is read goes here first; frames rarely leave a rest.
    pub(crate) scratch: RefCell<Vec<u8>>,
    targets: RefCell<HashMap<String, (Target, Uri)>>,
    /// Becomes true when the viewers have to leave before their time.
    leave: watch::Sender<bool>,
}

impl Thread {
    fn new(plan: Arc<Plan>, share: Share) -> Self {
        let popularity = Popularity::new(&plan.scenario.rooms, plan.seed);
        let entry = Target { host: plan.host.clone(), address: plan.address };
        let first_source = u32::MAX / 2 + share.shard * ENTRY_CONNECTIONS_MAX;
        let connections = (ENTRY_CONNECTIONS_MAX / plan.threads).max(8) as usize;
        Thread {
            entry: Pool::new(entry, connections, first_source, ENTRY_TIMEOUT),
            seen: RefCell::new(Seen::new(popularity.rooms().len())),
            popularity,
            population: plan.scenario.population(),
            plan,
            share,
            interval: RefCell::default(),
            connected: Cell::default(),
            waiting: Cell::default(),
            records: RefCell::default(),
            scratch: RefCell::default(),
            targets: RefCell::default(),
            leave: watch::Sender::new(false),
        }
    }

    /// When everything is over, in seconds after the start.
    pub(crate) fn end_secs(&self) -> f64 {
        self.population.secs() + self.plan.scenario.settle_secs
    }

    /// Waits until the viewers have to leave before their time.
    pub(crate) async fn told_to_leave(&self) {
        // The sender lives as long as this.
        drop(self.leave.subscribe().wait_for(|leave| *leave).await);
    }

    /// The second that it is now.
    fn second(&self) -> u32 {
        Moment::now().since(self.plan.start).as_secs() as u32
    }

    /// Waits for the moment when something is to be done, and notes how late that is.
    pub(crate) async fn until(&self, due: Moment) {
        tokio::time::sleep_until(due.instant()).await;
        self.interval.borrow_mut().lag.record(Moment::now().since(due));
    }

    /// Seconds that are told of, the last one begun included.
    fn seconds(&self) -> u32 {
        (self.end_secs().ceil() as u32).max(1)
    }

    /// Everything since the second before.
    fn tick(&self, second: u32) -> Told {
        let mut interval = Box::new(self.interval.take());
        interval.viewers = self.connected.get();
        interval.waiting = self.waiting.get();
        Told::Tick { second, interval }
    }

    /// Resolves an endpoint's URL, once. There are as many as rooms and gateways.
    pub(crate) async fn resolve(&self, url: &str) -> Result<(Target, Uri), String> {
        if let Some(found) = self.targets.borrow().get(url) {
            return Ok(found.clone());
        }
        let found = Target::resolve(url).await?;
        self.targets.borrow_mut().insert(url.to_owned(), found.clone());
        Ok(found)
    }

    /// When a viewer's connection is cut next.
    pub(crate) fn next_cut(&self, viewer: u32) -> Option<Instant> {
        let now = Instant::now();
        let faults = self.plan.scenario.faults.iter().enumerate().filter(|_| self.plan.cut);
        let hit = faults.filter(|(n, fault)| chance(u64::from(viewer) << 16 | *n as u64) < fault.cut_share);
        hit.map(|(_, fault)| self.plan.start.after(fault.at_secs).instant()).filter(|at| *at > now).min()
    }

    /// The stays of this thread's viewers, in the order of their joins.
    fn stays(&self) -> Vec<Stay> {
        let ours = (self.share.shard..self.plan.scenario.viewers).step_by(self.share.shards as usize);
        let mut stays: Vec<_> = ours.flat_map(|viewer| self.population.stays(viewer)).collect();
        stays.sort_by(|a, b| a.join_secs.total_cmp(&b.join_secs));
        stays
    }
}

/// Runs a share of the load to its end.
pub(crate) fn run(plan: Arc<Plan>, share: Share, tape: &Arc<Tape>, told: &SyncSender<Told>, mut stop: Stop) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            drop(told.send(Told::Failed(format!("no runtime: {error}"))));
            return;
        }
    };
    let thread = Rc::new(Thread::new(plan, share));
    let local = LocalSet::new();
    let lag = local.spawn_local(watch_lag(Rc::clone(&thread)));
    let ticks = local.spawn_local(tick(Rc::clone(&thread), told.clone()));
    let posts = local.spawn_local(poster::run(Rc::clone(&thread), Arc::clone(tape)));
    let ended = local.block_on(&runtime, async {
        let mut viewers = tokio::task::JoinSet::new();
        let to_the_end = async {
            for stay in thread.stays() {
                thread.until(thread.plan.start.after(stay.join_secs)).await;
                viewers.spawn_local(live(Rc::clone(&thread), stay));
            }
            while viewers.join_next().await.is_some() {}
        };
        tokio::select! {
            () = to_the_end => {}
            Ok(_) = stop.wait_for(|stop| *stop) => {
                posts.abort();
                tokio::time::sleep(Duration::from_secs_f64(INTERRUPTED_SETTLE_SECS)).await;
                thread.leave.send_replace(true);
                while viewers.join_next().await.is_some() {}
                ticks.abort();
                drop(told.send(thread.tick(thread.second().min(thread.seconds() - 1))));
                return Ok(());
            }
        }
        let posted = posts.await.map_err(|error| error.to_string());
        drop(ticks.await);
        // The last second holds whatever came late.
        drop(told.send(thread.tick(thread.seconds() - 1)));
        posted?
    });
    lag.abort();
    let last = match ended {
        Ok(()) => Told::Done {
            records: thread.records.take(),
            ledger: std::mem::take(&mut thread.seen.borrow_mut().ledger),
        },
        Err(message) => Told::Failed(message),
    };
    // Nobody listens when the run was given up.
    drop(told.send(last));
}

/// Sends off each second but the last when it is over.
async fn tick(thread: Rc<Thread>, told: SyncSender<Told>) {
    for second in 0..thread.seconds() - 1 {
        let over = thread.plan.start.after(f64::from(second) + 1.0).instant();
        tokio::time::sleep_until(over).await;
        // The worker takes these as fast as they come; when it does not, the second goes
        // into the next one.
        if let Err(TrySendError::Full(Told::Tick { interval, .. })) = told.try_send(thread.tick(second)) {
            thread.interval.borrow_mut().add(&interval);
        }
    }
}

/// Measures how late our own timers fire: what this thread is late, everything that it
/// measures may be late.
async fn watch_lag(thread: Rc<Thread>) {
    tokio::time::sleep_until(thread.plan.start.instant()).await;
    loop {
        thread.until(Moment::now().after(LAG_EVERY_SECS)).await;
    }
}
