//! The life of a fleet on a real API server, with the role of the guide and no further permission.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_testkit::kubernetes::SCALER_TOKEN;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::fake::NAMESPACE;
use super::real::Cluster;
use super::world::{Reach, Replica, fleet, replica_of};

/// Interval of a fast policy.
const TICK: Duration = Duration::from_millis(200);

struct Stage {
    cluster: Cluster,
    reach: Reach,
}

impl Stage {
    async fn new() -> Option<Stage> {
        let stage = Stage { cluster: Cluster::start().await?, reach: Reach::default() };
        let cluster = &stage.cluster;
        cluster
            .create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }))
            .await
            .unwrap();
        let crd = include_str!("../../../../helm/barrage/crds/fleetautoscaler.yaml");
        cluster.create(serde_saphyr::from_str(crd).unwrap()).await.unwrap();
        cluster.create(role()).await.unwrap();
        let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "scaler" },
            "subjects": [{ "kind": "User", "name": "scaler", "apiGroup": "rbac.authorization.k8s.io" }],
            "roleRef": { "kind": "Role", "name": "barrage-autoscaler", "apiGroup": "rbac.authorization.k8s.io" } });
        cluster.create(binding).await.unwrap();
        cluster.create(deployment()).await.unwrap();
        Some(stage)
    }

    fn replica(&self, identity: &str) -> Replica {
        replica_of(self.cluster.client(SCALER_TOKEN), &self.reach, TICK, identity)
    }

    /// Advances everything by one step.
    async fn step(&self, replica: &mut Replica) {
        let began = barrage_clock::now();
        // An election that cannot renew the lease is part of this test.
        drop(replica.election.tick().await);
        replica.controller.pass(barrage_clock::since_unix_epoch()).await;
        let pods = self.cluster.play_nodes().await;
        if !pods.is_empty() {
            self.reach.0.lock().step(&pods, began.elapsed().max(TICK).as_secs_f64());
        }
        tokio::time::sleep(TICK.saturating_sub(began.elapsed())).await;
    }

    /// Steps until a condition holds, at most for a time.
    async fn until(&self, replica: &mut Replica, secs: u64, what: &str, holds: impl AsyncFn() -> bool) {
        let began = barrage_clock::now();
        while !holds().await {
            assert!(
                began.elapsed() < Duration::from_secs(secs),
                "not within {secs} s: {what}; {}",
                self.status().await
            );
            self.step(replica).await;
        }
    }

    async fn get(&self, api_version: &str, kind: &str, name: &str) -> Value {
        let object = self.cluster.objects(api_version, kind).get(name).await;
        object.map_or(Value::Null, |object| serde_json::to_value(object).unwrap())
    }

    async fn replicas(&self) -> u64 {
        self.get("apps/v1", "Deployment", "gateway").await["spec"]["replicas"].as_u64().unwrap_or(0)
    }

    async fn status(&self) -> Value {
        self.get("barrage.dev/v1alpha1", "FleetAutoscaler", "show").await["status"].clone()
    }

    async fn condition(&self, kind: &str) -> String {
        let status = self.status().await;
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let condition = conditions.into_iter().find(|one| one["type"] == kind).unwrap_or_default();
        format!(
            "{}/{}",
            condition["status"].as_str().unwrap_or(""),
            condition["reason"].as_str().unwrap_or("")
        )
    }

    async fn pods(&self) -> BTreeSet<String> {
        let pods = self.cluster.objects("v1", "Pod").list(&ListParams::default()).await.unwrap();
        pods.items.into_iter().filter_map(|pod| pod.metadata.name).collect()
    }

    async fn events(&self) -> Vec<String> {
        let events =
            self.cluster.objects("events.k8s.io/v1", "Event").list(&ListParams::default()).await.unwrap();
        events
            .items
            .into_iter()
            .filter_map(|event| event.data["reason"].as_str().map(ToOwned::to_owned))
            .collect()
    }

    async fn edit(&self, spec: Value) {
        let api = self.cluster.objects("barrage.dev/v1alpha1", "FleetAutoscaler");
        let patch = Patch::Merge(json!({ "spec": spec }));
        api.patch("show", &PatchParams::default(), &patch).await.unwrap();
    }

    fn set_viewers(&self, viewers: f64) {
        self.reach.0.lock().gateways.values_mut().for_each(|one| one.viewers = viewers);
    }
}

fn deployment() -> Value {
    let container = json!({ "name": "gateway", "image": "none" });
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "gateway" },
        "spec": { "replicas": 4, "selector": { "matchLabels": { "app": "gateway" } },
            "template": { "metadata": { "labels": { "app": "gateway" } },
                "spec": { "containers": [container] } } } })
}

/// The role in the guide.
fn role() -> Value {
    let manual = include_str!("../../../../docs/guide/autoscale.md");
    let text = manual.split("```").find(|block| block.contains("kind: Role")).unwrap();
    serde_saphyr::from_str(text.strip_prefix("yaml").unwrap()).unwrap()
}

fn fast() -> Value {
    fleet(
        "show",
        &json!({ "policy": {
        "targetUtilization": 0.9,
        "reserve": { "replicas": 1 },
        "scaleIn": { "windowSecs": 2, "periodSecs": 1, "afterOutSecs": 0, "percentMax": 60, "marginPercent": 2 },
        "forecast": { "fastSecs": 1, "slowSecs": 2, "provisionSecs": 5 },
        "panic": { "holdSecs": 1 },
        "drain": { "spreadSecs": 1, "deadlineSecs": 4, "acceptShare": 1 },
    }, "capacity": { "connections": 1000.0, "joinsPerS": 5000.0 } }),
    )
}

