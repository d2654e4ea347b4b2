//! A Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::process::free_address;
use crate::wait;

/// Bearer token with all permissions, as a member of the group `system:masters`.
pub const ADMIN_TOKEN: &str = "admin-token";

/// Longest wait for the API server; it makes its certificates first.
const START_MAX: Duration = Duration::from_secs(60);

/// A control plane on loopback, without nodes. All processes are killed on drop.
#[derive(Debug)]
pub struct ControlPlane {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    etcd_port: u16,
    api_server: Option<Killed>,
    others: Vec<Killed>,
}

/// A child process that ends with its value.
#[derive(Debug)]
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl ControlPlane {
    /// Starts the programs of the folder that `KUBE_BIN` names and waits until `is_ready` is true
    /// for the API server's URL. `users` are lines `token,user,uid,groups` beside the one of
    /// [`ADMIN_TOKEN`]. Returns `None`, and reports the skipped test on standard error, without `KUBE_BIN`.
    pub async fn start(users: &str, is_ready: impl AsyncFnMut(&str) -> bool) -> Option<ControlPlane> {
        let Some(programs) = std::env::var_os("KUBE_BIN").map(PathBuf::from) else {
            drop(writeln!(std::io::stderr(), "SKIPPED: KUBE_BIN does not name a folder with kube-apiserver"));
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let tokens = format!("{ADMIN_TOKEN},admin,admin,system:masters\n{users}");
        std::fs::write(folder.path().join("tokens.csv"), tokens).unwrap();
        let (port, etcd_port) = (free_address().port(), free_address().port());
        let mut plane =
            ControlPlane { programs, folder, port, etcd_port, api_server: None, others: Vec::new() };
        plane.start_etcd();
        plane.start_api_server(is_ready).await;
        plane.start_controller_manager();
        Some(plane)
    }

    /// URL of the API server; its certificate is self-signed.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Path of a file in the folder of the control plane.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Kills the API server; etcd and the controller manager run on.
    pub fn stop_api_server(&mut self) {
        self.api_server = None;
    }

    /// Starts the API server and waits until `is_ready` is true for its URL.
    pub async fn start_api_server(&mut self, mut is_ready: impl AsyncFnMut(&str) -> bool) {
        // The server makes this pair itself; the key signs service accounts as well.
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
        self.api_server = Some(server);
        let (url, log) = (self.url(), self.path("kube-apiserver.log"));
        let expected = format!("an API server that is ready; its log: {log}");
        wait::until_true(START_MAX, &expected, async || is_ready(&url).await).await;
    }

    fn start_etcd(&mut self) {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://{}", free_address());
        let data = self.path("etcd");
        let etcd = self.spawn(
            "etcd",
            &[
                "--name=n",
                &format!("--data-dir={data}"),
                &format!("--listen-client-urls={client}"),
                &format!("--advertise-client-urls={client}"),
                &format!("--listen-peer-urls={peer}"),
                &format!("--initial-advertise-peer-urls={peer}"),
                &format!("--initial-cluster=n={peer}"),
            ],
        );
        self.others.push(etcd);
    }

    fn start_controller_manager(&mut self) {
        let kubeconfig = format!("--kubeconfig={}", self.kubeconfig());
        let secure = format!("--secure-port={}", free_address().port());
        let mut arguments = vec![
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            "--controllers=deployment,replicaset,garbagecollector,namespace",
            &secure,
            &kubeconfig,
        ];
        if self.help("kube-controller-manager").contains("--port int") {
            // Old versions open a plain port as well.
            arguments.push("--port=0");
        }
        let manager = self.spawn("kube-controller-manager", &arguments);
        self.others.push(manager);
    }

    fn spawn(&self, name: &str, arguments: &[&str]) -> Killed {
        let log = std::fs::File::create(self.path(&format!("{name}.log"))).unwrap();
        let mut command = Command::new(self.programs.join(name));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Killed(command.spawn().unwrap())
    }

    fn help(&self, name: &str) -> String {
        let output = Command::new(self.programs.join(name)).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn kubeconfig(&self) -> String {
        let path = self.path("kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": {
                "server": self.url(), "insecure-skip-tls-verify": true } }],
            "users": [{ "name": "u", "user": { "token": ADMIN_TOKEN } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
        });
        std::fs::write(&path, text.to_string()).unwrap();
        path
    }
}
