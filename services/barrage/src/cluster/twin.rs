//! `--autoscale`: starts, drains and ends gateways of the fleet on this machine by the
//! same core that scales one in Kubernetes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use barrage_bus::{Bus, BusMetrics, NatsBus, Registered, entry_load};
use barrage_scaling::{
    Constraint, Decision, GatewayId, Knee, Memory, MoveCause, Observation, ObservedGateway, Phase,
    PolicyConfig, Schedule, decide, explain,
};
use barrage_token::Keyring;
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::keeper::{Keeper, Running};
use super::member::Site;
use crate::config::Config;
use crate::{admin, autoscale};

/// Longest wait for a gateway to take an order.
const ORDER_MAX: Duration = Duration::from_secs(2);
/// Observations that are recorded, about a day of them; later ones are not.
const RECORD_MAX: u32 = 50_000;
/// Starts that are remembered to know how long one takes.
const STARTS_MAX: usize = 20;

/// A gateway that the twin has started or found.
struct Owned {
    created: Instant,
    /// None while it starts.
    running: Option<Running>,
    reported: bool,
}

/// The loop and what it knows.
pub(crate) struct Twin {
    site: Arc<Site>,
    keeper: Arc<Keeper>,
    bus: Arc<dyn Bus>,
    keyring: Arc<Keyring>,
    http: reqwest::Client,
    /// Entry's admin listener.
    entry: SocketAddr,
    policy: PolicyConfig,
    knee: Knee,
    memory: Memory,
    gateways: BTreeMap<GatewayId, Owned>,
    starts: JoinSet<(GatewayId, anyhow::Result<Running>)>,
    start_secs: VecDeque<f64>,
    /// Of the newest gateway.
    number: u16,
    /// Every observation, for `barrage-autoscaler replay`.
    record: File,
    recorded: u32,
    told: Vec<Constraint>,
    /// An order to give viewers back is for a whole period of the policy: a new one takes the
    /// place of what the one before has not done yet.
    rebalance_at: Instant,
}

impl Twin {
    /// Takes over gateways that run already.
    pub(crate) async fn new(
        config: &Config,
        nats_url: Option<&str>,
        site: Arc<Site>,
        keeper: Arc<Keeper>,
        entry: &Running,
        gateways: &[Running],
        keyring: Arc<Keyring>,
    ) -> anyhow::Result<Self> {
        let mut nats = config.nats.clone().unwrap_or_default();
        nats.urls = nats_url.map_or(nats.urls, |url| vec![url.into()]);
        let bus = NatsBus::connect(nats, config.bus.clone(), BusMetrics::new(&Registry::new())?).await?;
        let own = |running: &Running| {
            let owned = Owned { created: Instant::now(), running: Some(running.clone()), reported: false };
            (GatewayId::from(running.name.as_str()), owned)
        };
        let record = keeper.log_dir().join("autoscale.jsonl");
        Ok(Twin {
            site,
            keeper,
            bus,
            keyring,
            http: reqwest::Client::builder().timeout(ORDER_MAX).build()?,
            entry: entry.admin,
            policy: config.autoscale.policy.clone(),
            knee: config.autoscale.knee(&config.gateway)?,
            memory: Memory::default(),
            gateways: gateways.iter().map(own).collect(),
            starts: JoinSet::new(),
            start_secs: VecDeque::new(),
            number: u16::try_from(gateways.len()).context("too many gateways")?,
            record: File::create(&record)
                .with_context(|| format!("{} cannot be written", record.display()))?,
            recorded: 0,
            told: Vec::new(),
            rebalance_at: Instant::now(),
        })
    }

