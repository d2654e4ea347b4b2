//! The role media: a part of `barrage up` while it has an address, and the process `barrage media`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use barrage_blob::Blobs;
use barrage_bus::{Bus, Settings};
use barrage_counters::Quota;
use barrage_http::{AddressLimits, AllowedOrigins, Front, HttpMetrics, Tls};
use barrage_media::{Media, MediaKinds, MediaParts, Uses, UsesError};
use barrage_moderation::MediaHook;
use barrage_protocol::{Digest, UserId};
use barrage_store::{InboxReads, Store};
use barrage_token::AddressKeys;
use barrage_uplink::Pseudonyms;
use tokio::net::TcpListener;

use super::context::ProcessContext;
use super::inbox;
use super::listeners::scheme;
use crate::config::{self, Config};
use crate::data_dir::{self, MakeKey};
use crate::supervise::{Stage, Supervisor, Task, TaskResult, Wakeup};

/// The program that checks pictures: this one, even after its file was replaced.
const CHECKER: &str = "/proc/self/exe";
/// File of the secret that signs addresses, in the data directory.
const KEY_FILE: &str = "media.key";

/// Bound listeners of the role.
pub(super) struct MediaListeners(Vec<TcpListener>);

impl MediaListeners {
    /// Binds the addresses of `media.listen`; there may be none.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let bind = |address: &SocketAddr| {
            barrage_http::listen(*address)
                .with_context(|| format!("{address} cannot be listened on (media.listen)"))
        };
        Ok(MediaListeners(config.media.listen.iter().map(bind).collect::<anyhow::Result<_>>()?))
    }

    /// Returns the ports of the listeners.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.0
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .map(|address| address.port())
            .collect()
    }

    /// Lines of the report that the process is up.
    pub(super) fn lines(&self, config: &Config) -> Vec<String> {
        let addresses = self.0.iter().filter_map(|listener| listener.local_addr().ok());
        addresses.map(|address| format!("  media   {}://{address}/", scheme(&config.http))).collect()
    }

    /// Serves the role on its listeners. Pages of the public listeners, at `page`, may use it.
    pub(super) fn serve(
        self,
        media: &Arc<Media>,
        context: &ProcessContext,
        page: &[SocketAddr],
        (tls, metrics): (Option<Tls>, HttpMetrics),
        tasks: &mut Supervisor,
    ) -> anyhow::Result<()> {
        let config = &context.config;
        let origins = origins(config, page);
        let front = Front {
            tls,
            metrics: Some(metrics),
            limits: Some(Arc::new(AddressLimits::new(&config.http)?)),
            origins: Some(origins.clone()),
            ..Front::default()
        };
        let (http, shutdown, router) =
            (config.http.clone(), context.stop.front.clone(), media.router(&origins));
        tasks.spawn(Task::new("media listeners", Stage::Front), Wakeup::Supervisor, async move {
            Ok(barrage_http::serve_public(self.0, router, front, http, shutdown).await?)
        });
        Ok(())
    }
}

/// Origins from which pages show media: the hosts that entry names, and the media of this process.
pub(super) fn image_origins(config: &Config, own: Option<&MediaListeners>) -> Vec<String> {
    let hosts = config.entry.media.hosts.iter().map(|host| host.url.as_str());
    let named = hosts.chain(own.and(config.media.base_url.as_deref()));
    let named =
        named.filter_map(|url| Some(url.parse::<reqwest::Url>().ok()?.origin().ascii_serialization()));
    let ports = own.map(MediaListeners::ports).unwrap_or_default();
    let of_ports = config.media.listen.iter().zip(ports).flat_map(|(address, port)| {
        let address = SocketAddr::new(address.ip(), port);
        hosts_of(config, address)
    });
    named.chain(of_ports.map(|host| format!("{}://{host}", scheme(&config.http)))).collect()
}

/// Each `HOST:PORT` at which browsers may reach a listener.
fn hosts_of(config: &Config, address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let local = address.ip().is_loopback().then(|| format!("localhost:{port}"));
    let named = config.http.hosts.iter().map(|host| format!("{host}:{port}"));
    config::reachable(address).into_iter().chain(local).chain(named).collect()
}

/// Opens the role and starts its tasks.
pub(super) fn start(
    context: &ProcessContext,
    quota: &Arc<dyn Quota>,
    tasks: &mut Supervisor,
) -> anyhow::Result<Arc<Media>> {
    let config = &context.config;
    let own = |name: &str| config.data_dir.join("media").join(name);
    let blobs = match &config.media.s3 {
        Some(s3) => Blobs::s3(s3).context("media.s3")?,
        None => Blobs::files(&config.media.blob_dir.clone().unwrap_or_else(|| own("blobs")))
            .context("media.blob_dir")?,
    };
    let parts = MediaParts {
        spool: absolute(&config.media.spool_dir.clone().unwrap_or_else(|| own("spool")))?,
        addresses: addresses(context)?,
        blobs,
        keyring: Arc::clone(&context.keyring),
        quota: Arc::clone(quota),
        uses: uses(context),
        checker: CHECKER.into(),
        hook: hook(context)?,
        breakers: context.breakers.clone(),
        shutdown: context.stop.front.clone(),
        config: config.media.clone(),
    };
    let media = Media::open(parts, &context.registry)?;
    let following = follow_settings(&context.bus, Arc::clone(&media));
    tasks.spawn(Task::new("settings of media", Stage::Background), Wakeup::Supervisor, following);
    let running = Arc::clone(&media);
    tasks.spawn(Task::new("media", Stage::Front), Wakeup::OwnTimer, async move {
        running.run().await;
        Ok(())
    });
    Ok(media)
}

