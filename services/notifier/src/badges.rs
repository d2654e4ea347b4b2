//! Lowers badges after a read: the number at the symbol of an app must not stay when its user has read on another device.

use std::sync::Arc;
use std::time::Duration;

use barrage_push::{Device, Presence, badges_to_lower};
use barrage_store::{Badges, DeviceRecord, PushStore};
use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::config::PushConfig;
use crate::dispatch::{Delivered, Dispatch};
use crate::error::NotifierError;
use crate::metrics::NotifierMetrics;

/// Time between two looks while nobody is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Users of one look.
const TAKE_MAX: usize = 64;
/// Users whose devices are told at the same time. Notifications have their own places.
const PARALLEL_MAX: usize = 16;

/// Lowers badges until the shutdown. What a service does not take is not tried again: the next read or notification
/// corrects it.
pub(crate) async fn run(
    store: Arc<dyn PushStore>,
    dispatch: Arc<Dispatch>,
    metrics: NotifierMetrics,
    shutdown: CancellationToken,
) -> Result<(), NotifierError> {
    let mut backoff = PushConfig::store_backoff();
    while !shutdown.is_cancelled() {
        let wait = match store.take_badges(barrage_clock::unix_ms(), TAKE_MAX).await {
            Ok(users) => {
                backoff = PushConfig::store_backoff();
                let is_full = users.len() == TAKE_MAX;
                let lowers = users.into_iter().map(|user| lower(&*store, &dispatch, &metrics, user));
                stream::iter(lowers).buffer_unordered(PARALLEL_MAX).collect::<Vec<()>>().await;
                if is_full { Duration::ZERO } else { LOOK_EVERY }
            }
            Err(error) if error.is_retryable() => {
                metrics.failures.inc();
                tracing::warn!(%error, "badges that are due cannot be read");
                backoff.next_wait(rand::random())
            }
            Err(error) => return Err(NotifierError::Store(error)),
        };
        shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
    Ok(())
}

async fn lower(store: &dyn PushStore, dispatch: &Dispatch, metrics: &NotifierMetrics, user: Badges) {
    let badge = u32::try_from(user.total).unwrap_or(u32::MAX);
    let seen = |device: &DeviceRecord| Device {
        id: device.device.clone(),
        presence: Presence::Away,
        badge: device.badge,
    };
    let devices: Vec<_> = user.devices.iter().map(seen).collect();
    let high = badges_to_lower(badge, &devices);
    let mut told = Vec::new();
    for device in user.devices.iter().filter(|device| high.contains(&device.device)) {
        if dispatch.lower(user.user, device, badge).await == Delivered::Taken {
            told.push(device.device.clone());
        }
    }
    if told.is_empty() {
        return;
    }
    metrics.badges_lowered.inc_by(told.len() as u64);
    if let Err(error) = store.note_badge(user.user, &told, badge, barrage_clock::unix_ms()).await {
        metrics.failures.inc();
        tracing::debug!(%error, "a badge could not be noted");
    }
}
