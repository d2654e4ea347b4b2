//! The gateway as a whole: shards, rooms, and the tasks that serve them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use barrage_bus::{Bus, RestrictionKind};
use barrage_flow::{LocalOnline, Online};
use barrage_http::{AdminRoutes, AllowedOrigins, Greeter};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_recorder::Recorder;
use barrage_token::{Identity, Keyring};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::beats::{Beats, Parts};
use crate::config::GatewayConfig;
use crate::connections::{Connection, Connections};
use crate::direct::DirectBook;
use crate::drain::{self, Departures};
use crate::eviction::{kicked, room_closed};
use crate::fan_out::FanOuts;
use crate::handshake::Doorman;
use crate::listeners::Listeners;
use crate::metrics::GatewayMetrics;
use crate::overload::Level;
use crate::record::BatchRecord;
use crate::report::PushTimes;
use crate::room::{Rooms, Seat, Taken};
use crate::shard::{self, Command};
use crate::strain::{self, Strain};
use crate::tickets::{Pass, UsedTickets};
use crate::{admin, direct, eviction, explain, hub, online, report, routes};

/// Commands waiting for one shard; a hub that finds it full waits.
const SHARD_QUEUE_MAX: usize = 4_096;
/// Joins that are refused are told to come back within this.
const JOIN_RETRY_SPREAD_MS: u64 = 9_000;
/// A room's hub must be subscribed within this, or the join is refused: before clients lose
/// their patience (5 s) and take the transport to be what does not work.
const SUBSCRIBE_MAX: Duration = Duration::from_secs(3);

/// Who may watch.
pub struct Access {
    /// Verifies tokens.
    pub keyring: Arc<Keyring>,
    /// Whether viewers without a token may watch.
    pub anonymous: bool,
    /// Pages of which other hosts may connect.
    pub origins: AllowedOrigins,
}

/// What every part of a gateway sees.
pub(crate) struct Shared {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) access: Access,
    pub(crate) config: GatewayConfig,
    pub(crate) metrics: GatewayMetrics,
    pub(crate) rooms: Arc<Rooms>,
    /// Event streams and polls under way.
    pub(crate) listeners: Arc<Listeners>,
    /// Connections by user, for the limit on them.
    pub(crate) connections: Connections,
    /// The beats of what must run.
    pub(crate) parts: Arc<Parts>,
    pub(crate) shards: Box<[mpsc::Sender<Command>]>,
    pub(crate) direct: DirectBook,
    pub(crate) strain: Strain,
    pub(crate) fan_outs: FanOuts,
    pub(crate) pushes: PushTimes,
    pub(crate) recorder: Arc<Recorder<BatchRecord>>,
    pub(crate) used_tickets: UsedTickets,
    pub(crate) departures: Departures,
    /// Asked to leave: nobody comes in any more.
    pub(crate) shutdown: CancellationToken,
    /// The viewers have gone, or their time is over.
    pub(crate) ended: CancellationToken,
    /// A shard has ended before the gateway did: the gateway ends with an error.
    failed: CancellationToken,
    pub(crate) tasks: TaskTracker,
    connection_ids: AtomicU64,
    next_shard: AtomicUsize,
    viewers: AtomicU64,
}

/// One of the viewers that a gateway takes at most.
pub(crate) struct Admission(Arc<Shared>);

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connections.dec();
    }
}

