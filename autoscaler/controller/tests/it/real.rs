//! Real servers: etcd, kube-apiserver and kube-controller-manager from the folder that `KUBE_BIN`
//! names. Only the nodes are simulated.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::fake::NAMESPACE;

const TOKENS: &str = "admin-token,admin,admin,system:masters\nscaler-token,scaler,scaler,\n";

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A control plane on loopback.
pub struct Cluster {
    bin: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    etcd_port: u16,
    server: Option<Process>,
    others: Vec<Process>,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Cluster {
    /// Starts the servers. Returns `None`, and prints the reason, when they are not installed.
    pub async fn start() -> Option<Cluster> {
        let Some(bin) = std::env::var_os("KUBE_BIN").map(PathBuf::from) else {
            println!("skipped: KUBE_BIN does not name a folder with kube-apiserver");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokens.csv"), TOKENS).unwrap();
        let (port, etcd_port) = (free_port(), free_port());
        let mut cluster = Cluster { bin, folder, port, etcd_port, server: None, others: Vec::new() };
        let etcd = format!("http://127.0.0.1:{etcd_port}");
        let peer = format!("http://127.0.0.1:{}", free_port());
        let data = cluster.path("etcd");
        let etcd = cluster.spawn(
            "etcd",
            &[
                "--name=n",
                &format!("--data-dir={data}"),
                &format!("--listen-client-urls={etcd}"),
                &format!("--advertise-client-urls={etcd}"),
                &format!("--listen-peer-urls={peer}"),
                &format!("--initial-advertise-peer-urls={peer}"),
                &format!("--initial-cluster=n={peer}"),
            ],
        );
        cluster.others.push(etcd);
        cluster.start_server().await;
        let kubeconfig = format!("--kubeconfig={}", cluster.kubeconfig());
        let secure = format!("--secure-port={}", free_port());
        let mut args = vec![
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--controllers=deployment,replicaset,garbagecollector,namespace",
            &secure,
            &kubeconfig,
        ];
        if cluster.help("kube-controller-manager").contains("--port int") {
            // An old controller manager also opens a plain port.
            args.push("--port=0");
        }
        let manager = cluster.spawn("kube-controller-manager", &args);
        cluster.others.push(manager);
        Some(cluster)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn spawn(&self, name: &str, args: &[&str]) -> Process {
        let log = std::fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        let mut command = Command::new(self.bin.join(name));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process(command.spawn().unwrap())
    }

    fn help(&self, name: &str) -> String {
        let output = Command::new(self.bin.join(name)).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn kubeconfig(&self) -> String {
        let path = self.path("kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": {
                "server": format!("https://127.0.0.1:{}", self.port), "insecure-skip-tls-verify": true } }],
            "users": [{ "name": "u", "user": { "token": "admin-token" } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        });
        std::fs::write(&path, text.to_string()).unwrap();
        path
    }

    pub fn stop_server(&mut self) {
        self.server = None;
    }

    pub async fn start_server(&mut self) {
        // The server creates this key pair by itself; the key signs service accounts, too.
        let key = self.path("pki/apiserver.key");
        let server = self.spawn(
            "kube-apiserver",
            &[
                &format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
                "--bind-address=127.0.0.1",
                &format!("--secure-port={}", self.port),
                &format!("--cert-dir={}", self.path("pki")),
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--authorization-mode=RBAC",
                &format!("--token-auth-file={}", self.path("tokens.csv")),
                "--service-account-issuer=https://kubernetes.default.svc",
                &format!("--service-account-signing-key-file={key}"),
                &format!("--service-account-key-file={key}"),
                "--disable-admission-plugins=ServiceAccount",
            ],
        );
        self.server = Some(server);
        let client = self.client("admin-token");
        let began = barrage_clock::now();
        while client.request_text(http::Request::get("/readyz").body(Vec::new()).unwrap()).await.is_err() {
            let log = std::fs::read_to_string(self.path("kube-apiserver.log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "no API server: {log}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A client with a token.
    pub fn client(&self, token: &str) -> Client {
        let mut config = Config::new(format!("https://127.0.0.1:{}", self.port).parse().unwrap());
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
        let client = self.client("admin-token");
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
        let pods: Api<Pod> = Api::namespaced(self.client("admin-token"), NAMESPACE);
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
        let pods: Api<Pod> = Api::namespaced(self.client("admin-token"), NAMESPACE);
        let condition = json!({ "type": "Ready", "status": if is_ready { "True" } else { "False" } });
        let status = json!({ "status": { "conditions": [condition] } });
        pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }

    /// Returns a separate address for each name.
    fn address(&self, name: &str) -> String {
        let path = Path::new(&self.path("addresses")).join(name);
        let folder = path.parent().unwrap();
        std::fs::create_dir_all(folder).unwrap();
        let many = std::fs::read_dir(folder).unwrap().count();
        std::fs::write(&path, "").unwrap();
        format!("10.1.{}.{}", many / 200, many % 200 + 1)
    }
}
