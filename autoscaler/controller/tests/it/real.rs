//! Objects on a real API server. The testkit starts the servers; the nodes alone are simulated.

use std::time::Duration;

use barrage_testkit::KubernetesServers;
use barrage_testkit::kubernetes::ADMIN_TOKEN;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::fake::NAMESPACE;

/// A control plane on loopback, and addresses for its pods.
pub struct Cluster {
    servers: KubernetesServers,
    addresses: tempfile::TempDir,
}

impl Cluster {
    /// Starts the servers. Returns `None`, and prints the reason, when they are not installed.
    pub async fn start() -> Option<Cluster> {
        let servers = KubernetesServers::start("deployment,replicaset,garbagecollector,namespace").await?;
        Some(Cluster { servers, addresses: tempfile::tempdir().unwrap() })
    }

    pub fn stop_server(&mut self) {
        self.servers.kill_server();
    }

    pub async fn start_server(&mut self) {
        self.servers.restart_server().await;
    }

    /// A client with a token.
    pub fn client(&self, token: &str) -> Client {
        let mut config = Config::new(self.servers.url().parse().unwrap());
        config.accept_invalid_certs = true;
        config.auth_info.token = Some(token.to_owned().into());
        config.read_timeout = Some(Duration::from_secs(5));
        config.reset_reader_on_write = true;
        config.default_retry = false;
        NAMESPACE.clone_into(&mut config.default_namespace);
        Client::try_from(config).unwrap()
    }

    /// Objects of any kind, in the namespace when the kind has one.
    pub fn objects(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let client = self.client(ADMIN_TOKEN);
        match kind {
            "Namespace" | "CustomResourceDefinition" => Api::all_with(client, &resource),
            _ => Api::namespaced_with(client, NAMESPACE, &resource),
        }
    }

    /// Creates an object. Returns the server's error when it is refused.
    pub async fn create(&self, object: Value) -> kube::Result<DynamicObject> {
        let text = |key: &str| object[key].as_str().unwrap().to_owned();
        let api = self.objects(&text("apiVersion"), &text("kind"));
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await
    }

    /// Does the work of nodes: new pods run, deleted pods end. Returns the remaining pods.
    pub async fn play_nodes(&self) -> Vec<Value> {
        let pods: Api<Pod> = Api::namespaced(self.client(ADMIN_TOKEN), NAMESPACE);
        let Ok(list) = pods.list(&ListParams::default()).await else { return Vec::new() };
        let mut values = Vec::new();
        for pod in list.items {
            let mut value = serde_json::to_value(&pod).unwrap();
            let name = pod.metadata.name.clone().unwrap();
            if pod.metadata.deletion_timestamp.is_some() {
                let now = DeleteParams::default().grace_period(0);
                drop(pods.delete(&name, &now).await);
                continue;
            }
            if value["status"]["podIP"].is_null() {
                let ip = self.address(&name);
                let condition = json!({ "type": "Ready", "status": "True" });
                let status = json!({ "status": { "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }],
                    "conditions": [condition] } });
                drop(pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await);
                value["status"] = status["status"].clone();
            }
            values.push(value);
        }
        values
    }

    /// Sets the condition `Ready` of a pod.
    pub async fn set_ready(&self, name: &str, is_ready: bool) {
        let pods: Api<Pod> = Api::namespaced(self.client(ADMIN_TOKEN), NAMESPACE);
        let condition = json!({ "type": "Ready", "status": if is_ready { "True" } else { "False" } });
        let status = json!({ "status": { "conditions": [condition] } });
        pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }

    /// Returns a separate address for each name.
    fn address(&self, name: &str) -> String {
        let (folder, path) = (self.addresses.path(), self.addresses.path().join(name));
        let many = std::fs::read_dir(folder).unwrap().count();
        std::fs::write(&path, "").unwrap();
        format!("10.1.{}.{}", many / 200, many % 200 + 1)
    }
}
