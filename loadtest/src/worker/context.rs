//! State that the tasks of one thread share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_tls::ClientTls;
use hyper::Uri;
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;

use super::connect;
use super::seen::Seen;
use crate::clock::Moment;
use crate::load::population::{Population, Stay};
use crate::measure::interval::Interval;
use crate::measure::ledger::{Record, mix};
use crate::net::http::{Pool, Target};
use crate::plan::{Plan, Share};
use crate::scenario::popularity::Popularity;

/// Connections to entry that the viewers of a worker share; each viewer asks for itself. A further
/// request waits, and its waiting counts in the join latency.
const ENTRY_CONNECTIONS_MAX: u32 = 384;
/// Time limit for an answer of entry.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to the uplink of one worker, for posts and pages of history; they are kept open, and each has
/// its own source address.
const UPLINK_CONNECTIONS_MAX: u32 = 256;
/// Time limit for an answer of the uplink, including the wait for a connection.
const UPLINK_TIMEOUT: Duration = Duration::from_secs(5);

/// State that the tasks of one thread share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) plan: Arc<Plan>,
    pub(crate) share: Share,
    pub(crate) popularity: Popularity,
    pub(crate) population: Population,
    pub(crate) entry: Pool,
    pub(crate) interval: RefCell<Interval>,
    pub(crate) connected: Cell<u64>,
    /// Viewers that wait for their turn to join.
    pub(crate) waiting: Cell<u64>,
    pub(crate) seen: RefCell<Seen>,
    pub(crate) records: RefCell<Vec<Record>>,
    /// Read buffer of all viewers; frames rarely leave a rest.
    pub(crate) scratch: RefCell<Vec<u8>>,
    /// Authorities that encrypted connections trust.
    pub(crate) tls: ClientTls,
    targets: RefCell<HashMap<String, (Target, Uri)>>,
    /// The first uplink that entry returned.
    uplink: OnceCell<Rc<Pool>>,
    /// Becomes true when the viewers have to leave before their time.
    leave: watch::Sender<bool>,
}

impl Context {
    pub(crate) fn new(plan: Arc<Plan>, share: Share, tls: ClientTls) -> Self {
        let popularity = Popularity::new(&plan.scenario.rooms, plan.seed);
        let entry = Target {
            host: plan.host.clone(),
            address: plan.address,
            tls: plan.is_encrypted.then(|| tls.clone()),
        };
        let first_source = u32::MAX / 2 + share.shard * ENTRY_CONNECTIONS_MAX;
        let connections = (ENTRY_CONNECTIONS_MAX / plan.threads).max(8) as usize;
        Context {
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
            tls,
            targets: RefCell::default(),
            uplink: OnceCell::new(),
            leave: watch::Sender::new(false),
        }
    }

    /// End of the run, in seconds after the start.
    pub(crate) fn end_secs(&self) -> f64 {
        self.population.secs() + self.plan.scenario.settle_secs
    }

    /// Waits until the viewers have to leave before their time.
    pub(crate) async fn left_early(&self) {
        // The sender lives as long as this thread.
        drop(self.leave.subscribe().wait_for(|leave| *leave).await);
    }

    /// Returns the number of the present second since the start of the run.
    pub(crate) fn second(&self) -> u32 {
        Moment::now().since(self.plan.start).as_secs() as u32
    }

    /// Waits until a due time, and records how late the wait ended.
    pub(crate) async fn until(&self, due: Moment) {
        tokio::time::sleep_until(due.instant()).await;
        self.interval.borrow_mut().lag.record(Moment::now().since(due));
    }

    /// Number of seconds that are reported, including the last one that has begun.
    pub(crate) fn seconds(&self) -> u32 {
        (self.end_secs().ceil() as u32).max(1)
    }

    /// Returns the counts since the last call, with the viewers of now.
    pub(crate) fn take_interval(&self) -> Box<Interval> {
        let mut interval = Box::new(self.interval.take());
        interval.viewers = self.connected.get();
        interval.waiting = self.waiting.get();
        interval
    }

    /// Makes the viewers leave before their time.
    pub(crate) fn end_early(&self) {
        self.leave.send_replace(true);
    }

    /// Resolves the URL of an endpoint, once. There are as many as rooms and gateways.
    pub(crate) async fn resolve(&self, url: &str) -> Result<(Target, Uri), String> {
        if let Some(found) = self.targets.borrow().get(url) {
            return Ok(found.clone());
        }
        let found = Target::resolve(url, &self.tls).await?;
        self.targets.borrow_mut().insert(url.to_owned(), found.clone());
        Ok(found)
    }

    /// Returns the connections to the uplink, after one question to entry.
    pub(crate) async fn uplink(&self) -> Result<Rc<Pool>, String> {
        let uplink = self.uplink.get_or_try_init(|| async {
            let answer = connect::ask_uplinks(self, 0).await.map_err(|failure| failure.reason)?;
            let url = answer.uplinks.first().ok_or("entry returned no uplink")?;
            let (target, _) = Target::resolve(url, &self.tls).await?;
            let connections = (UPLINK_CONNECTIONS_MAX / self.plan.threads).max(8);
            let first_source = u32::MAX / 4 + self.share.shard * UPLINK_CONNECTIONS_MAX;
            Ok::<_, String>(Rc::new(Pool::new(target, connections as usize, first_source, UPLINK_TIMEOUT)))
        });
        uplink.await.cloned()
    }

    /// Time of the next reset of a viewer's connection.
    pub(crate) fn next_cut(&self, viewer: u32) -> Option<Instant> {
        let now = Instant::now();
        let faults = self.plan.scenario.faults.iter().enumerate().filter(|_| self.plan.cut);
        let hit = faults.filter(|(n, fault)| chance(u64::from(viewer) << 16 | *n as u64) < fault.cut_share);
        hit.map(|(_, fault)| self.plan.start.after(fault.at_secs).instant()).filter(|at| *at > now).min()
    }

    /// Stays of this thread's viewers, in the order of their joins.
    pub(crate) fn stays(&self) -> Vec<Stay> {
        let ours = (self.share.shard..self.plan.scenario.viewers).step_by(self.share.shards as usize);
        let mut stays: Vec<_> = ours.flat_map(|viewer| self.population.stays(viewer)).collect();
        stays.sort_by(|a, b| a.join_secs.total_cmp(&b.join_secs));
        stays
    }
}

/// Returns a number from 0 to 1 that is always the same for the same input.
pub(crate) fn chance(of: u64) -> f64 {
    (mix(of) >> 11) as f64 / (1_u64 << 53) as f64
}
