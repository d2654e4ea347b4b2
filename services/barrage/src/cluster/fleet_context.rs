//! Makes the members of a fleet from its configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;

use super::member::Member;
use super::servers::{Servers, free_port};
use crate::cli::ReplayArguments;
use crate::config::{Config, base_url};
use crate::data_dir;

/// File of the store that the processes of the fleet share. The store of `barrage up` in the same
/// directory cannot serve: it holds positions of another bus, which an archiver refuses.
pub(super) const STORE_FILE: &str = "fleet.sqlite";

/// File of the inbox that the uplinks and the courier of the fleet share.
const INBOX_FILE: &str = "fleet-inbox.sqlite";

/// Settings that all members share.
#[derive(Debug)]
pub(crate) struct FleetContext {
    program: PathBuf,
    data_dir: PathBuf,
    file: Option<PathBuf>,
    listen: Vec<SocketAddr>,
    admin_listen: SocketAddr,
    /// Host of the page with port 0, for gateways and uplinks.
    any_port: SocketAddr,
    environment: Vec<(String, String)>,
    shares_key: bool,
    /// Whether the configuration names the entry that the probe asks.
    names_probed_entry: bool,
    /// Whether the configuration names receivers of webhooks.
    has_webhooks: bool,
    /// Whether letters are on.
    has_inbox: bool,
    /// Whether a push service is configured.
    has_push: bool,
    /// Whether the public listeners use TLS.
    is_encrypted: bool,
}

impl FleetContext {
    pub(crate) fn new(config: &Config, servers: &Servers) -> anyhow::Result<Self> {
        let mut listen = config.listen.clone();
        for address in listen.iter_mut().filter(|address| address.port() == 0) {
            // Chosen before the start, because gateways and uplinks must allow the origin of the page.
            address.set_port(free_port()?);
        }
        let data_dir = config.data_dir.canonicalize().context("the data directory does not exist")?;
        let mut environment = vec![];
        let mut set = |name: &str, value: String| environment.push((format!("BARRAGE_{name}"), value));
        if let Some(url) = &servers.nats {
            set("NATS__URLS", format!("[\"{url}\"]"));
        }
        if let Some(url) = &servers.redis {
            set("REDIS__URL", url.clone());
            set("HISTORY_REDIS__URLS", format!("[\"{url}\"]"));
        }
        if config.postgres.is_none() && config.store.file.is_none() {
            set("STORE__FILE", data_dir.join(STORE_FILE).to_string_lossy().into_owned());
        }
        if config.postgres.is_none() && config.inbox.file.is_none() {
            set("INBOX__FILE", data_dir.join(INBOX_FILE).to_string_lossy().into_owned());
        }
        if let Some(role) = config.uplink.gift_role_min {
            set("UPLINK__GIFT_ROLE_MIN", serde_json::to_value(role)?.as_str().unwrap_or_default().to_owned());
        }
        // Entry and the autoscaler use the same capacity.
        if let (None, Some(path)) = (&config.entry.capacity_file, &config.autoscale.capacity_file) {
            set("ENTRY__CAPACITY_FILE", path.to_string_lossy().into_owned());
        }
        // The page of entry calls gateways and uplinks, which have other origins.
        let scheme = if config.http.tls_cert_file.is_some() { "https" } else { "http" };
        let pages = listen.iter().flat_map(|address| {
            let named =
                address.ip().is_loopback().then(|| format!("{scheme}://localhost:{}", address.port()));
            std::iter::once(format!("{scheme}://{address}")).chain(named)
        });
        let origins: Vec<_> = config.http.allowed_origins.iter().cloned().chain(pages).collect();
        set("HTTP__ALLOWED_ORIGINS", serde_json::to_string(&origins)?);
        Ok(FleetContext {
            program: std::env::current_exe().context("the path of this program is unknown")?,
            data_dir,
            file: config.file.as_deref().map(std::path::absolute).transpose()?,
            any_port: SocketAddr::new(listen[0].ip(), 0),
            listen,
            admin_listen: config.admin_listen,
            environment,
            shares_key: config.token.keys.is_empty(),
            names_probed_entry: config.probe.entry_url.is_some(),
            has_webhooks: !config.webhooks.endpoints.is_empty(),
            has_inbox: config.inbox.enabled == Some(true),
            // Web Push needs a key that the fleet does not make.
            has_push: config.push.is_on()
                && (config.push.contact.is_empty() || config.push.vapid_key_file.is_some()),
            is_encrypted: config.http.tls_cert_file.is_some(),
        })
    }

    /// Returns a gateway with a number from 1 on.
    pub(crate) fn gateway(&self, number: u16) -> anyhow::Result<Member> {
        let mut member = self.member("gateway", format!("gateway-{number}"))?;
        member.environment.push(("BARRAGE_GATEWAY__ID".into(), member.name.clone()));
        member.public = vec![self.any_port];
        Ok(member)
    }

    /// Returns an uplink with a number from 1 on. Uplink 1 has the configured admin address and plays
    /// the recording.
    pub(crate) fn uplink(&self, number: u16, replay: &ReplayArguments) -> anyhow::Result<Member> {
        let mut member = self.member("uplink", format!("uplink-{number}"))?;
        member.environment.push(("BARRAGE_UPLINK__ID".into(), member.name.clone()));
        member.public = vec![self.any_port];
        if number == 1 {
            member.admin = self.admin_listen;
            member.arguments.extend(replay.command_line()?);
        }
        Ok(member)
    }

    /// Returns entry, on the configured public addresses.
    pub(crate) fn entry(&self) -> anyhow::Result<Member> {
        let mut member = self.member("entry", "entry".into())?;
        member.public.clone_from(&self.listen);
        Ok(member)
    }

    /// Returns the archiver as a member.
    pub(crate) fn archiver(&self) -> anyhow::Result<Member> {
        self.member("archiver", "archiver".into())
    }

    /// Returns the sender of webhooks; `None` without a receiver in the configuration.
    pub(crate) fn webhooks(&self) -> anyhow::Result<Option<Member>> {
        if self.has_webhooks { self.member("webhooks", "webhooks".into()).map(Some) } else { Ok(None) }
    }

    /// Returns the courier; `None` where letters are off.
    pub(crate) fn courier(&self) -> anyhow::Result<Option<Member>> {
        if self.has_inbox { self.member("courier", "courier".into()).map(Some) } else { Ok(None) }
    }

    /// Returns the sender of notifications; `None` where letters are off or no service is configured.
    pub(crate) fn push(&self) -> anyhow::Result<Option<Member>> {
        if self.has_inbox && self.has_push { self.member("push", "push".into()).map(Some) } else { Ok(None) }
    }

    /// Returns the probe, which examines the fleet behind entry.
    pub(crate) fn probe(&self, entry: SocketAddr) -> anyhow::Result<Member> {
        let mut member = self.member("probe", "probe".into())?;
        member.arguments.push("--serve".into());
        if !self.names_probed_entry {
            let url = base_url(entry, self.is_encrypted);
            member.environment.push(("BARRAGE_PROBE__ENTRY_URL".into(), url));
        }
        Ok(member)
    }

    fn member(&self, role: &str, name: String) -> anyhow::Result<Member> {
        let data_dir = self.data_dir.join("members").join(&name);
        data_dir::create(&data_dir).with_context(|| format!("{} cannot be created", data_dir.display()))?;
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
