//! `--autoscale`: starts, drains and stops gateways of the fleet on this machine, by the decisions of
//! the same core that scales a fleet in Kubernetes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use barrage_bus::{Bus, BusMetrics, InstanceReport, NatsBus, Registered, Role, ScalingReport, entry_load};
use barrage_scaling::{
    Constraint, Decision, GatewayId, Knee, Memory, MoveCause, Observation, ObservedGateway, Phase,
    PolicyConfig, Schedule, decide, explain,
};
use barrage_token::Keyring;
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Members;
use super::fleet_context::FleetContext;
use super::keeper::{Keeper, Running};
use crate::autoscale;
use crate::commands::admin_api;
use crate::config::Config;

/// Longest wait for the answer to an order.
const ORDER_TIMEOUT: Duration = Duration::from_secs(2);
/// Largest number of recorded observations, about a day of them; later ones are not recorded.
const OBSERVATIONS_MAX: u32 = 50_000;
/// Number of recent starts from which the duration of a start is known.
const STARTS_MAX: usize = 20;

/// A gateway that the controller has started or taken over.
struct Owned {
    created: Instant,
    /// Addresses of the process; `None` while the gateway starts.
    running: Option<Running>,
    reported: bool,
}

/// Control loop over the gateways of this machine.
pub(crate) struct LocalController {
    context: Arc<FleetContext>,
    keeper: Arc<Keeper>,
    bus: Arc<dyn Bus>,
    keyring: Arc<Keyring>,
    http: reqwest::Client,
    /// Admin address of entry, where the controller sets factors on the weights.
    entry: SocketAddr,
    policy: PolicyConfig,
    knee: Knee,
    memory: Memory,
    gateways: BTreeMap<GatewayId, Owned>,
    starts: JoinSet<(GatewayId, anyhow::Result<Running>)>,
    start_secs: VecDeque<f64>,
    /// Number in the name of the newest gateway.
    number: u16,
    /// Log of observations, in the form that `barrage-autoscaler replay` reads.
    record: File,
    recorded: u32,
    /// Constraints of the newest log line, so that only a change is logged.
    logged: Vec<Constraint>,
    /// Earliest time of the next rebalance. An order covers a period of the policy, and an earlier
    /// order would replace the rest of the order before.
    rebalance_at: Instant,
    started: Instant,
}

impl LocalController {
    /// Creates a controller that takes over the running gateways.
    pub(super) async fn new(
        config: &Config,
        nats_url: Option<&str>,
        context: Arc<FleetContext>,
        keeper: Arc<Keeper>,
        members: &Members,
        keyring: Arc<Keyring>,
    ) -> anyhow::Result<Self> {
        let mut nats = config.nats.clone().unwrap_or_default();
        nats.urls = nats_url.map_or(nats.urls, |url| vec![url.into()]);
        let bus = NatsBus::connect(nats, config.bus.clone(), BusMetrics::new(&Registry::new())?).await?;
        let own = |running: &Running| {
            let owned =
                Owned { created: barrage_clock::now(), running: Some(running.clone()), reported: false };
            (GatewayId::from(running.name.as_str()), owned)
        };
        let record = keeper.log_dir().join("autoscale.jsonl");
        Ok(LocalController {
            context,
            keeper,
            bus,
            keyring,
            http: config.http_client()?.timeout(ORDER_TIMEOUT).build()?,
            entry: members.entry.admin,
            policy: config.autoscale.policy.clone(),
            knee: config.autoscale.knee(&config.gateway)?,
            memory: Memory::default(),
            gateways: members.gateways.iter().map(own).collect(),
            starts: JoinSet::new(),
            start_secs: VecDeque::new(),
            number: u16::try_from(members.gateways.len()).context("there are too many gateways")?,
            record: File::create(&record)
                .with_context(|| format!("{} cannot be written", record.display()))?,
            recorded: 0,
            logged: Vec::new(),
            rebalance_at: barrage_clock::now(),
            started: barrage_clock::now(),
        })
    }

    /// Observes, decides and acts at each tick, until `end` is cancelled.
    pub(super) async fn run(mut self, end: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs_f64(self.policy.tick_secs.max(0.1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = end.cancelled() => return,
            }
            self.collect_starts();
            let observation = self.observe();
            if let Err(error) = self.record(&observation) {
                tracing::warn!(%error, "an observation cannot be recorded");
            }
            let decision = decide(&self.policy, &self.knee, &mut self.memory, &observation);
            self.log(&observation, &decision);
            self.report(&decision).await;
            self.act(&observation, &decision).await;
        }
    }

    /// Reports a decision to the registry, where the console of every process finds it.
    async fn report(&self, decision: &Decision) {
        let reason = &decision.reason;
        let scaling = ScalingReport {
            replicas: decision.replicas,
            wanted: reason.wanted,
            serving: reason.serving,
            arriving: reason.arriving,
            draining: reason.draining,
            silent: reason.silent,
            viewers: reason.demand.viewers,
            forecast_viewers: reason.forecast.viewers,
            panic: reason.panic,
            constraints: reason.constraints.iter().map(|constraint| constraint.label().to_owned()).collect(),
        };
        let report = InstanceReport {
            age_secs: self.started.elapsed().as_secs(),
            scaling: Some(Box::new(scaling)),
            ..InstanceReport::new(Role::Autoscaler, "autoscaler")
        };
        if let Err(error) = self.bus.report(report).await {
            tracing::debug!(%error, "the bus did not take the autoscaler's report");
        }
    }