impl Shared {
    /// Counts a viewer in, or refuses.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Admission, Refusal> {
        if self.shutdown.is_cancelled() || self.departures.is_draining() {
            let refusal = Refusal::new(Code::Draining, "this gateway is leaving; ask entry for another");
            return Err(refusal.retry_after_ms(500));
        }
        if self.parts.is_broken() {
            let refusal = Refusal::new(Code::Unavailable, "this gateway has failed; ask entry for another");
            return Err(refusal.retry_after_ms(1_000));
        }
        let before = self.viewers.fetch_add(1, Ordering::Relaxed);
        self.metrics.connections.inc();
        let admission = Admission(Arc::clone(self));
        if before >= self.config.viewers_max {
            let refusal = Refusal::new(Code::Overloaded, "this gateway is full; try the next one");
            return Err(refusal.retry_after_ms(2_000));
        }
        Ok(admission)
    }

    /// The same for a viewer that stays, and after which wait its turn comes, unless there
    /// is too much to do already.
    pub(crate) fn admit_join(self: &Arc<Self>, pass: &Pass) -> Result<(Admission, Duration), Refusal> {
        self.admit_in_turn(pass).inspect_err(|_| self.used_tickets.give_back(pass))
    }

    fn admit_in_turn(self: &Arc<Self>, pass: &Pass) -> Result<(Admission, Duration), Refusal> {
        let refuse = |reason, least_ms: u64| {
            self.metrics.join_refused(reason);
            let refusal =
                Refusal::new(Code::Overloaded, "this gateway takes nobody just now; try the next one");
            // Spread, so that those refused together do not come back together.
            refusal.retry_after_ms(least_ms + rand::random_range(0..JOIN_RETRY_SPREAD_MS))
        };
        if self.strain.level() >= Level::RefuseJoins {
            return Err(refuse("overload", 1_000));
        }
        let admission =
            self.admit().inspect_err(|refusal| self.metrics.join_refused(refusal.code.label()))?;
        match self.strain.join(pass) {
            Ok(wait) => Ok((admission, wait)),
            Err(retry_after) => {
                let least_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Err(refuse("joins_per_s", least_ms))
            }
        }
    }

    /// The shard that the next viewer belongs to.
    pub(crate) fn next_shard(&self) -> &mpsc::Sender<Command> {
        &self.shards[self.next_shard.fetch_add(1, Ordering::Relaxed) % self.shards.len()]
    }

    /// Whether this viewer may be in this room now.
    pub(crate) fn check(&self, room: &RoomId, token: Option<&str>) -> Result<Option<Identity>, Refusal> {
        let identity = match token {
            Some(token) => Some(self.access.keyring.verify_for(token, room)?),
            None if self.access.anonymous => None,
            None => {
                return Err(Refusal::new(
                    Code::Unauthorized,
                    "this gateway needs a token; send one in `join`",
                ));
            }
        };
        self.check_room(room, identity.as_ref().map(|identity| &identity.user))?;
        Ok(identity)
    }

    /// Whether the room is there and open to the user.
    pub(crate) fn check_room(&self, room: &RoomId, user: Option<&UserId>) -> Result<(), Refusal> {
        let settings = self.bus.settings().borrow().clone();
        match settings.rooms.get(room) {
            None => return Err(Refusal::new(Code::UnknownRoom, "there is no such room")),
            Some(found) if found.closed => return Err(room_closed()),
            Some(_) => {}
        }
        if let Some(user) = user
            && let Some(restriction) = settings.restriction(room, user, unix_ms())
            && restriction.kind == RestrictionKind::Kick
        {
            return Err(kicked());
        }
        Ok(())
    }

    /// Takes a seat, starting the room's hub when this is its first viewer.
    pub(crate) async fn seat(self: &Arc<Self>, room: &RoomId) -> Result<Seat, Refusal> {
        let seat = match self.rooms.take(room) {
            Taken::Running(seat) => seat,
            Taken::New(seat) => {
                self.tasks.spawn(hub::guarded(Arc::clone(&seat.room), Arc::clone(self)));
                seat
            }
        };
        let ready = wait_ready(&seat);
        if tokio::time::timeout(SUBSCRIBE_MAX, ready).await.is_err() {
            let refusal = Refusal::new(Code::Unavailable, "the room cannot be subscribed now");
            return Err(refusal.retry_after_ms(1_000));
        }
        Ok(seat)
    }

    /// Unix seconds after which a viewer's connection ends: those of its token and the leeway,
    /// on every transport alike.
    pub(crate) fn ends_at_secs(&self, identity: &Identity) -> u64 {
        identity.expires_at_secs.saturating_add(self.access.keyring.leeway_secs())
    }

    /// Counts a connection of a user; over the limit the user's oldest connection ends.
    pub(crate) fn enter_of_user(&self, user: &UserId, connection: Connection) {
        let max = self.config.user_connections_max;
        let Some(oldest) = self.connections.enter(user, connection, max) else { return };
        let refusal = Refusal::new(
            Code::TooManyConnections,
            format!("at most {max} connections of one user at a gateway; this was the oldest"),
        );
        match oldest {
            Connection::Listener(id) => self.listeners.evict_one(id, refusal),
            Connection::Viewer { shard, address } => {
                let Some(shard) = self.shards.get(usize::from(shard)).cloned() else { return };
                // Not awaited: the caller may be that shard.
                let evict = Command::EvictOne { address, refusal };
                tokio::spawn(async move { drop(shard.send(evict).await) });
            }
        }
    }

    /// A shard's thread has ended; before the gateway did, that ends the gateway.
    pub(crate) fn shard_ended(&self) {
        if !self.ended.is_cancelled() {
            self.parts.broke();
            self.failed.cancel();
        }
    }

    /// Viewers now, fallbacks included.
    pub(crate) fn viewers(&self) -> u64 {
        self.viewers.load(Ordering::Relaxed)
    }

    /// A new connection's id.
    pub(crate) fn connection_id(&self) -> String {
        let number = self.connection_ids.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:x}", self.config.id)
    }
}

