//! The uplink's state and its routes, public and admin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post, put};
use barrage_bus::{Bus, InstanceReport, Role};
use barrage_flow::{Ledger, Quota};
use barrage_http::{AdminCall, AdminRoutes, ApiError, AuditSink};
use barrage_moderation::Moderator;
use barrage_protocol::{MessageId, RoomId, UserId};
use barrage_recorder::Recorder;
use barrage_store::Store;
use barrage_token::Keyring;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::account::Account;
use crate::answers::Answers;
use crate::audit::Audit;
use crate::config::UplinkConfig;
use crate::gifts::Gifts;
use crate::limit::{Limits, LimitsError};
use crate::metrics::UplinkMetrics;
use crate::pulse::Pulses;
use crate::recent::Recent;
use crate::record::PostRecord;
use crate::trace::Traces;
use crate::{admin, broadcast, explain, history, restrict, send, tunnel};

/// What an uplink stands on.
pub struct Parts {
    /// Where messages go.
    pub bus: Arc<dyn Bus>,
    /// Where history and the audit log are.
    pub store: Arc<dyn Store>,
    /// Verifies tokens.
    pub keyring: Arc<Keyring>,
    /// Counts what senders do.
    pub quota: Arc<dyn Quota>,
    /// Looks at texts.
    pub moderator: Arc<Moderator>,
    /// The process's.
    pub ledger: Ledger,
    /// History may be read without a token.
    pub anonymous: bool,
}

/// An uplink.
pub struct Uplink {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) moderator: Arc<Moderator>,
    pub(crate) anonymous: bool,
    pub(crate) config: UplinkConfig,
    pub(crate) metrics: UplinkMetrics,
    pub(crate) limits: Limits,
    pub(crate) pulses: Pulses,
    pub(crate) account: Account,
    ledger: Ledger,
    pub(crate) audit: Audit,
    pub(crate) traces: Traces,
    pub(crate) recorder: Arc<Recorder<PostRecord>>,
    pub(crate) started: Instant,
    likes: Mutex<Recent<(RoomId, UserId, MessageId)>>,
    pub(crate) gifts: Gifts,
    pub(crate) answers: Answers,
}

impl Uplink {
    /// An error when a limit's figures or the list of gifts make no sense.
    pub fn new(parts: Parts, config: UplinkConfig, metrics: UplinkMetrics) -> Result<Arc<Self>, LimitsError> {
        let shadowed = metrics.shadowed.clone();
        let limits = Limits::new(config.limits.clone(), config.recent_max, parts.quota, shadowed)?;
        let answers = Answers::new(config.answers_bytes_total_max, config.answer_bytes_max);
        Ok(Arc::new(Uplink {
            gifts: Gifts::new(&config)?,
            answers,
            bus: parts.bus,
            store: parts.store,
            keyring: parts.keyring,
            moderator: parts.moderator,
            anonymous: parts.anonymous,
            limits,
            pulses: Pulses::default(),
            account: Account::new(&parts.ledger),
            ledger: parts.ledger,
            audit: Audit::new(metrics.audit_lost.clone()),
            traces: Traces::default(),
            recorder: Recorder::new(config.recorder.clone(), &config.id),
            started: Instant::now(),
            likes: Mutex::new(Recent::new(config.recent_max)),
            config,
            metrics,
        }))
    }

    /// Sums likes and hands them on, writes the audit log, reads word lists that
    /// changed, closes the books, tells the registry: until the shutdown.
    pub async fn run(&self, shutdown: CancellationToken) {
        let pulses = Duration::from_millis(self.config.pulse_ms.max(10));
        let keep = Duration::from_secs(u64::from(self.config.audit_days) * 86_400);
        tokio::join!(
            self.pulses.run(&*self.bus, pulses, shutdown.clone()),
            self.audit.run(&*self.store, keep, shutdown.clone()),
            self.every_second(shutdown),
        );
    }

    async fn every_second(&self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => {}
            }
            self.account.settle();
            let draining = shutdown.is_cancelled();
            let report = InstanceReport {
                base_urls: self.config.base_urls.clone(),
                age_secs: self.started.elapsed().as_secs(),
                draining,
                conservation_error: self.ledger.error_of(&["uplink"]),
                ..InstanceReport::new(Role::Uplink, self.config.id.clone())
            };
            if let Err(error) = self.bus.report(report).await {
                // The bus logs once that its servers do not answer.
                tracing::debug!(%error, "the registry was not told of this uplink");
            }
            if draining {
                return;
            }
            self.moderator.reload().await;
        }
    }

    pub(crate) fn likes(&self) -> MutexGuard<'_, Recent<(RoomId, UserId, MessageId)>> {
        self.likes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal on its way out.
    pub(crate) fn counted<T>(&self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        if let Err(error) = &result {
            self.metrics.refused(error.0.code);
        }
        result
    }
}

/// Admin calls of all roles of the process go into the audit log.
impl AuditSink for Uplink {
    fn record(&self, call: AdminCall) {
        self.audit.record(call);
    }
}

fn rooms(uplink: Arc<Uplink>) -> Router {
    Router::new()
        .route("/v1/rooms/{room}/messages", post(send::message))
        .route("/v1/rooms/{room}/packages", post(send::package))
        .route("/v1/rooms/{room}/history", get(history::handle))
        .with_state(uplink)
}

/// The public routes.
pub fn router(uplink: Arc<Uplink>) -> Router {
    let tunnelled = rooms(Arc::clone(&uplink));
    let tunnel = tunnel::Tunnel { inner: tunnelled, uplink: Arc::clone(&uplink) };
    rooms(uplink).merge(Router::new().route("/v1/tunnel", post(tunnel::handle)).with_state(Arc::new(tunnel)))
}

/// The admin API, for the admin listener alone.
pub fn admin_router(uplink: Arc<Uplink>) -> AdminRoutes {
    let routes = Router::new()
        .route("/v1/admin/rooms", get(admin::list_rooms))
        .route("/v1/admin/rooms/{room}", put(admin::put_room))
        .route("/v1/admin/rooms/{room}/mute", post(restrict::mute))
        .route("/v1/admin/rooms/{room}/unmute", post(restrict::unmute))
        .route("/v1/admin/rooms/{room}/mute-all", post(admin::mute_all))
        .route("/v1/admin/rooms/{room}/slow-mode", post(admin::slow_mode))
        .route("/v1/admin/rooms/{room}/recall", post(admin::recall))
        .route("/v1/admin/rooms/{room}/kick", post(restrict::kick))
        .route("/v1/admin/rooms/{room}/unkick", post(restrict::unkick))
        .route("/v1/admin/rooms/{room}/restrictions", get(restrict::restrictions))
        .route("/v1/admin/users/{user}/revoke", post(restrict::revoke))
        .route("/v1/admin/tokens/revoke", post(restrict::revoke_all))
        .route("/v1/admin/rooms/{room}/close", post(admin::close))
        .route("/v1/admin/broadcast", post(broadcast::broadcast))
        .route("/v1/admin/switches", get(explain::list_switches))
        .route("/v1/admin/switches/{name}", put(explain::set_switch))
        .route("/v1/admin/why/{id}", get(explain::why))
        .route("/v1/admin/audit", get(explain::audit))
        .route("/v1/admin/recorder/uplink", get(explain::recorder))
        .with_state(uplink);
    AdminRoutes::new(routes)
}
