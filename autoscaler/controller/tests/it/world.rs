//! A simulated cluster: pods, their gateways and viewers, and replicas of the controller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use barrage_autoscaler::actuate::AdminCommands;
use barrage_autoscaler::lease::{Election, Fence};
use barrage_autoscaler::loads::LoadSource;
use barrage_autoscaler::reconcile::Controller;
use barrage_autoscaler::{ControllerMetrics, HttpError, LoadsError};
use barrage_scaling::{
    EntryLoad, FleetInstance, FleetPrewarm, FleetReport, FleetRole, GatewayId, LoadReport,
};
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use parking_lot::Mutex;
use prometheus::Registry;
use serde_json::{Value, json};

use super::fake::{FakeApi, NAMESPACE};

pub const TICK: Duration = Duration::from_secs(2);
/// Age at which a pod becomes ready, in seconds.
pub const READY_SECS: u64 = 6;

#[derive(Clone, Debug)]
pub struct Gateway {
    pub viewers: f64,
    /// Remaining time of a drain, in seconds.
    pub drain: Option<f64>,
}

/// The gateways by address, and the commands to them.
#[derive(Default)]
pub struct Crowd {
    pub gateways: BTreeMap<String, Gateway>,
    pub names: BTreeMap<String, String>,
    pub drained: Vec<String>,
    pub cancelled: Vec<String>,
    pub given_back: f64,
    pub prewarms: Vec<FleetPrewarm>,
    /// Gateways whose weight the controller set to 0 at entry.
    pub shut: BTreeSet<String>,
    pub silent: bool,
    pub entry: EntryLoad,
    /// Another client that changes the Deployment between a pass's reads and writes: its API, and
    /// the number of changes left.
    pub other_client: Option<(Api<DynamicObject>, u32)>,
}

impl Crowd {
    fn report(&self) -> FleetReport {
        let instance = |(ip, gateway): (&String, &Gateway)| FleetInstance {
            role: FleetRole::Gateway,
            id: self.names[ip].as_str().into(),
            draining: gateway.drain.is_some(),
            load: LoadReport {
                connections: gateway.viewers,
                egress_bytes_per_s: 100.0 * gateway.viewers,
                push_p99_ms: 20.0,
                ..LoadReport::default()
            },
            report_age_ms: 800.0,
        };
        FleetReport {
            instances: self.gateways.iter().map(instance).collect(),
            entry: Some(self.entry),
            prewarms: self.prewarms.clone(),
        }
    }

    /// Gives every running pod a gateway, which reports before the pod is ready, and moves the
    /// viewers of draining gateways to the others.
    pub fn step(&mut self, pods: &[Value], secs: f64) {
        let runs = |pod: &&Value| pod["status"]["phase"] == "Running";
        let ip = |pod: &Value| pod["status"]["podIP"].as_str().unwrap().to_owned();
        let ips: Vec<String> = pods.iter().filter(runs).map(ip).collect();
        self.gateways.retain(|ip, _| ips.contains(ip));
        for pod in pods.iter().filter(runs) {
            self.names.insert(ip(pod), pod["metadata"]["name"].as_str().unwrap().into());
            self.gateways.entry(ip(pod)).or_insert(Gateway { viewers: 0.0, drain: None });
        }
        let mut moved = 0.0;
        for gateway in self.gateways.values_mut() {
            if let Some(left) = &mut gateway.drain {
                let share = (secs / left.max(secs)).min(1.0);
                moved += gateway.viewers * share;
                gateway.viewers *= 1.0 - share;
                *left -= secs;
            }
        }
        let staying = self.gateways.values().filter(|gateway| gateway.drain.is_none()).count() as f64;
        for gateway in self.gateways.values_mut().filter(|gateway| gateway.drain.is_none()) {
            gateway.viewers += moved / staying;
        }
    }
}

#[derive(Clone, Default)]
pub struct Reach(pub Arc<Mutex<Crowd>>);

