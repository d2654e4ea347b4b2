//! One process of the fleet: its command line and environment.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;

use super::servers::{Servers, free_port};
use crate::cli::ReplayArguments;
use crate::config::Config;
use crate::data_dir;

/// The store that the fleet's processes share. Not the one of `barrage up` in the same
/// directory: that one holds positions of another bus, which an archiver refuses.
pub(super) const STORE_FILE: &str = "fleet.sqlite";

/// A process that is to be started, again and again if need be.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Port 0 the first time; afterwards those that it got.
    pub(crate) public: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

impl Member {
    /// All arguments, those of its addresses last.
    pub(crate) fn command_line(&self) -> Vec<String> {
        let mut line = self.arguments.clone();
        for address in &self.public {
            line.extend(["--listen".into(), address.to_string()]);
        }
        line.extend(["--admin-listen".into(), self.admin.to_string()]);
        line
    }
}

/// What all members have in common.
#[derive(Debug)]
pub(crate) struct Site {
    program: PathBuf,
    data_dir: PathBuf,
    file: Option<PathBuf>,
    listen: Vec<SocketAddr>,
    admin_listen: SocketAddr,
    /// A free port of the host that the page is on.
    anywhere: SocketAddr,
    environment: Vec<(String, String)>,
    shares_key: bool,
}

impl Site {
    pub(crate) fn new(config: &Config, servers: &Servers) -> anyhow::Result<Self> {
        let mut listen = config.listen.clone();
        for address in listen.iter_mut().filter(|address| address.port() == 0) {
            // Chosen now: the others must know the page's origin.
            address.set_port(free_port()?);
        }
        let data_dir = config.data_dir.canonicalize().context("the data directory cannot be found")?;
        let mut environment = vec![];
        let mut set = |name: &str, value: String| environment.push((format!("BARRAGE_{name}"), value));
        if let Some(url) = &servers.nats {
            set("NATS__URLS", format!("[\"{url}\"]"));
        }
        if let Some(url) = &servers.redis {
            set("REDIS__URL", url.clone());
        }
        if config.postgres.is_none() && config.store.file.is_none() {
            set("STORE__FILE", data_dir.join(STORE_FILE).to_string_lossy().into_owned());
        }
        if let Some(role) = config.uplink.gift_role_min {
            set("UPLINK__GIFT_ROLE_MIN", serde_json::to_value(role)?.as_str().unwrap_or_default().to_owned());
        }
        // Entry and the autoscaler go by the same knee.
        if let (None, Some(path)) = (&config.entry.capacity_file, &config.autoscale.capacity_file) {
            set("ENTRY__CAPACITY_FILE", path.to_string_lossy().into_owned());
        }
        // The page of entry talks to the gateways and uplinks, which are other origins.
        let pages = listen.iter().flat_map(|address| {
            let named = address.ip().is_loopback().then(|| format!("http://localhost:{}", address.port()));
            std::iter::once(format!("http://{address}")).chain(named)
        });
        let origins: Vec<_> = config.http.allowed_origins.iter().cloned().chain(pages).collect();
        set("HTTP__ALLOWED_ORIGINS", serde_json::to_string(&origins)?);
        Ok(Site {
            program: std::env::current_exe().context("this program cannot be found again")?,
            data_dir,
            file: config.file.as_deref().map(std::path::absolute).transpose()?,
            anywhere: SocketAddr::new(listen[0].ip(), 0),
            listen,
            admin_listen: config.admin_listen,
            environment,
            shares_key: config.token.keys.is_empty(),
        })
    }

    pub(crate) fn gateway(&self, number: u16) -> anyhow::Result<Member> {
        let mut member = self.member("gateway", format!("gateway-{number}"))?;
        member.environment.push(("BARRAGE_GATEWAY__ID".into(), member.name.clone()));
        member.public = vec![self.anywhere];
        Ok(member)
    }

    /// The first one has the configured admin address and plays the recording.
    pub(crate) fn uplink(&self, number: u16, replay: &ReplayArguments) -> anyhow::Result<Member> {
        let mut member = self.member("uplink", format!("uplink-{number}"))?;
        member.environment.push(("BARRAGE_UPLINK__ID".into(), member.name.clone()));
        member.public = vec![self.anywhere];
        if number == 1 {
            member.admin = self.admin_listen;
            member.arguments.extend(replay.arguments()?);
        }
        Ok(member)
    }

    pub(crate) fn entry(&self) -> anyhow::Result<Member> {
        let mut member = self.member("entry", "entry".into())?;
        member.public.clone_from(&self.listen);
        Ok(member)
    }

    pub(crate) fn archiver(&self) -> anyhow::Result<Member> {
        self.member("archiver", "archiver".into())
    }

    fn member(&self, role: &str, name: String) -> anyhow::Result<Member> {
        let data_dir = self.data_dir.join("members").join(&name);
        data_dir::make(&data_dir).with_context(|| format!("{} cannot be made", data_dir.display()))?;
        if self.shares_key {
            data_dir::copy_key(&self.data_dir, &data_dir)?;
        }
        let mut arguments = vec![role.to_owned(), "--with-stdin".into(), "--data-dir".into()];
        arguments.push(data_dir.to_string_lossy().into_owned());
        if let Some(file) = &self.file {
            arguments.extend(["--config".into(), file.to_string_lossy().into_owned()]);
        }
        Ok(Member {
            name,
            program: self.program.clone(),
            arguments,
            environment: self.environment.clone(),
            public: Vec::new(),
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
        })
    }
}