/// Makes the client of the service that decides about media; `None` where `media.hook` names no kind.
fn hook(context: &ProcessContext) -> anyhow::Result<Option<MediaHook>> {
    let (kinds, deadline_ms) = (context.config.media.hook, context.config.media.hook_deadline_ms);
    let Some(hook) = context.config.moderation.hook.as_ref().filter(|_| kinds != MediaKinds::None) else {
        return Ok(None);
    };
    Ok(Some(MediaHook::new(hook, deadline_ms, &context.breakers).context("media.hook")?))
}

/// The tables of messages, the sets of emotes and the reviews, which say what media are used.
struct Messages {
    bus: Arc<dyn Bus>,
    store: Arc<dyn Store>,
    /// `None` where letters are off.
    inbox: Option<(Arc<dyn InboxReads>, Pseudonyms)>,
}

#[async_trait]
impl Uses for Messages {
    async fn is_used(&self, digest: Digest) -> Result<bool, UsesError> {
        if self.store.shows_medium(digest).await.map_err(UsesError::new)? {
            return Ok(true);
        }
        if self.bus.settings().borrow().shows_medium(digest, barrage_clock::unix_ms()) {
            return Ok(true);
        }
        let Some((inbox, _)) = &self.inbox else { return Ok(false) };
        inbox.shows_medium(digest).await.map_err(UsesError::new)
    }

    async fn is_erased(&self, user: &UserId) -> Result<bool, UsesError> {
        let Some((inbox, pseudonyms)) = &self.inbox else { return Ok(false) };
        Ok(inbox.user(&pseudonyms.first(user)).await.map_err(UsesError::new)?.is_some())
    }
}

/// Returns the tables that say what is used. Without all of them nothing is removed: where letters are switched off, those
/// of before may come back.
fn uses(context: &ProcessContext) -> Option<Arc<dyn Uses>> {
    let config = &context.config;
    let has_letters = config.postgres.is_some() || inbox::file(config).exists();
    if context.inbox.is_none() && has_letters {
        return None;
    }
    let store = Arc::clone(context.store.as_ref()?);
    let inbox = context.inbox.as_ref().map(|inbox| (Arc::clone(&inbox.store), inbox.pseudonyms()));
    Some(Arc::new(Messages { bus: Arc::clone(&context.bus), store, inbox }))
}

/// Copies the media that were removed everywhere and the switch of the hook's breaker from the shared settings. The
/// returned future copies them again after each change, until the bus is closed.
fn follow_settings(bus: &Arc<dyn Bus>, media: Arc<Media>) -> impl Future<Output = TaskResult> + use<> {
    let mut settings = bus.settings();
    let removed = |settings: &Settings| settings.removed_media.iter().map(|(digest, _)| *digest).collect();
    let first = settings.borrow_and_update().clone();
    let force = |media: &Media, settings: &Settings| {
        if let Some(breaker) = media.hook_breaker() {
            breaker.force(settings.switches.media_hook);
        }
    };
    media.set_removed(removed(&first));
    force(&media, &first);
    let mut known = first.removed_media.clone();
    async move {
        while settings.changed().await.is_ok() {
            let now = settings.borrow_and_update().clone();
            force(&media, &now);
            if now.removed_media.changed_keys(&known).next().is_some() {
                media.set_removed(removed(&now));
                known = now.removed_media.clone();
            }
        }
        Ok(())
    }
}

/// Returns the whole path of a folder: the process that decodes pictures runs in a folder of its own.
fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(folder).with_context(|| format!("media.spool_dir: {}", folder.display()))
}

/// Reads the secrets that sign addresses and references; `up` makes one where none is configured.
fn addresses(context: &ProcessContext) -> anyhow::Result<AddressKeys> {
    let config = &context.config;
    let signing: PathBuf = match &config.media.key_file {
        Some(file) => file.clone(),
        None => {
            let make = if context.roles.is_whole() { MakeKey::IfAbsent } else { MakeKey::Never };
            data_dir::secret(&config.data_dir.join(KEY_FILE), make, "media.key_file")?
        }
    };
    let retired = config.media.retired_key_files.iter().map(PathBuf::as_path);
    Ok(AddressKeys::load(&signing, retired, config.media.address_secs)?)
}

/// Reads these secrets for the media in messages; `None` where there are no media: in `up` without the role, and in
/// another process without `media.key_file`.
pub(super) fn of_messages(context: &ProcessContext) -> anyhow::Result<Option<Arc<AddressKeys>>> {
    let has_media = context.roles.media || context.config.media.key_file.is_some();
    Ok(if has_media { Some(Arc::new(addresses(context)?)) } else { None })
}

/// Returns the origins and host names that the listeners accept: those of the configuration, and the page of this
/// process.
fn origins(config: &Config, page: &[SocketAddr]) -> AllowedOrigins {
    let scheme = scheme(&config.http);
    let own =
        page.iter().flat_map(|address| hosts_of(config, *address)).map(|host| format!("{scheme}://{host}"));
    let allowed: Vec<_> = config.http.allowed_origins.iter().cloned().chain(own).collect();
    let is_local = config.media.listen.iter().all(|address| address.ip().is_loopback());
    let is_local = is_local && config.http.trusted_proxies.is_empty();
    AllowedOrigins::new(&allowed).with_hosts(&config.http.hosts, is_local)
}
