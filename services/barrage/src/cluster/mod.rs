//! `barrage up --cluster`: a fleet of real processes on this machine, for development
//! and tests.

mod file;
mod keeper;
mod member;
mod servers;
mod twin;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use barrage_token::Role;
use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use self::file::FleetFile;
use self::keeper::{Keeper, Running};
use self::member::{Member, Site};
use self::servers::Servers;
use self::twin::Twin;
use crate::cli::{self, Up};
use crate::config::{self, Config};
use crate::data_dir::{self, MakeKey};
use crate::keys::KeyWatch;
use crate::stop;

const GATEWAYS: u16 = 3;
const UPLINKS: u16 = 2;
/// Longest wait until entry knows a gateway and an uplink.
const READY_MAX: Duration = Duration::from_secs(20);

/// Starts the fleet and keeps it running until a signal.
pub(crate) fn main(config: &Config, asked: &Up) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(run(config, asked))
}

async fn run(config: &Config, asked: &Up) -> anyhow::Result<()> {
    let mut config = config.clone();
    if asked.replay.demo {
        // One uplink plays it, and viewers may post to any of them.
        config.uplink.gift_role_min.get_or_insert(Role::Viewer);
    }
    let config = &config;
    let _lock = data_dir::open(&config.data_dir)?;
    let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, MakeKey::IfAbsent)?);
    let keeper = Arc::new(Keeper::new(&config.data_dir.join("log"))?);
    let servers = Servers::start(config, &keeper).await?;
    let site = Arc::new(Site::new(config, &servers)?);
    let gateways = (1..=asked.gateways.unwrap_or(GATEWAYS)).map(|n| site.gateway(n)).collect();
    let uplinks = (1..=asked.uplinks.unwrap_or(UPLINKS)).map(|n| site.uplink(n, &asked.replay)).collect();
    // They meet in the registry: the order is free.
    let (entry, gateways, uplinks, archiver) = tokio::try_join!(
        keeper.start(site.entry()),
        start_all(&keeper, gateways),
        start_all(&keeper, uplinks),
        keeper.start(site.archiver()),
    )?;
    wait_ready(entry.admin).await?;
    let members = [std::slice::from_ref(&entry), &gateways, &uplinks, &[archiver]].concat();
    let file = FleetFile { config, servers: &servers, admin: uplinks[0].admin, listen: &entry.public };
    let file = file.write().context("the fleet's configuration file cannot be written")?;
    let asked_to_end = stop::asked(false);
    announce(config, &servers, uplinks[0].admin, &members, &file)?;
    let end = CancellationToken::new();
    let watch = tokio::spawn(KeyWatch::new(Arc::clone(&keyring), config).run(end.clone()));
    let twin = if asked.autoscale {
        let (site, keeper) = (Arc::clone(&site), Arc::clone(&keeper));
        let nats = servers.nats.as_deref();
        let twin = Twin::new(config, nats, site, keeper, &entry, &gateways, keyring).await?;
        Some(tokio::spawn(twin.run(end.clone())))
    } else {
        None
    };
    asked_to_end.await;
    end.cancel();
    watch.await.context("the watch of the keys failed")?;
    if let Some(twin) = twin {
        twin.await.context("the autoscaler failed")?;
    }
    tracing::info!("the fleet ends");
    keeper.end().await;
    Ok(())
}

async fn start_all(keeper: &Keeper, members: Vec<anyhow::Result<Member>>) -> anyhow::Result<Vec<Running>> {
    try_join_all(members.into_iter().map(|member| keeper.start(member))).await
}

async fn wait_ready(admin: SocketAddr) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
    let ready = async {
        loop {
            let answer = http.get(format!("http://{admin}/readyz")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(READY_MAX, ready).await.is_err() {
        bail!("the fleet did not become ready within {} s: see its log", READY_MAX.as_secs());
    }
    Ok(())
}

/// The members, entry first.
fn announce(
    config: &Config,
    servers: &Servers,
    admin: SocketAddr,
    members: &[Running],
    file: &Path,
) -> anyhow::Result<()> {
    cli::say("Barrage is up, as a fleet.")?;
    for address in members.iter().take(1).flat_map(|entry| &entry.public) {
        for host in config::reachable(*address) {
            cli::say(format!("  page      http://{host}/"))?;
        }
    }
    cli::say(format!("  admin     http://{admin}/  (uplink-1: rooms, switches, audit log)"))?;
    for member in members {
        let public: Vec<_> = member.public.iter().map(|address| format!("http://{address}/")).collect();
        let admin = format!("http://{}/", member.admin);
        cli::say(format!("  {:<9} {:<26} admin {admin}", member.name, public.join(" ")))?;
    }
    for (name, url) in [("nats", servers.nats.as_ref()), ("redis", servers.redis.as_ref())] {
        cli::say(format!("  {name:<9} {}", url.map_or("as configured", String::as_str)))?;
    }
    let data = config.data_dir.display();
    cli::say(format!("  data      {data}  (logs in {data}/log)"))?;
    cli::say(format!("  doctor    barrage --config {} doctor", file.display()))?;
    cli::say("  stop      Ctrl-C")
}
