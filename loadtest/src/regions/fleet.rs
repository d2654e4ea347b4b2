//! The servers of a measurement: NATS, two processes of all roles, and further gateways, each behind its
//! proxy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use barrage_tls::ClientTls;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::delay_proxy::DelayProxy;
use super::map::RegionMap;
use crate::error::LoadtestError;
use crate::net::http::{Call, Pool, Target};

/// Longest start of one process.
const START_MAX: Duration = Duration::from_secs(60);
/// Longest wait for gateways that have lost their viewers.
const EMPTY_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Time after which entry's estimates of empty gateways are low: reports come every second, and each
/// counts for a fifth.
const FORGET: Duration = Duration::from_secs(6);

/// Programs and sizes of the fleet.
#[derive(Debug, Clone)]
pub(crate) struct FleetPlan {
    pub(crate) barrage: PathBuf,
    pub(crate) nats: PathBuf,
    pub(crate) gateways_per_region: u8,
    /// Viewers that one gateway admits.
    pub(crate) viewers_max: u32,
}

/// A gateway of the fleet, with the region that its process reports.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) name: String,
    pub(crate) region: u8,
    admin: SocketAddr,
    _proxy: DelayProxy,
    _process: Child,
}

/// The running fleet; its processes are killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) gateways: Vec<Gateway>,
    /// Entry that has the region file.
    pub(crate) placed: SocketAddr,
    /// Entry without a region file: it knows no region of a client.
    pub(crate) shuffled: SocketAddr,
    _nats: Child,
    _dir: TempDir,
}

