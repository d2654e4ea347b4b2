//! The gateway as a whole: builds it, starts its tasks, and joins them.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Mail};
use barrage_counters::{LocalOnline, Online};
use barrage_http::{AdminRoutes, Greeter};
use barrage_recorder::Recorder;
use barrage_trace::Tracer;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::{Access, JoinQueue, Places, UsedTickets};
use crate::config::GatewayConfig;
use crate::context::{Context, Gate, History, Lifecycle};
use crate::dispatch::{Command, ConnectionIds, Dispatch};
use crate::drain::Drains;
use crate::health::GatewayHealth;
use crate::http::{self, HandshakeGreeter};
use crate::load::{EgressLimit, Heartbeats, Load, PushTimes};
use crate::mail::Attached;
use crate::metrics::GatewayMetrics;
use crate::room::{FanOutLog, RepairSizes, Rooms, TopRooms};
use crate::viewer::NoticeBook;
use crate::{hub, shard, tasks};

/// Commands that wait for one shard; a hub that finds the queue full waits.
const SHARD_QUEUE_MAX: usize = 4_096;
/// Retention of notices, unless the bus's own is given.
const RETENTION_DEFAULT: Duration = Duration::from_secs(1_800);

/// Reason why a gateway did not start, or ended early.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A limit's figures are out of range.
    #[error("gateway.joins_per_s or gateway.egress_bytes_per_s: {0}")]
    Limit(#[from] barrage_flow::RuleError),
    /// The system starts no thread, or a shard's runtime cannot be built.
    #[error(transparent)]
    Thread(#[from] std::io::Error),
    /// A shard's thread ended, by a panic, before the shutdown. Its viewers have lost their
    /// connections and the others were closed: the process should end.
    #[error("shard {index} of the gateway ended before the shutdown; see its panic in the log")]
    ShardEnded {
        /// Number of the shard, from 0, as in the name of its thread.
        index: usize,
    },
}

/// Gateway: owns the viewers' connections, and fans messages out to them.
pub struct Gateway {
    pub(crate) context: Arc<Context>,
    threads: Vec<std::thread::JoinHandle<()>>,
    online: Arc<dyn Online>,
    retention: Duration,
    mail: Option<Arc<dyn Mail>>,
}

impl Gateway {
    /// Starts the shards, each in a thread of its own. [`Gateway::run`] must follow.
    pub fn start(
        bus: Arc<dyn Bus>,
        access: Access,
        config: GatewayConfig,
        metrics: GatewayMetrics,
        tracer: Tracer,
        shutdown: CancellationToken,
    ) -> Result<Gateway, GatewayError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shards = if config.shards == 0 { cores } else { config.shards };
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..shards).map(|_| mpsc::channel(SHARD_QUEUE_MAX)).unzip();
        let context = build(bus, access, config, metrics, tracer, shutdown, senders)?;
        let mut threads = Vec::with_capacity(shards);
        for (index, commands) in receivers.into_iter().enumerate() {
            let (context, runtime) = (Arc::clone(&context), shard::build_runtime()?);
            let thread = std::thread::Builder::new().name(format!("gateway-shard-{index}"));
            threads.push(thread.spawn(move || shard::run(index, &context, &runtime, commands))?);
        }
        let (online, retention) = (Arc::new(LocalOnline), RETENTION_DEFAULT);
        Ok(Gateway { context, threads, online, retention, mail: None })
    }

    /// Sums the viewers of each room with those of other gateways.
    #[must_use]
    pub fn with_online(self, online: Arc<dyn Online>) -> Self {
        Gateway { online, ..self }
    }

    /// Sets the bus's retention, after which an unacknowledged notice is forgotten. Default 1800 s.
    #[must_use]
    pub fn with_retention(self, retention: Duration) -> Self {
        Gateway { retention, ..self }
    }

    /// Lets viewers attach to the mail of their users, which comes this way.
    #[must_use]
    pub fn with_mail(self, mail: Arc<dyn Mail>) -> Self {
        self.context.attached.open();
        Gateway { mail: Some(mail), ..self }
    }

    /// Returns a handle to the gateway's health, which `/healthz` reads.
    pub fn health(&self) -> GatewayHealth {
        let heartbeats = Arc::clone(&self.context.lifecycle.heartbeats);
        GatewayHealth { heartbeats, rooms: Arc::clone(&self.context.rooms) }
    }

    /// Returns the part that takes WebSocket handshakes over from an accept loop.
    #[must_use]
    pub fn greeter(&self) -> Arc<dyn Greeter> {
        Arc::new(HandshakeGreeter(Arc::clone(&self.context)))
    }

    /// Returns the public routes: WebSocket, event stream and poll of a room.
    pub fn router(&self) -> axum::Router {
        http::router(Arc::clone(&self.context))
    }

    /// Returns the admin routes: drains, flight records, fan-outs and the hottest rooms.
    pub fn admin_router(&self) -> AdminRoutes {
        http::admin_router(&self.context)
    }

    /// Runs until the shutdown; then sends the viewers to other gateways, and returns when they have
    /// gone or their time is over.
    ///
    /// Fails when a shard ends before the shutdown. New viewers are refused from then on, and the
    /// other shards' viewers are closed.
    pub async fn run(self) -> Result<(), GatewayError> {
        let context = self.context;
        let lifecycle = &context.lifecycle;
        let end = async {
            tokio::select! {
                () = tasks::drain::drain_on_shutdown(&context) => {}
                () = lifecycle.failed.cancelled() => {
                    tracing::error!("a shard ended before the shutdown; the gateway closes");
                }
            }
            lifecycle.ended.cancel();
        };
        tokio::join!(
            tasks::report_load(&context),
            tasks::evict(&context),
            tasks::release_joins(&context),
            tasks::deliver_notices(&context, self.retention),
            tasks::deliver_mail(&context, self.mail),
            tasks::measure_load(&context),
            tasks::rank_rooms(&context),
            tasks::exchange_counts(&context, self.online),
            end
        );
        context.dispatch.broadcast(|| Command::Shutdown).await;
        lifecycle.tasks.close();
        lifecycle.tasks.wait().await;
        let threads = self.threads;
        let join = move || threads.into_iter().position(|thread| thread.join().is_err());
        match tokio::task::spawn_blocking(join).await {
            Ok(None) if lifecycle.heartbeats.has_failed() => Err(GatewayError::ShardEnded { index: 0 }),
            Ok(None) | Err(_) => Ok(()),
            Ok(Some(index)) => Err(GatewayError::ShardEnded { index }),
        }
    }
}