#[tokio::test]
async fn a_fleets_life_on_a_real_api_server() {
    let Some(mut stage) = Stage::new().await else { return };
    let mut wrong = fast();
    wrong["spec"]["policy"]["panic"]["enter"] = 0.5.into();
    let made = barrage_clock::now();
    loop {
        // The server serves the new resource after a moment.
        match stage.cluster.create(wrong.clone()).await {
            Err(kube::Error::Api(status)) if status.code == 422 => break,
            other => assert!(made.elapsed() < Duration::from_secs(20), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut idle = fast();
    idle["spec"]["minReplicas"] = 4.into();
    stage.cluster.create(idle).await.unwrap();
    let mut replica = stage.replica("a");
    stage
        .until(&mut replica, 30, "four gateways report", async || stage.status().await["serving"] == 4)
        .await;
    // Another client changes the Deployment twice before the write, so the write is refused and
    // decided again.
    let deployments = stage.cluster.objects("apps/v1", "Deployment");
    stage.reach.0.lock().other_client = Some((deployments.clone(), 2));
    stage.set_viewers(900.0);
    let grown = barrage_clock::now();
    stage.until(&mut replica, 5, "scale-out", async || stage.replicas().await >= 5).await;
    println!("scaled out {} ms after the report", grown.elapsed().as_millis());
    let metrics = prometheus::TextEncoder::new().encode_to_string(&replica.registry.gather()).unwrap();
    assert!(metrics.contains("errors_total{fleet=\"show\",reason=\"conflict\"} 2\n"), "{metrics}");
    stage
        .until(&mut replica, 20, "they serve", async || stage.status().await["serving"].as_u64() >= Some(5))
        .await;
    assert!(stage.events().await.contains(&"ScaledUp".to_owned()));

    // The server stops and starts again.
    stage.cluster.stop_server();
    for _ in 0..5 {
        stage.step(&mut replica).await;
    }
    stage.cluster.start_server().await;
    stage.until(&mut replica, 20, "back", async || stage.condition("Ready").await == "True/Deciding").await;

    // The smallest gateways drain and are deleted.
    let smallest: BTreeSet<String> = {
        let mut crowd = stage.reach.0.lock();
        for (n, gateway) in crowd.gateways.values_mut().enumerate() {
            let few = n == 1 || n == 3;
            gateway.viewers = n as f64 + if few { 30.0 } else { 300.0 };
        }
        let few = crowd.gateways.iter().filter(|(_, gateway)| gateway.viewers < 100.0);
        few.map(|(ip, _)| crowd.names[ip].clone()).collect()
    };
    // No gateway drains while a pod is not ready.
    let before = stage.pods().await;
    let sick = before.first().unwrap().clone();
    stage.cluster.set_ready(&sick, false).await;
    stage.edit(json!({ "minReplicas": 2 })).await;
    for _ in 0..40 {
        stage.step(&mut replica).await;
    }
    assert_eq!(stage.pods().await, before);
    assert!(stage.status().await["recommendation"]["constraintsApplied"].to_string().contains("not_ready"));
    stage.cluster.set_ready(&sick, true).await;
    stage.until(&mut replica, 60, "scale-in", async || stage.pods().await.len() + 2 <= before.len()).await;
    let gone: BTreeSet<String> = before.difference(&stage.pods().await).cloned().collect();
    let drained: BTreeSet<String> = stage.reach.0.lock().drained.iter().cloned().collect();
    assert!(smallest.is_subset(&gone) && gone.is_subset(&drained), "{gone:?} of {drained:?}");
    assert!(!stage.events().await.contains(&"WrongVictim".to_owned()));

    // A second autoscaler stops the controller, and a mode is followed.
    let hpa = json!({ "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "old" }, "spec": { "maxReplicas": 9, "minReplicas": 1,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "gateway" } } });
    stage.cluster.create(hpa).await.unwrap();
    stage
        .until(&mut replica, 10, "conflict", async || stage.condition("Ready").await == "False/Conflict")
        .await;
    let hpas = stage.cluster.objects("autoscaling/v1", "HorizontalPodAutoscaler");
    hpas.delete("old", &DeleteParams::default()).await.unwrap();
    stage.edit(json!({ "mode": "Paused" })).await;
    stage
        .until(&mut replica, 10, "paused", async || stage.condition("ScalingLimited").await == "True/Paused")
        .await;

    // The target is deleted and created again.
    deployments.delete("gateway", &DeleteParams::default()).await.unwrap();
    stage
        .until(&mut replica, 10, "told", async || stage.condition("Ready").await == "False/TargetMissing")
        .await;
    stage.cluster.create(deployment()).await.unwrap();
    stage.until(&mut replica, 30, "seen", async || stage.condition("Ready").await == "True/Deciding").await;

    // A standby takes over.
    stage.edit(json!({ "mode": "Active", "policy": { "drain": { "spreadSecs": 200 } } })).await;
    let mut standby = stage.replica("b");
    drop(standby.election.tick().await);
    replica.election.resign().await;
    stage
        .until(&mut standby, 20, "takes over", async || stage.condition("Ready").await == "False/InvalidSpec")
        .await;
    assert!(standby.fence.is_leader() && !replica.fence.is_leader());
    let pods: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(stage.cluster.client(SCALER_TOKEN), NAMESPACE);
    assert!(pods.list(&ListParams::default()).await.is_err(), "its role reads no Secrets");
}
