//! `barrage up --cluster`: a fleet of processes on this machine, for development and tests.

mod fleet_context;
mod fleet_file;
mod keeper;
mod local_controller;
mod member;
mod servers;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use barrage_token::Role;
use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;

use self::fleet_context::FleetContext;
use self::fleet_file::FleetFile;
use self::keeper::{Keeper, Running};
use self::local_controller::LocalController;
use self::member::Member;
use self::servers::Servers;
use crate::cli::UpArguments;
use crate::config::{self, Config};
use crate::data_dir::{self, MakeKey};
use crate::key_watch::KeyWatch;
use crate::ready::{ReadyFd, ReadyLine, ReadyMember};
use crate::supervise;

/// Number of gateways when `--gateways` is absent.
const GATEWAYS: u16 = 3;
/// Number of uplinks when `--uplinks` is absent.
const UPLINKS: u16 = 2;
/// Longest wait until entry has reports of a gateway and an uplink.
const READY_MAX: Duration = Duration::from_secs(20);

/// Starts the fleet and keeps it running until a signal.
pub(crate) fn main(config: &Config, arguments: &UpArguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the async runtime cannot be built")?;
    runtime.block_on(run(config, arguments))
}

async fn run(config: &Config, arguments: &UpArguments) -> anyhow::Result<()> {
    let mut config = config.clone();
    if arguments.replay.demo {
        // One uplink plays the demo, and viewers may post to any uplink.
        config.uplink.gift_role_min.get_or_insert(Role::Viewer);
    }
    let config = &config;
    let _lock = data_dir::open(&config.data_dir)?;
    let keyring = Arc::new(data_dir::keyring(&config.data_dir, &config.token, MakeKey::IfAbsent)?);
    let keeper = Arc::new(Keeper::new(&config.data_dir.join("log"))?);
    let servers = Servers::start(config, &keeper).await?;
    let context = Arc::new(FleetContext::new(config, &servers)?);
    let mut members = Members::start(&context, &keeper, arguments).await?;
    wait_ready(members.entry.admin).await?;
    members.probe = match keeper.start(context.probe(members.entry.public[0])).await {
        Ok(probe) => Some(probe),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the fleet runs without its probe");
            None
        }
    };
    let (admin, listen) = (members.uplinks[0].admin, &members.entry.public);
    let file = FleetFile { config, servers: &servers, admin, listen };
    let file = file.write().context("the configuration file of the fleet cannot be written")?;
    let end = CancellationToken::new();
    let key_watch = tokio::spawn(KeyWatch::new(Arc::clone(&keyring), config).run(end.clone()));
    // Handlers first: a parent process may send a signal as soon as the fleet is announced.
    let stop_requested = supervise::requested(false);
    announce(config, &servers, &members, &file, arguments.listen.ready_fd())?;
    let controller = if arguments.autoscale {
        let (context, keeper, nats) = (Arc::clone(&context), Arc::clone(&keeper), servers.nats.as_deref());
        let controller = LocalController::new(config, nats, context, keeper, &members, keyring).await?;
        Some(tokio::spawn(controller.run(end.clone())))
    } else {
        None
    };
    stop_requested.await;
    end.cancel();
    key_watch.await.context("the watch over the token keys failed")?;
    if let Some(controller) = controller {
        controller.await.context("the autoscaler failed")?;
    }
    tracing::info!("the fleet stops");
    keeper.end().await;
    Ok(())
}

struct Members {
    entry: Running,
    gateways: Vec<Running>,
    uplinks: Vec<Running>,
    archiver: Running,
    /// Present with receivers of webhooks in the configuration.
    webhooks: Option<Running>,
    /// Present where letters are on.
    courier: Option<Running>,
    /// Present where letters are on and a push service is configured.
    push: Option<Running>,
    /// Absent when the probe could not be started, which hurts no viewer.
    probe: Option<Running>,
}