fn build(
    bus: Arc<dyn Bus>,
    access: Access,
    config: GatewayConfig,
    metrics: GatewayMetrics,
    tracer: Tracer,
    shutdown: CancellationToken,
    shards: Vec<mpsc::Sender<Command>>,
) -> Result<Arc<Context>, GatewayError> {
    let count = shards.len();
    let gate = Gate {
        access,
        places: Places::new(config.viewers_max, metrics.connections.clone()),
        used_tickets: UsedTickets::default(),
        join_queue: JoinQueue::new(config.joins_per_s, config.joins_wait_ms_max)?,
        connection_ids: ConnectionIds::new(config.id.clone()),
    };
    let load = Load::new(EgressLimit::new(config.egress_bytes_per_s)?, count);
    let main = tokio::runtime::Handle::current();
    Ok(Arc::new_cyclic(|context| Context {
        bus,
        gate,
        rooms: Arc::new(Rooms::new(count, hub::starter(context.clone(), main))),
        repair_sizes: RepairSizes {
            chat_max: config.repair_chat_max,
            bytes_max: config.answer_messages_bytes(),
        },
        dispatch: Dispatch::new(shards),
        notices: NoticeBook::default(),
        attached: Attached::default(),
        drains: Drains::none(),
        load,
        push_times: PushTimes::default(),
        history: History {
            fan_outs: FanOutLog::default(),
            recorder: Recorder::new(config.recorder.clone(), &config.id),
            top_rooms: TopRooms::default(),
        },
        lifecycle: Lifecycle {
            heartbeats: Arc::new(Heartbeats::new(count)),
            shutdown,
            ended: CancellationToken::new(),
            failed: CancellationToken::new(),
            tasks: TaskTracker::new(),
        },
        metrics,
        tracer,
        config,
    }))
}
