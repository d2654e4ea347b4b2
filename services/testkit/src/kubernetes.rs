//! A real control plane of Kubernetes: etcd, kube-apiserver and kube-controller-manager from the folder
//! that `KUBE_BIN` names. It has no nodes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::process::{Process, Recipe, free_address};
use crate::{ClientTls, wait};

/// Longest wait for the API server: it has migrations to run, on a machine that may be busy.
const START_MAX: Duration = Duration::from_secs(120);
/// Users of the API server, with their tokens.
const TOKENS: &str = "admin-token,admin,admin,system:masters\nscaler-token,scaler,scaler,\n";
/// Token of a user with all permissions.
pub const ADMIN_TOKEN: &str = "admin-token";
/// Token of the user `scaler`, who has the permissions that a test gives.
pub const SCALER_TOKEN: &str = "scaler-token";

/// A control plane on free ports of loopback. Killed on drop.
#[derive(Debug)]
pub struct KubernetesServers {
    server: Process,
    _others: [Process; 2],
    _folder: TempDir,
}

impl KubernetesServers {
    /// Starts the servers and waits until they answer. Returns `None`, and prints the reason, when they
    /// are not installed. `controllers` has the controllers that run, separated by commas.
    #[allow(clippy::print_stdout, reason = "a skipped test prints the reason")]
    pub async fn start(controllers: &str) -> Option<Self> {
        let Some(bin) = std::env::var_os("KUBE_BIN").map(PathBuf::from) else {
            println!("skipped: KUBE_BIN does not name a folder with kube-apiserver");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokens.csv"), TOKENS).unwrap();
        let etcd = etcd(&bin, folder.path());
        let etcd_address = etcd.address;
        let mut etcd = Process::spawn(etcd, None);
        etcd.ready().await;
        let server = Process::spawn(api_server(&bin, folder.path(), etcd_address), None);
        answers(folder.path(), server.recipe.address).await;
        let manager = controller_manager(&bin, folder.path(), server.recipe.address, controllers);
        let manager = Process::spawn(manager, None);
        Some(KubernetesServers { server, _others: [manager, etcd], _folder: folder })
    }

    /// Returns the URL of the API server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.server.recipe.address)
    }

    /// Returns the PEM file with the authority of the API server's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        authority(&self.server.recipe.folder)
    }

    /// Kills the API server at once. Its objects stay in etcd.
    pub fn kill_server(&mut self) {
        self.server.kill();
    }

    /// Starts the API server again, and waits until it answers.
    pub async fn restart_server(&mut self) {
        self.server.restart().await;
        answers(&self.server.recipe.folder, self.server.recipe.address).await;
    }
}

/// The API server makes this certificate by itself, with that of its authority behind it.
fn authority(folder: &Path) -> PathBuf {
    folder.join("pki/apiserver.crt")
}

async fn answers(folder: &Path, address: SocketAddr) {
    let url = format!("https://{address}/readyz");
    wait::until_true(START_MAX, "an API server of Kubernetes that is ready", async || {
        let Ok(tls) = ClientTls::load(Some(&authority(folder))) else { return false };
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls.rustls()).build().unwrap();
        let answer = http.get(&url).bearer_auth(ADMIN_TOKEN).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
}

fn recipe(bin: &Path, folder: &Path, name: &str, address: SocketAddr, words: Vec<String>) -> Recipe {
    let mut command = vec![bin.join(name).display().to_string()];
    command.extend(words);
    Recipe { name: name.into(), command, environment: Vec::new(), folder: folder.to_owned(), address }
}

fn etcd(bin: &Path, folder: &Path) -> Recipe {
    let address = free_address();
    let (client, peer) = (format!("http://{address}"), format!("http://{}", free_address()));
    let words = vec![
        "--name=n".into(),
        "--data-dir=etcd".into(),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=n={peer}"),
    ];
    recipe(bin, folder, "etcd", address, words)
}

fn api_server(bin: &Path, folder: &Path, etcd: SocketAddr) -> Recipe {
    let address = free_address();
    // The server makes this key by itself; it signs service accounts, too.
    let key = folder.join("pki/apiserver.key").display().to_string();
    let words = vec![
        format!("--etcd-servers=http://{etcd}"),
        "--bind-address=127.0.0.1".into(),
        format!("--secure-port={}", address.port()),
        "--cert-dir=pki".into(),
        "--advertise-address=127.0.0.1".into(),
        "--endpoint-reconciler-type=none".into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--authorization-mode=RBAC".into(),
        "--token-auth-file=tokens.csv".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-signing-key-file={key}"),
        format!("--service-account-key-file={key}"),
        "--disable-admission-plugins=ServiceAccount".into(),
    ];
    recipe(bin, folder, "kube-apiserver", address, words)
}

fn controller_manager(bin: &Path, folder: &Path, server: SocketAddr, controllers: &str) -> Recipe {
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{ "name": "c", "cluster": {
            "server": format!("https://{server}"), "certificate-authority": authority(folder) } }],
        "users": [{ "name": "u", "user": { "token": ADMIN_TOKEN } }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }],
    });
    std::fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let address = free_address();
    let mut words = vec![
        "--leader-elect=false".into(),
        "--bind-address=127.0.0.1".into(),
        format!("--controllers={controllers}"),
        format!("--secure-port={}", address.port()),
        "--kubeconfig=kubeconfig".into(),
    ];
    let help = Command::new(bin.join("kube-controller-manager")).arg("--help").output().unwrap();
    if String::from_utf8_lossy(&help.stdout).contains("--port int") {
        // An old controller manager also opens a plain port.
        words.push("--port=0".into());
    }
    recipe(bin, folder, "kube-controller-manager", address, words)
}
