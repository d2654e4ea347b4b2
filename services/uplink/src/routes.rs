//! The uplink's state and its routes, public and admin.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use barrage_bus::Bus;
use barrage_flow::{Quota, RuleError};
use barrage_http::ApiError;
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use barrage_store::Store;
use barrage_token::{Identity, Keyring};
use tokio_util::sync::CancellationToken;

use crate::config::UplinkConfig;
use crate::limit::Limits;
use crate::metrics::UplinkMetrics;
use crate::pulse::Pulses;
use crate::recent::Recent;
use crate::{admin, guest, history, send, tunnel};

/// An uplink.
pub struct Uplink {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) anonymous: bool,
    pub(crate) guests: bool,
    pub(crate) config: UplinkConfig,
    pub(crate) metrics: UplinkMetrics,
    pub(crate) limits: Limits,
    pub(crate) pulses: Pulses,
    slow: Mutex<Recent<(RoomId, UserId)>>,
    likes: Mutex<Recent<(RoomId, UserId, MessageId)>>,
}

impl Uplink {
    /// An error when a limit's figures make no sense. `anonymous` lets history be read without a token; `guests` hands out tokens.
    pub fn new(
        bus: Arc<dyn Bus>,
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        (anonymous, guests): (bool, bool),
        config: UplinkConfig,
        quota: Arc<dyn Quota>,
        metrics: UplinkMetrics,
    ) -> Result<Arc<Self>, RuleError> {
        let slow = Mutex::new(Recent::new(config.recent_max));
        let likes = Mutex::new(Recent::new(config.recent_max));
        let limits = Limits::new(config.limits.clone(), quota)?;
        let pulses = Pulses::default();
        Ok(Arc::new(Uplink {
            bus,
            store,
            keyring,
            anonymous,
            guests,
            config,
            metrics,
            limits,
            pulses,
            slow,
            likes,
        }))
    }

    /// Sums likes and hands them on, until the shutdown.
    pub async fn run(&self, shutdown: CancellationToken) {
        self.pulses.run(&*self.bus, Duration::from_millis(self.config.pulse_ms.max(10)), shutdown).await;
    }

    pub(crate) fn likes(&self) -> MutexGuard<'_, Recent<(RoomId, UserId, MessageId)>> {
        self.likes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One chat per interval and viewer. (A retry of a message that was accepted but
    /// whose answer was lost is refused until the interval is over; then it is
    /// answered as the duplicate that it is.)
    pub(crate) fn slow_mode(
        &self,
        room: &RoomId,
        by: &Identity,
        _id: &MessageId,
        secs: u32,
        now_ms: u64,
    ) -> Result<(), ApiError> {
        let mut slow = self.slow.lock().unwrap_or_else(PoisonError::into_inner);
        let window_ms = u64::from(secs) * 1000;
        slow.take((room.clone(), by.user.clone()), window_ms, now_ms).map_err(|left_ms| {
            ApiError::new(Code::SlowMode, format!("slow mode: one message in {secs} s"))
                .retry_after_ms(left_ms)
        })
    }

    /// Counts a refusal on its way out.
    pub(crate) fn counted<T>(&self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        if let Err(error) = &result {
            self.metrics.refused(error.0.code);
        }
        result
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
    rooms(Arc::clone(&uplink))
        .merge(Router::new().route("/v1/guest", post(guest::handle)).with_state(uplink))
        .merge(Router::new().route("/v1/tunnel", post(tunnel::handle)).with_state(Arc::new(tunnel)))
}

/// The admin API, for the admin listener alone; every call needs a token with the
/// role admin.
pub fn admin_router(uplink: Arc<Uplink>) -> Router {
    Router::new()
        .route("/v1/admin/rooms", get(admin::list_rooms))
        .route("/v1/admin/rooms/{room}", put(admin::put_room))
        .route("/v1/admin/rooms/{room}/mute", post(admin::mute))
        .route("/v1/admin/rooms/{room}/unmute", post(admin::unmute))
        .route("/v1/admin/rooms/{room}/mute-all", post(admin::mute_all))
        .route("/v1/admin/rooms/{room}/slow-mode", post(admin::slow_mode))
        .route("/v1/admin/rooms/{room}/recall", post(admin::recall))
        .route("/v1/admin/rooms/{room}/kick", post(admin::kick))
        .route("/v1/admin/rooms/{room}/close", post(admin::close))
        .route("/v1/admin/broadcast", post(admin::broadcast))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&uplink), admin::authorize))
        .with_state(uplink)
}