/// The hub sets `ready` and then the position's watch, which wakes this.
async fn wait_ready(seat: &Seat) {
    let mut changed = seat.room.changed.subscribe();
    while !seat.room.ready.initialized() {
        // The sender lives in the room, which the seat holds: it cannot close.
        let woken = tokio::time::timeout(Duration::from_millis(20), changed.changed()).await;
        if matches!(woken, Ok(Err(_))) {
            return;
        }
    }
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A limit's figures make no sense.
    #[error("gateway.joins_per_s or gateway.egress_bytes_per_s: {0}")]
    Limit(#[from] barrage_flow::RuleError),
    /// The system gives no thread, or a shard's runtime cannot be built.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
    /// A shard's thread ended, by a panic, before the shutdown. Its viewers have lost their
    /// connections and the others were closed: the process should end.
    #[error("shard {index} of the gateway ended before the shutdown")]
    ShardEnded {
        /// Number of the shard.
        index: usize,
    },
}

/// A gateway.
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
    threads: Vec<std::thread::JoinHandle<()>>,
    online: Arc<dyn Online>,
}

impl Gateway {
    /// Starts the shards.
    pub fn start(
        bus: Arc<dyn Bus>,
        access: Access,
        config: GatewayConfig,
        metrics: GatewayMetrics,
        shutdown: CancellationToken,
    ) -> Result<Gateway, GatewayError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if config.shards == 0 { cores } else { config.shards };
        let strain = Strain::new(&config)?;
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..count).map(|_| mpsc::channel(SHARD_QUEUE_MAX)).unzip();
        let shared = Arc::new(Shared {
            bus,
            access,
            metrics,
            rooms: Arc::new(Rooms::new(count)),
            listeners: Arc::default(),
            connections: Connections::new(),
            parts: Arc::new(Parts::new(count)),
            shards: senders.into(),
            direct: DirectBook::default(),
            strain,
            fan_outs: FanOuts::default(),
            pushes: PushTimes::default(),
            recorder: Recorder::new(config.recorder.clone(), &config.id),
            used_tickets: UsedTickets::default(),
            departures: Departures::none(),
            shutdown,
            ended: CancellationToken::new(),
            failed: CancellationToken::new(),
            tasks: TaskTracker::new(),
            connection_ids: AtomicU64::new(1),
            next_shard: AtomicUsize::new(0),
            viewers: AtomicU64::new(0),
            config,
        });
        let main = tokio::runtime::Handle::current();
        let mut threads = Vec::with_capacity(count);
        for (index, receiver) in receivers.into_iter().enumerate() {
            let (shared, main, runtime) = (Arc::clone(&shared), main.clone(), shard::runtime()?);
            let thread = std::thread::Builder::new().name(format!("gateway-shard-{index}"));
            threads.push(thread.spawn(move || shard::run(index, &shared, &runtime, receiver, &main))?);
        }
        Ok(Gateway { shared, threads, online: Arc::new(LocalOnline) })
    }

    /// Viewers are summed with those of other gateways.
    #[must_use]
    pub fn with_online(self, online: Arc<dyn Online>) -> Self {
        Gateway { online, ..self }
    }

    /// The beats of the gateway's parts, for `/healthz`.
    pub fn beats(&self) -> Beats {
        Beats { parts: Arc::clone(&self.shared.parts), rooms: Arc::clone(&self.shared.rooms) }
    }

    /// Takes WebSocket handshakes over from an accept loop.
    #[must_use]
    pub fn greeter(&self) -> Arc<dyn Greeter> {
        Arc::new(Doorman(Arc::clone(&self.shared)))
    }

    /// The public routes.
    pub fn router(&self) -> axum::Router {
        routes::router(Arc::clone(&self.shared))
    }

    /// The admin routes.
    pub fn admin_router(&self) -> AdminRoutes {
        explain::router(Arc::clone(&self.shared)).merge(admin::router(Arc::clone(&self.shared)))
    }

    /// Reports load and carries out settings; after the shutdown sends the viewers away
    /// and returns when they have gone. An error when a shard ended before: newcomers are
    /// refused from then on, and the other shards' viewers are closed.
    pub async fn run(self) -> Result<(), GatewayError> {
        let shared = self.shared;
        let leaving = async {
            tokio::select! {
                () = drain::at_shutdown(&shared) => {}
                () = shared.failed.cancelled() => tracing::error!("a shard has ended; the gateway closes"),
            }
            shared.ended.cancel();
        };
        let online = online::run(&shared, self.online);
        tokio::join!(
            report::run(&shared),
            eviction::run(&shared),
            direct::run(&shared),
            strain::run(&shared),
            online,
            leaving
        );
        broadcast(&shared, || Command::End).await;
        shared.tasks.close();
        shared.tasks.wait().await;
        let join = move || self.threads.into_iter().position(|thread| thread.join().is_err());
        match tokio::task::spawn_blocking(join).await {
            Ok(None) if shared.parts.is_broken() => Err(GatewayError::ShardEnded { index: 0 }),
            Ok(None) | Err(_) => Ok(()),
            Ok(Some(index)) => Err(GatewayError::ShardEnded { index }),
        }
    }
}

pub(crate) async fn broadcast(shared: &Shared, command: impl Fn() -> Command) {
    for shard in &shared.shards {
        drop(shard.send(command()).await);
    }
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