impl Reach {
    async fn write_as_other_client(&self) {
        let turn = {
            let mut crowd = self.0.lock();
            crowd.other_client.as_mut().filter(|(_, left)| *left > 0).map(|(deployments, left)| {
                *left -= 1;
                (deployments.clone(), *left)
            })
        };
        if let Some((deployments, left)) = turn {
            let annotations = json!({ "metadata": { "annotations": { "changed": left.to_string() } } });
            let patch = Patch::Merge(annotations);
            deployments.patch("gateway", &PatchParams::default(), &patch).await.unwrap();
        }
    }
}

#[async_trait]
impl LoadSource for Reach {
    async fn read(&self) -> Result<FleetReport, LoadsError> {
        self.write_as_other_client().await;
        let crowd = self.0.lock();
        if crowd.silent {
            return Err(LoadsError::Query { query: "all".into(), reason: "the registry is gone".into() });
        }
        Ok(crowd.report())
    }
}

#[async_trait]
impl AdminCommands for Reach {
    async fn start_drain(&self, address: &str, within_secs: u64) -> Result<(), HttpError> {
        let mut crowd = self.0.lock();
        let ip = address.strip_suffix(":8081").expect("the admin port");
        let name = crowd.names[ip].clone();
        crowd.drained.push(name);
        crowd.gateways.get_mut(ip).unwrap().drain = Some(within_secs as f64);
        Ok(())
    }

    async fn cancel_drain(&self, address: &str) -> Result<(), HttpError> {
        let mut crowd = self.0.lock();
        let ip = address.strip_suffix(":8081").expect("the admin port");
        let name = crowd.names[ip].clone();
        crowd.cancelled.push(name);
        crowd.gateways.get_mut(ip).unwrap().drain = None;
        Ok(())
    }

    async fn give_back(&self, address: &str, share: f64) -> Result<(), HttpError> {
        let mut crowd = self.0.lock();
        let ip = address.strip_suffix(":8081").expect("the admin port");
        let moved = share * crowd.gateways[ip].viewers;
        crowd.gateways.get_mut(ip).unwrap().viewers -= moved;
        let others = crowd.gateways.len() as f64 - 1.0;
        let to = crowd.gateways.iter_mut().filter(|(other, _)| *other != ip);
        to.for_each(|(_, gateway)| gateway.viewers += moved / others);
        crowd.given_back += moved;
        Ok(())
    }

    async fn shut(&self, entry: &str, gateways: &[GatewayId]) -> Result<(), HttpError> {
        assert_eq!(entry, "http://entry:8081");
        self.0.lock().shut.extend(gateways.iter().map(ToString::to_string));
        Ok(())
    }
}

/// One replica of the controller.
pub struct Replica {
    pub election: Election,
    pub fence: Fence,
    pub controller: Controller,
    pub registry: Registry,
}

/// A replica whose load source and commands reach the simulated gateways directly.
pub fn replica_of(client: Client, reach: &Reach, interval: Duration, identity: &str) -> Replica {
    let leases = Api::namespaced(client.clone(), NAMESPACE);
    let (election, fence) = Election::new(leases, "barrage-autoscaler", identity);
    let registry = Registry::new();
    let metrics = ControllerMetrics::new(&registry).unwrap();
    let loads = reach.clone();
    let connect = Box::new(move |_: &_| Arc::new(loads.clone()) as Arc<dyn LoadSource>);
    let commands = Arc::new(reach.clone());
    let controller = Controller::with(client, NAMESPACE, interval, fence.clone(), metrics, connect, commands);
    Replica { election, fence, controller, registry }
}

pub struct World {
    pub api: FakeApi,
    pub reach: Reach,
    pub now: Duration,
}