    /// Decides again and again until the end.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs_f64(self.policy.tick_secs.max(0.1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = end.cancelled() => return,
            }
            self.settle();
            let seen = self.observe();
            if let Err(error) = self.write(&seen) {
                tracing::warn!(%error, "the observation was not recorded");
            }
            let decision = decide(&self.policy, &self.knee, &mut self.memory, &seen);
            self.say(&seen, &decision);
            self.act(&seen, &decision).await;
        }
    }

    /// Adds to the record while there is room in it.
    fn write(&mut self, seen: &Observation) -> std::io::Result<()> {
        if self.recorded >= RECORD_MAX {
            return Ok(());
        }
        self.recorded += 1;
        serde_json::to_writer(&self.record, seen)?;
        writeln!(self.record)
    }

    /// Takes in the gateways that have started.
    fn settle(&mut self) {
        while let Some(started) = self.starts.try_join_next() {
            match started {
                Ok((id, Ok(running))) => {
                    if let Some(owned) = self.gateways.get_mut(&id) {
                        owned.running = Some(running);
                    }
                }
                Ok((id, Err(error))) => {
                    tracing::warn!(gateway = %id, "a gateway did not start: {error:#}");
                    self.gateways.remove(&id);
                }
                Err(error) => tracing::warn!(%error, "a start failed"),
            }
        }
    }

    fn observe(&mut self) -> Observation {
        let reports = self.bus.gateways();
        let newest = |id: &str| reports.iter().find(|registered| registered.report.id == id);
        let mut gateways = Vec::new();
        for (id, owned) in &mut self.gateways {
            let age = owned.created.elapsed();
            let registered = newest(id);
            if registered.is_some() && !std::mem::replace(&mut owned.reported, true) {
                self.start_secs.push_back(age.as_secs_f64());
                if self.start_secs.len() > STARTS_MAX {
                    self.start_secs.pop_front();
                }
            }
            gateways.push(gateway_load(id, owned, age, registered));
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Observation {
            at_secs: at.as_secs_f64(),
            replicas: u32::try_from(gateways.len()).unwrap_or(u32::MAX),
            gateways,
            entry: entry_load(&self.bus.entries()),
            provision_secs: self.start_secs.iter().copied().collect(),
            prewarms: autoscale::prewarms(&self.bus.settings().borrow(), at).map(Schedule::from).collect(),
            rollout: false,
        }
    }

    /// One line when something changes; all of the reasons at the level of debugging.
    fn say(&mut self, seen: &Observation, decision: &Decision) {
        let reason = &decision.reason;
        let is_news = decision.replicas != seen.replicas
            || !decision.drain.is_empty()
            || !decision.undrain.is_empty()
            || !decision.remove.is_empty()
            || reason.constraints != self.told;
        if is_news {
            tracing::info!(
                gateways = seen.replicas,
                wanted = reason.wanted,
                start = decision.replicas.saturating_sub(seen.replicas),
                drain = ?decision.drain,
                call_off = ?decision.undrain,
                remove = ?decision.remove,
                viewers = reason.demand.viewers,
                forecast = reason.forecast.viewers,
                panic = reason.panic,
                constraints = ?reason.constraints,
                "the fleet is sized"
            );
        }
        self.told.clone_from(&reason.constraints);
        tracing::debug!("{}", explain(decision));
    }

    async fn act(&mut self, seen: &Observation, decision: &Decision) {
        if !decision.shut.is_empty() {
            let factors: BTreeMap<_, _> = decision.shut.iter().map(|id| (id, 0.0)).collect();
            let url = format!("http://{}/v1/admin/factors", self.entry);
            self.send("entry", reqwest::Method::PUT, &url, &json!({ "factors": factors })).await;
        }
        for id in &decision.remove {
            if let Some(owned) = self.gateways.remove(id)
                && let Some(running) = owned.running
            {
                // It ends by itself, in its own time.
                running.end.cancel();
            }
        }
        let wanted = usize::try_from(decision.replicas).unwrap_or(usize::MAX);
        while self.gateways.len() < wanted {
            self.start();
        }
        for id in &decision.drain {
            self.order(reqwest::Method::POST, id, "drain", &json!({})).await;
        }
        for id in &decision.undrain {
            self.order(reqwest::Method::DELETE, id, "drain", &json!({})).await;
        }
        if self.rebalance_at > Instant::now() {
            return;
        }
        let period_secs = self.policy.rebalance.period_secs;
        self.rebalance_at = Instant::now() + Duration::from_secs_f64(period_secs);
        // A gateway that drains paces itself.
        for order in decision.moves.iter().filter(|order| order.cause == MoveCause::Rebalance) {
            let gateway = seen.gateways.iter().find(|gateway| gateway.id == order.gateway);
            let viewers = gateway.map_or(0.0, ObservedGateway::connections);
            let share = (order.viewers_per_s * period_secs / viewers.max(1.0)).min(1.0);
            if share > 0.0 {
                let body = json!({ "share": share });
                self.order(reqwest::Method::POST, &order.gateway, "give-back", &body).await;
            }
        }
    }

    fn start(&mut self) {
        self.number = self.number.wrapping_add(1).max(1);
        let member = self.site.gateway(self.number);
        let id = GatewayId::from(format!("gateway-{}", self.number));
        let owned = Owned { created: Instant::now(), running: None, reported: false };
        self.gateways.insert(Arc::clone(&id), owned);
        let keeper = Arc::clone(&self.keeper);
        self.starts.spawn(async move { (id, keeper.start(member).await) });
    }

    async fn order(&self, method: reqwest::Method, id: &GatewayId, resource: &str, body: &Value) {
        let Some(running) = self.gateways.get(id).and_then(|owned| owned.running.as_ref()) else { return };
        self.send(id, method, &format!("http://{}/v1/admin/{resource}", running.admin), body).await;
    }

    /// What does not arrive is decided again at the next tick.
    async fn send(&self, to: &str, method: reqwest::Method, url: &str, body: &Value) {
        let sent = async {
            let token = admin::mint(&self.keyring)?;
            let request = self.http.request(method, url).bearer_auth(token).json(body);
            request.send().await?.error_for_status().context("it refused")
        };
        if let Err(error) = sent.await {
            tracing::warn!(to, "an order was not taken: {error:#}");
        }
    }
}

fn gateway_load(
    id: &GatewayId,
    owned: &Owned,
    age: Duration,
    registered: Option<&Registered>,
) -> ObservedGateway {
    let phase = match registered {
        Some(registered) if registered.report.draining => Phase::Draining,
        Some(_) => Phase::Ready,
        None if owned.reported => Phase::Unready,
        None => Phase::Starting,
    };
    ObservedGateway {
        age_secs: age.as_secs_f64(),
        report: registered.map(|registered| registered.report.load.clone()),
        report_age_secs: registered.map_or(0.0, |registered| registered.age.as_secs_f64()),
        ..ObservedGateway::new(Arc::clone(id), phase)
    }
}