impl Members {
    /// Starts all members at the same time: they meet in the registry, so that the order is free.
    async fn start(context: &FleetContext, keeper: &Keeper, arguments: &UpArguments) -> anyhow::Result<Self> {
        let gateways = (1..=arguments.gateways.unwrap_or(GATEWAYS)).map(|n| context.gateway(n)).collect();
        let uplinks = 1..=arguments.uplinks.unwrap_or(UPLINKS);
        let uplinks = uplinks.map(|n| context.uplink(n, &arguments.replay)).collect();
        let (entry, gateways, uplinks, archiver, webhooks, courier, push) = tokio::try_join!(
            keeper.start(context.entry()),
            start_all(keeper, gateways),
            start_all(keeper, uplinks),
            keeper.start(context.archiver()),
            start_some(keeper, context.webhooks()),
            start_some(keeper, context.courier()),
            start_some(keeper, context.push()),
        )?;
        Ok(Members { entry, gateways, uplinks, archiver, webhooks, courier, push, probe: None })
    }

    /// Returns all members: entry, gateways, uplinks, the archiver, webhooks, the courier, push, and the probe last.
    fn all(&self) -> impl Iterator<Item = &Running> {
        let first = std::iter::once(&self.entry);
        first
            .chain(&self.gateways)
            .chain(&self.uplinks)
            .chain(std::iter::once(&self.archiver))
            .chain(&self.webhooks)
            .chain(&self.courier)
            .chain(&self.push)
            .chain(&self.probe)
    }
}

/// Starts a member that not every fleet has.
async fn start_some(
    keeper: &Keeper,
    member: anyhow::Result<Option<Member>>,
) -> anyhow::Result<Option<Running>> {
    match member? {
        Some(member) => keeper.start(Ok(member)).await.map(Some),
        None => Ok(None),
    }
}

async fn start_all(keeper: &Keeper, members: Vec<anyhow::Result<Member>>) -> anyhow::Result<Vec<Running>> {
    try_join_all(members.into_iter().map(|member| keeper.start(member))).await
}

/// Waits until `/readyz` of entry answers 200.
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
        bail!("the fleet was not ready within {} s: see the logs of its processes", READY_MAX.as_secs());
    }
    Ok(())
}

/// Prints the addresses of the members, and writes the ready line where `--ready-fd` asks for it.
fn announce(
    config: &Config,
    servers: &Servers,
    members: &Members,
    file: &Path,
    ready: Option<ReadyFd>,
) -> anyhow::Result<()> {
    let admin = members.uplinks[0].admin;
    let mut lines = vec!["Barrage is up, as a fleet.".to_owned()];
    let hosts = members.entry.public.iter().flat_map(|address| config::reachable(*address));
    let scheme = if config.http.tls_cert_file.is_some() { "https" } else { "http" };
    lines.extend(hosts.map(|host| format!("  page      {scheme}://{host}/")));
    lines.push(format!("  admin     http://{admin}/  (uplink-1: rooms, switches, audit log)"));
    for member in members.all() {
        let public: Vec<_> = member.public.iter().map(|address| format!("{scheme}://{address}/")).collect();
        let admin = format!("http://{}/", member.admin);
        lines.push(format!("  {:<9} {:<26} admin {admin}", member.name, public.join(" ")));
    }
    for (name, url) in [("nats", servers.nats.as_ref()), ("redis", servers.redis.as_ref())] {
        lines.push(format!("  {name:<9} {}", url.map_or("as configured", String::as_str)));
    }
    let data = config.data_dir.display();
    lines.push(format!("  data      {data}  (logs in {data}/log)"));
    lines.push(format!("  doctor    barrage --config {} doctor", file.display()));
    lines.push("  stop      Ctrl-C".into());
    let console = ReadyFd::console(ready);
    lines.iter().try_for_each(|line| console.print_line(line))?;
    let Some(fd) = ready else { return Ok(()) };
    let members = members.all().map(|member| ReadyMember {
        name: member.name.clone(),
        public: member.public.clone(),
        admin: member.admin,
    });
    let members: Vec<_> = members.collect();
    fd.write(&ReadyLine { public: members[0].public.clone(), admin, members })
}