impl World {
    /// A fleet whose gateways have the given viewers.
    pub fn new(viewers: &[f64]) -> World {
        let world = World {
            api: FakeApi::default(),
            reach: Reach::default(),
            now: Duration::from_secs(1_800_000_000),
        };
        let long_ago = world.now.checked_sub(Duration::from_secs(5_000)).unwrap();
        {
            let mut state = world.api.state();
            state.put("deployments", deployment(viewers.len()));
            state.put("fleetautoscalers", fleet("show", &json!({})));
            for _ in viewers {
                state.make_pod(long_ago);
            }
        }
        world.cluster();
        for (gateway, viewers) in world.reach.0.lock().gateways.values_mut().zip(viewers) {
            gateway.viewers = *viewers;
        }
        world
    }

    pub fn replica(&self, identity: &str) -> Replica {
        replica_of(Client::new(self.api.clone(), NAMESPACE), &self.reach, TICK, identity)
    }

    /// Advances the cluster to the present time, without the controller.
    pub fn cluster(&self) {
        let pods: Vec<Value> = {
            let mut state = self.api.state();
            state.settle(self.now, READY_SECS);
            state.list("pods").into_iter().cloned().collect()
        };
        self.reach.0.lock().step(&pods, TICK.as_secs_f64());
    }

    /// Advances everything by one tick.
    pub async fn step(&mut self, replica: &mut Replica) {
        // An election that cannot renew the lease is part of some tests.
        let _ = replica.election.tick().await;
        replica.controller.pass(self.now).await;
        tokio::time::advance(TICK).await;
        self.now += TICK;
        self.cluster();
    }

    pub async fn steps(&mut self, replica: &mut Replica, many: usize) {
        for _ in 0..many {
            self.step(replica).await;
        }
    }

    pub fn edit_fleet(&self, spec: &Value) {
        let mut state = self.api.state();
        state.edit("fleetautoscalers", "show", &json!({ "spec": spec, "metadata": { "generation": 2 } }));
    }

    pub fn set_viewers(&self, viewers: f64) {
        self.reach.0.lock().gateways.values_mut().for_each(|one| one.viewers = viewers);
    }

    pub fn replicas(&self) -> u64 {
        self.api.state().get("deployments", "gateway").unwrap()["spec"]["replicas"].as_u64().unwrap()
    }

    pub fn status(&self) -> Value {
        self.api.state().get("fleetautoscalers", "show").unwrap()["status"].clone()
    }

    /// Status and reason of a condition.
    pub fn condition(&self, kind: &str) -> (String, String) {
        let status = self.status();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let condition = conditions.iter().find(|one| one["type"] == kind).cloned().unwrap_or(Value::Null);
        let text = |key: &str| condition[key].as_str().unwrap_or("").to_owned();
        (text("status"), text("reason"))
    }

    /// Reasons of all events.
    pub fn events(&self) -> Vec<String> {
        let state = self.api.state();
        state.list("events").iter().map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    }

    pub fn pods(&self) -> Vec<String> {
        let state = self.api.state();
        state.list("pods").iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn deployment(replicas: usize) -> Value {
    json!({
        "metadata": { "name": "gateway", "generation": 1 },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "gateway" } },
            "template": { "metadata": { "labels": { "app": "gateway" } } } },
        "status": { "replicas": replicas, "updatedReplicas": replicas, "observedGeneration": 1 },
    })
}

/// A gateway carries 1,000 viewers; the scale-in window is 20 s.
pub fn fleet(name: &str, more: &Value) -> Value {
    let mut spec = json!({
        "target": { "name": "gateway" },
        "minReplicas": 2,
        "maxReplicas": 40,
        "capacity": { "connections": 1000.0, "joinsPerS": 50.0, "egressBytesPerS": 1e6 },
        "loads": { "entry": { "url": "http://entry:8081" } },
        "policy": {
            "targetUtilization": 0.9,
            "reserve": { "replicas": 1 },
            "scaleIn": { "windowSecs": 20, "afterOutSecs": 0, "marginPercent": 2 },
            "drain": { "spreadSecs": 60 },
            "forecast": { "provisionSecs": 10 },
        },
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({ "apiVersion": "barrage.dev/v1alpha1", "kind": "FleetAutoscaler",
        "metadata": { "name": name, "generation": 1 }, "spec": spec })
}
