//! The gateway as a whole: shards, rooms, and the tasks that serve them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use barrage_bus::{Bus, RestrictionKind, Settings};
use barrage_flow::{LocalOnline, Online};
use barrage_http::{AdminRoutes, AllowedOrigins, Greeter};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId, UserId};
use barrage_recorder::Recorder;
use barrage_token::{Identity, Keyring};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::GatewayConfig;
use crate::direct::DirectBook;
use crate::drain::{self, Departures};
use crate::fan_out::FanOuts;
use crate::handshake::Doorman;
use crate::metrics::GatewayMetrics;
use crate::overload::Level;
use crate::record::BatchRecord;
use crate::report::PushTimes;
use crate::room::{Rooms, Seat, Taken};
use crate::shard::{self, Command};
use crate::strain::{self, Strain};
use crate::tickets::{Pass, UsedTickets};
use crate::{admin, direct, explain, hub, online, report, routes};

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
    pub(crate) rooms: Rooms,
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
            Some(found) if found.closed => return Err(Refusal::new(Code::RoomClosed, "the room is closed")),
            Some(_) => {}
        }
        if let Some(user) = user
            && let Some(restriction) = settings.restriction(room, user, unix_ms())
            && restriction.kind == RestrictionKind::Kick
        {
            return Err(Refusal::new(Code::Kicked, "a moderator removed you from this room"));
        }
        Ok(())
    }

    /// Takes a seat, starting the room's hub when this is its first viewer.
    pub(crate) async fn seat(self: &Arc<Self>, room: &RoomId) -> Result<Seat, Refusal> {
        let seat = match self.rooms.take(room) {
            Taken::Running(seat) => seat,
            Taken::New(seat) => {
                self.tasks.spawn(hub::run(Arc::clone(&seat.room), Arc::clone(self)));
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
    /// The system gives no thread.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
}

/// A gateway.
pub struct Gateway {
    shared: Arc<Shared>,
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
            rooms: Rooms::new(count),
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
            tasks: TaskTracker::new(),
            connection_ids: AtomicU64::new(1),
            next_shard: AtomicUsize::new(0),
            viewers: AtomicU64::new(0),
            config,
        });
        let runtime = tokio::runtime::Handle::current();
        let mut threads = Vec::with_capacity(count);
        for (index, receiver) in receivers.into_iter().enumerate() {
            let (shared, runtime) = (Arc::clone(&shared), runtime.clone());
            let thread = std::thread::Builder::new().name(format!("gateway-shard-{index}"));
            threads.push(thread.spawn(move || shard::run(index, &shared, receiver, &runtime))?);
        }
        Ok(Gateway { shared, threads, online: Arc::new(LocalOnline) })
    }

    /// Viewers are summed with those of other gateways.
    #[must_use]
    pub fn with_online(self, online: Arc<dyn Online>) -> Self {
        Gateway { online, ..self }
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
    /// and returns when they have gone.
    pub async fn run(self) {
        let shared = self.shared;
        shared.tasks.spawn(direct::run(Arc::clone(&shared)));
        let leaving = async {
            drain::at_shutdown(&shared).await;
            shared.ended.cancel();
        };
        let online = online::run(&shared, self.online);
        tokio::join!(report::run(&shared), evict(&shared), strain::run(&shared), online, leaving);
        broadcast(&shared, || Command::End).await;
        shared.tasks.close();
        shared.tasks.wait().await;
        let joined =
            tokio::task::spawn_blocking(move || self.threads.into_iter().for_each(|t| drop(t.join())));
        drop(joined.await);
    }
}

/// Sends away who was kicked, and everybody of a room that was closed.
async fn evict(shared: &Shared) {
    let mut settings = shared.bus.settings();
    let mut before: Arc<Settings> = Arc::default();
    loop {
        let now = settings.borrow_and_update().clone();
        let now_ms = unix_ms();
        let kicked = now.restrictions.iter().filter(|(key, restriction)| {
            restriction.kind == RestrictionKind::Kick
                && restriction.until_ms > now_ms
                && before.restrictions.get(*key) != Some(*restriction)
        });
        for ((room, user), _) in kicked {
            broadcast(shared, || Command::Evict {
                room: room.clone(),
                user: Some(user.clone()),
                code: Code::Kicked,
            })
            .await;
        }
        let closed = now
            .rooms
            .iter()
            .filter(|(id, room)| room.closed && !before.rooms.get(*id).is_some_and(|room| room.closed));
        for (room, _) in closed {
            // The signal that says so was published first; it is at most a window behind.
            tokio::time::sleep(Duration::from_millis(2 * shared.config.window_ms)).await;
            broadcast(shared, || Command::Evict { room: room.clone(), user: None, code: Code::RoomClosed })
                .await;
        }
        before = now;
        tokio::select! {
            changed = settings.changed() => if changed.is_err() { return },
            () = shared.ended.cancelled() => return,
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