#[derive(Debug, Deserialize)]
struct Ready {
    public: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Fleet {
    /// Starts all processes. The first one's entry has the region file; the second one's is used as
    /// the entry without it.
    pub(crate) async fn start(map: RegionMap, plan: &FleetPlan) -> Result<Fleet, LoadtestError> {
        let failed = |error: std::io::Error| LoadtestError::cannot_run("the fleet cannot start", error);
        let dir = TempDir::new().map_err(failed)?;
        let (nats, url) = start_nats(&plan.nats, dir.path()).await?;
        let file = dir.path().join("regions.csv");
        std::fs::write(&file, map.region_file()).map_err(failed)?;
        let mut fleet: Vec<(Gateway, SocketAddr)> = Vec::new();
        for index in 0..map.regions * plan.gateways_per_region {
            let region = index % map.regions;
            let proxy = DelayProxy::start(map, region).await.map_err(failed)?;
            let name = format!("gateway-{}", index + 1);
            let data_dir = dir.path().join(&name);
            if index > 0 {
                // All entries and gateways share the key that the first process made.
                std::fs::create_dir(&data_dir).map_err(failed)?;
                let key = dir.path().join("gateway-1/token.key");
                std::fs::copy(key, data_dir.join("token.key")).map_err(failed)?;
            }
            let mut command = Command::new(&plan.barrage);
            // Two entries alone: each gives out its share of what a gateway admits.
            let role = if index < 2 { "up" } else { "gateway" };
            command.args([role, "--ready-fd", "1", "--listen", "127.0.0.1:0"]);
            command.args(["--admin-listen", "127.0.0.1:0", "--data-dir"]).arg(&data_dir);
            let mut set = |key: &str, value: String| {
                command.env(format!("BARRAGE_{key}"), value);
            };
            set("NATS__URLS", format!("[\"{url}\"]"));
            set("GATEWAY__BASE_URLS", format!("[\"http://{}\"]", proxy.address));
            set("GATEWAY__ID", name.clone());
            set("GATEWAY__REGION", RegionMap::name(region));
            set("GATEWAY__VIEWERS_MAX", plan.viewers_max.to_string());
            set("UPLINK__ID", format!("uplink-{}", index + 1));
            set("UPLINK__REGION", RegionMap::name(region));
            set("ENTRY__ID", format!("entry-{}", index + 1));
            set("ENTRY__ADDRESS_PER_S", "1000000".into());
            if index == 0 {
                set("ENTRY__REGION_FILE", file.display().to_string());
            }
            let (process, ready) = start(&mut command, &name).await?;
            let public = *ready.public.first().ok_or_else(|| {
                LoadtestError::cannot(format!("{name} has no public listener, so it cannot be measured"))
            })?;
            proxy.connect_to(public);
            let gateway = Gateway { name, region, admin: ready.admin, _proxy: proxy, _process: process };
            fleet.push((gateway, public));
        }
        let [placed, shuffled] = [0, 1].map(|index| fleet[index].1);
        let gateways = fleet.into_iter().map(|(gateway, _)| gateway).collect();
        let fleet = Fleet { gateways, placed, shuffled, _nats: nats, _dir: dir };
        fleet.is_ready().await?;
        Ok(fleet)
    }

    /// Waits until all processes answer that they are ready.
    async fn is_ready(&self) -> Result<(), LoadtestError> {
        for gateway in &self.gateways {
            let pool = pool(gateway.admin).await?;
            let ready = async {
                while !pool.call(&Call::get("/readyz")).await.is_ok_and(|(status, _)| status.is_success()) {
                    tokio::time::sleep(POLL).await;
                }
            };
            let waited = tokio::time::timeout(START_MAX, ready).await;
            waited.map_err(|_| LoadtestError::cannot(format!("{} does not become ready", gateway.name)))?;
        }
        // A young gateway gets fewer viewers, and all of these are equally young after a few reports.
        tokio::time::sleep(FORGET).await;
        Ok(())
    }

    /// Waits until no gateway has a viewer, and entry has forgotten the last ones.
    pub(crate) async fn is_empty(&self) -> Result<(), LoadtestError> {
        for gateway in &self.gateways {
            let pool = pool(gateway.admin).await?;
            let empty = async {
                while connections(&pool).await != Some(0.0) {
                    tokio::time::sleep(POLL).await;
                }
            };
            let waited = tokio::time::timeout(EMPTY_MAX, empty).await;
            waited.map_err(|_| LoadtestError::cannot(format!("{} keeps its viewers", gateway.name)))?;
        }
        tokio::time::sleep(FORGET).await;
        Ok(())
    }
}

async fn pool(admin: SocketAddr) -> Result<Pool, LoadtestError> {
    let resolved = Target::resolve(&format!("http://{admin}"), &ClientTls::system()).await;
    let (target, _) = resolved.map_err(LoadtestError::cannot)?;
    Ok(Pool::new(target, 1, 1, CALL_TIMEOUT))
}

/// Returns the open connections of viewers that a gateway's metrics show.
async fn connections(pool: &Pool) -> Option<f64> {
    let (_, text) = pool.call(&Call::get("/metrics")).await.ok()?;
    let text = std::str::from_utf8(&text).ok()?;
    let lines = text.lines().filter(|line| line.starts_with("barrage_gateway_connections"));
    lines.map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

async fn start(command: &mut Command, name: &str) -> Result<(Child, Ready), LoadtestError> {
    command.env("RUST_LOG", "error").stdout(Stdio::piped()).kill_on_drop(true);
    let failed = |error| LoadtestError::cannot_run(format!("{name} cannot start"), error);
    let mut child = command.spawn().map_err(failed)?;
    let stdout = child.stdout.take().ok_or_else(|| LoadtestError::cannot("a process has no output"))?;
    let (mut line, mut stdout) = (String::new(), BufReader::new(stdout));
    let read = tokio::time::timeout(START_MAX, stdout.read_line(&mut line)).await;
    read.map_err(|_| LoadtestError::cannot(format!("{name} does not listen in time")))?.map_err(failed)?;
    let ready = serde_json::from_str(&line)
        .map_err(|error| LoadtestError::cannot_run(format!("{name} ended before it listened"), error))?;
    Ok((child, ready))
}

async fn start_nats(program: &Path, dir: &Path) -> Result<(Child, String), LoadtestError> {
    let failed = |error: std::io::Error| LoadtestError::cannot_run("nats-server cannot start", error);
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.map_err(failed)?.port();
    let mut command = Command::new(program);
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(dir.join("nats"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().map_err(failed)?;
    let open = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(POLL).await;
        }
    };
    let waited = tokio::time::timeout(START_MAX, open).await;
    waited.map_err(|_| LoadtestError::cannot("nats-server accepts no connection"))?;
    Ok((child, format!("nats://127.0.0.1:{port}")))
}
