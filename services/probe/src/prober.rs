//! Rounds over all gateways and all pairs of sites.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use barrage_protocol::entry::{ProbeGateway, ProbeTargets};
use barrage_protocol::{MessageId, UserId};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::alarm::{Alarm, Change};
use crate::attempt::{Attempt, Side, Times};
use crate::config::ProbeConfig;
use crate::metrics::{GATEWAYS_MAX, ProbeMetrics};
use crate::phase::{Failure, Phase};
use crate::site::Site;
use crate::watched::WatchList;

/// Label of the gateways beyond [`GATEWAYS_MAX`].
const OTHER: &str = "other";

/// Why one gateway cannot be examined on request.
#[derive(Debug, thiserror::Error)]
pub enum ProberError {
    /// Entry has not listed this gateway.
    #[error("entry lists no gateway {0:?}; barrage_probe_gateway_up has the ids of those that it lists")]
    UnknownGateway(String),
}

/// The probe: its sites, its gateways, and their alarms.
#[derive(Debug)]
pub struct Prober {
    config: ProbeConfig,
    /// The own site first.
    sites: Vec<Site>,
    metrics: ProbeMetrics,
    user: UserId,
    /// Number in the id of the next message.
    next_id: AtomicU64,
    /// Number of the uplink and of the remote gateway in turn.
    turn: AtomicUsize,
    gateways: Mutex<WatchList>,
    /// Newest answer of entry, by site.
    targets: Mutex<Vec<ProbeTargets>>,
    /// Alarms of the pairs of sites, by the sites' numbers.
    pairs: Mutex<std::collections::BTreeMap<(usize, usize), Alarm>>,
    permits: Semaphore,
}

impl Prober {
    /// Creates a probe of `sites`, of which the first one is its own.
    #[must_use]
    pub fn new(config: ProbeConfig, sites: Vec<Site>, metrics: ProbeMetrics) -> Arc<Self> {
        let start = barrage_clock::since_unix_epoch().as_nanos();
        let user = UserId::parse(&format!("probe-{start:x}")).expect("made of allowed characters");
        let none = ProbeTargets { gateways: Vec::new(), uplinks: Vec::new() };
        Arc::new(Prober {
            permits: Semaphore::new(config.parallel_max.max(1)),
            targets: Mutex::new(vec![none; sites.len()]),
            config,
            sites,
            metrics,
            user,
            next_id: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
            gateways: Mutex::default(),
            pairs: Mutex::default(),
        })
    }

    /// Examines one gateway of the own site once, and counts it like the rounds do. Returns the times of
    /// the phases that were reached.
    ///
    /// # Errors
    /// When entry lists no such gateway.
    pub async fn examine(&self, id: &str) -> Result<(Times, Result<(), Failure>), ProberError> {
        let known = self.gateways.lock().get(id).map(|watched| watched.gateway.clone());
        let gateway = known.ok_or_else(|| ProberError::UnknownGateway(id.to_owned()))?;
        Ok(self.attempt(0, &gateway, 0).await)
    }

    /// Asks each entry, and updates the list of gateways.
    async fn survey(&self) {
        for (number, site) in self.sites.iter().enumerate() {
            let started = Instant::now();
            match site.survey(&self.user, self.config.timeout()).await {
                Ok(targets) => {
                    self.metrics.phase(Phase::Entry, started.elapsed());
                    if number == 0 {
                        self.update_gateways(targets.gateways.clone());
                    }
                    self.targets.lock()[number] = targets;
                }
                Err(failure) => {
                    tracing::warn!(
                        site = site.name,
                        error = failure.reason,
                        "entry does not answer the probe"
                    );
                    self.metrics.attempted(&Times::default(), &Err(failure));
                }
            }
        }
    }

    fn update_gateways(&self, listed: Vec<ProbeGateway>) {
        let mut gateways = self.gateways.lock();
        for id in gateways.update(listed, barrage_clock::now()) {
            // Absent when the gateway shared a series.
            drop(self.metrics.gateway_up.remove_label_values(&[&id]));
        }
        self.metrics.gateways.set(i64::try_from(gateways.len()).unwrap_or(i64::MAX));
    }