    /// Writes an observation to the record, up to the largest number.
    fn record(&mut self, observation: &Observation) -> std::io::Result<()> {
        if self.recorded >= OBSERVATIONS_MAX {
            return Ok(());
        }
        self.recorded += 1;
        serde_json::to_writer(&self.record, observation)?;
        writeln!(self.record)
    }

    /// Stores the addresses of started gateways, and forgets those that could not start.
    fn collect_starts(&mut self) {
        while let Some(started) = self.starts.try_join_next() {
            match started {
                Ok((id, Ok(running))) => {
                    if let Some(owned) = self.gateways.get_mut(&id) {
                        owned.running = Some(running);
                    }
                }
                Ok((id, Err(error))) => {
                    tracing::warn!(gateway = %id, error = format!("{error:#}"), "a gateway cannot be started");
                    self.gateways.remove(&id);
                }
                Err(error) => tracing::error!(%error, "the task that starts a gateway failed"),
            }
        }
    }

    /// Builds the input of a decision from the registry and the started gateways.
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
        let at = barrage_clock::since_unix_epoch();
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

    /// Logs a decision that changes something, and at the level `debug` the reasons of every decision.
    fn log(&mut self, observation: &Observation, decision: &Decision) {
        let reason = &decision.reason;
        let is_change = decision.replicas != observation.replicas
            || !decision.drain.is_empty()
            || !decision.undrain.is_empty()
            || !decision.remove.is_empty()
            || reason.constraints != self.logged;
        if is_change {
            tracing::info!(
                gateways = observation.replicas,
                wanted = reason.wanted,
                start = decision.replicas.saturating_sub(observation.replicas),
                drain = ?decision.drain,
                undrain = ?decision.undrain,
                remove = ?decision.remove,
                viewers = reason.demand.viewers,
                forecast = reason.forecast.viewers,
                panic = reason.panic,
                constraints = ?reason.constraints,
                "the autoscaler changes the fleet"
            );
        }
        self.logged.clone_from(&reason.constraints);
        tracing::debug!("{}", explain(decision));
    }

    /// Carries a decision out. An order that fails is decided again at the next tick.
    async fn act(&mut self, observation: &Observation, decision: &Decision) {
        if !decision.shut.is_empty() {
            let factors: BTreeMap<_, _> = decision.shut.iter().map(|id| (id, 0.0)).collect();
            let url = format!("http://{}/v1/admin/factors", self.entry);
            self.send("entry", reqwest::Method::PUT, &url, &json!({ "factors": factors })).await;
        }
        for id in &decision.remove {
            if let Some(owned) = self.gateways.remove(id)
                && let Some(running) = owned.running
            {
                // The gateway drains first, then ends.
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
        if self.rebalance_at > barrage_clock::now() {
            return;
        }
        let period_secs = self.policy.rebalance.period_secs;
        self.rebalance_at = barrage_clock::now() + Duration::from_secs_f64(period_secs);
        // A gateway that drains has a pace of its own.
        for order in decision.moves.iter().filter(|order| order.cause == MoveCause::Rebalance) {
            let gateway = observation.gateways.iter().find(|gateway| gateway.id == order.gateway);
            let viewers = gateway.map_or(0.0, ObservedGateway::connections);
            let share = (order.viewers_per_s * period_secs / viewers.max(1.0)).min(1.0);
            if share > 0.0 {
                let body = json!({ "share": share });
                self.order(reqwest::Method::POST, &order.gateway, "give-back", &body).await;
            }
        }
    }

    /// Starts a further gateway in the background.
    fn start(&mut self) {
        self.number = self.number.wrapping_add(1).max(1);
        let member = self.context.gateway(self.number);
        let id = GatewayId::from(format!("gateway-{}", self.number));
        let owned = Owned { created: barrage_clock::now(), running: None, reported: false };
        self.gateways.insert(Arc::clone(&id), owned);
        let keeper = Arc::clone(&self.keeper);
        self.starts.spawn(async move { (id, keeper.start(member).await) });
    }

    /// Sends an order to a gateway that runs.
    async fn order(&self, method: reqwest::Method, id: &GatewayId, resource: &str, body: &Value) {
        let Some(running) = self.gateways.get(id).and_then(|owned| owned.running.as_ref()) else { return };
        self.send(id, method, &format!("http://{}/v1/admin/{resource}", running.admin), body).await;
    }

    /// Calls the admin API of a process. A failure is logged.
    async fn send(&self, to: &str, method: reqwest::Method, url: &str, body: &Value) {
        let sent = async {
            let token = admin_api::mint(&self.keyring)?;
            let request = self.http.request(method, url).bearer_auth(token).json(body);
            request.send().await?.error_for_status().context("the process refused")
        };
        if let Err(error) = sent.await {
            tracing::warn!(to, error = format!("{error:#}"), "an order of the autoscaler failed");
        }
    }
}

/// Returns the gateway as an observation shows it; its phase follows from its registration.
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