    /// Examines every gateway, and every pair of sites once.
    async fn round(self: &Arc<Self>) {
        let mut running = JoinSet::new();
        for gateway in self.gateways.lock().examined() {
            let prober = Arc::clone(self);
            running.spawn(async move {
                let (_, result) = prober.attempt(0, &gateway, 0).await;
                prober.count(&gateway.id, result);
            });
        }
        for from in 0..self.sites.len() {
            for to in (0..self.sites.len()).filter(|to| *to != from) {
                let prober = Arc::clone(self);
                running.spawn(async move { prober.pair(from, to).await });
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Posts at the site `from` and listens at a gateway of the site `to`.
    async fn attempt(&self, to: usize, gateway: &ProbeGateway, from: usize) -> (Times, Result<(), Failure>) {
        let mut times = Times::default();
        let result = self.try_attempt(to, gateway, from, &mut times).await;
        self.metrics.attempted(&times, &result);
        (times, result)
    }

    async fn try_attempt(
        &self,
        to: usize,
        gateway: &ProbeGateway,
        from: usize,
        times: &mut Times,
    ) -> Result<(), Failure> {
        let _permit = self.permits.acquire().await.map_err(|error| Failure::new(Phase::Connect, error))?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let uplink = {
            let targets = self.targets.lock();
            let uplinks = &targets[from].uplinks;
            turn.checked_rem(uplinks.len()).map(|at| uplinks[at].clone())
        };
        let uplink = uplink.ok_or_else(|| Failure::new(Phase::Post, "entry names no uplink"))?;
        let (at, from) = (&self.sites[to], &self.sites[from]);
        let (listening, posting) = (at.token(&self.user)?, from.token(&self.user)?);
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let id = MessageId::parse(&format!("p-{number}")).expect("made of allowed characters");
        let attempt = Attempt {
            at: Side { site: at, token: &listening },
            gateway_url: &gateway.url,
            from: Side { site: from, token: &posting },
            uplink: &uplink,
            id: &id,
            timeout: self.config.timeout(),
            delay_max: self.config.delay_max(),
        };
        Box::pin(attempt.run(times)).await
    }

    /// Counts a result towards the alarm of a gateway.
    fn count(&self, id: &str, result: Result<(), Failure>) {
        let mut gateways = self.gateways.lock();
        let has_series = gateways.len() <= GATEWAYS_MAX;
        let Some(watched) = gateways.get_mut(id) else { return };
        let change = watched.alarm.count(result.is_ok(), self.config.failures_max);
        let label = if has_series { id } else { OTHER };
        self.metrics.gateway_up.with_label_values(&[label]).set(i64::from(!watched.alarm.is_raised()));
        drop(gateways);
        match (change, result) {
            (Some(Change::Raised), Err(failure)) => tracing::error!(
                gateway = id,
                phase = failure.phase.label(),
                error = failure.reason,
                failures = self.config.failures_max,
                "a gateway failed the probe several times in a row; its viewers may get no messages"
            ),
            (Some(Change::Ended), _) => tracing::info!(gateway = id, "a gateway passes the probe again"),
            (None, Err(failure)) => tracing::warn!(
                gateway = id,
                phase = failure.phase.label(),
                error = failure.reason,
                "a gateway failed the probe"
            ),
            _ => {}
        }
    }

    /// Examines the way from one site to another, at the gateways of that site in turn.
    async fn pair(&self, from: usize, to: usize) {
        let gateway = {
            let targets = self.targets.lock();
            let open: Vec<_> = targets[to].gateways.iter().filter(|gateway| !gateway.draining).collect();
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            turn.checked_rem(open.len()).map(|at| open[at].clone())
        };
        let (times, result) = match gateway {
            Some(gateway) => self.attempt(to, &gateway, from).await,
            None => (Times::default(), Err(Failure::new(Phase::Entry, "the site lists no gateway"))),
        };
        let mut pairs = self.pairs.lock();
        let alarm = pairs.entry((from, to)).or_default();
        let change = alarm.count(result.is_ok(), self.config.failures_max);
        let labels = [self.sites[from].name.as_str(), self.sites[to].name.as_str()];
        self.metrics.site_up.with_label_values(&labels).set(i64::from(!alarm.is_raised()));
        if let Some(delay) = times.end_to_end {
            let ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
            self.metrics.site_delay_ms.with_label_values(&labels).set(ms);
        }
        let [from, to] = labels;
        match (change, result) {
            (Some(Change::Raised), Err(failure)) => tracing::error!(
                from,
                to,
                phase = failure.phase.label(),
                error = failure.reason,
                "messages do not go from one site to the other"
            ),
            (Some(Change::Ended), _) => tracing::info!(from, to, "messages go from site to site again"),
            _ => {}
        }
    }
}

/// Examines all gateways and sites in rounds, until the shutdown.
pub async fn run(prober: Arc<Prober>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(prober.config.interval());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if shutdown.run_until_cancelled(prober.survey()).await.is_none() {
        return;
    }
    // Beside each other: an entry that does not answer must not delay the examinations.
    let one = async || {
        tick.tick().await;
        tokio::join!(prober.survey(), prober.round());
    };
    let mut one = one;
    while shutdown.run_until_cancelled(one()).await.is_some() {}
}
