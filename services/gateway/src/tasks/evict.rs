//! Closes the connections that a change of the settings concerns.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{RestrictionKind, Settings};
use barrage_clock::unix_ms;
use barrage_protocol::{RoomId, UserId};

use crate::admission::{Eviction, Scope};
use crate::context::Context;
use crate::load::HEARTBEAT_EVERY;

/// Follows the settings until the gateway ends.
pub(crate) async fn evict(context: &Context) {
    let mut settings = context.bus.settings();
    // The keyring refuses tokens that were revoked before the start, so no viewer has one.
    let revocations = Arc::clone(&settings.borrow().revocations);
    let mut before = Arc::new(Settings { revocations, ..Settings::default() });
    let mut beat = tokio::time::interval(HEARTBEAT_EVERY);
    loop {
        let now = settings.borrow_and_update().clone();
        apply(context, &before, &now).await;
        before = now;
        loop {
            tokio::select! {
                changed = settings.changed() => match changed {
                    Ok(()) => break,
                    // The bus has ended: no setting changes any more.
                    Err(_) => return context.lifecycle.ended.cancelled().await,
                },
                _ = beat.tick() => context.lifecycle.heartbeats.evictions.beat(),
                () = context.lifecycle.ended.cancelled() => return,
            }
        }
    }
}

async fn apply(context: &Context, before: &Settings, now: &Settings) {
    let two_windows = Duration::from_millis(2 * context.config.window_ms);
    for (room, user) in new_kicks(before, now, unix_ms()) {
        context.dispatch.evict(Eviction::kick(room, user)).await;
    }
    let revoked = new_revocations(before, now);
    if !revoked.is_empty() {
        // The keyring follows the same settings. It must refuse the tokens before their viewers
        // can come back.
        tokio::time::sleep(two_windows).await;
    }
    for scope in revoked {
        context.dispatch.evict(Eviction::revoked(scope)).await;
    }
    for room in new_closes(before, now) {
        // The signal that the room closes was published before; it is one window behind at most.
        tokio::time::sleep(two_windows).await;
        context.dispatch.evict(Eviction::close(room)).await;
    }
}

/// Returns the kicks in force that were not in force before, or had another end.
fn new_kicks(before: &Settings, now: &Settings, now_ms: u64) -> Vec<(RoomId, UserId)> {
    let is_new = |(key, restrictions): &(&(RoomId, UserId), &barrage_bus::Restrictions)| {
        restrictions.until_ms(RestrictionKind::Kick, now_ms).is_some()
            && before.restrictions.get(*key).and_then(|it| it.kick_until_ms) != restrictions.kick_until_ms
    };
    now.restrictions.iter().filter(is_new).map(|(key, _)| key.clone()).collect()
}

/// Returns the viewers whose tokens are revoked now and were not before, or up to an earlier time.
fn new_revocations(before: &Settings, now: &Settings) -> Vec<Scope> {
    // Unchanged revocations share their allocation.
    if Arc::ptr_eq(&before.revocations, &now.revocations) {
        return Vec::new();
    }
    if now.revocations.all_before > before.revocations.all_before {
        return vec![Scope::Users];
    }
    let is_new = |(user, secs): &(&UserId, &u64)| before.revocations.by_user.get(*user) != Some(*secs);
    now.revocations.by_user.iter().filter(is_new).map(|(user, _)| Scope::User(user.clone())).collect()
}

/// Returns the rooms that are closed now and were not before.
fn new_closes(before: &Settings, now: &Settings) -> Vec<RoomId> {
    let was_closed = |id: &RoomId| before.rooms.get(id).is_some_and(|room| room.closed);
    let closed = now.rooms.iter().filter(|(id, room)| room.closed && !was_closed(id));
    closed.map(|(id, _)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_closes_connections_once() {
        let with = |by_user: &[(&str, u64)], all_before| {
            let by_user = by_user.iter().map(|(user, secs)| (user.parse().unwrap(), *secs)).collect();
            let revocations = Arc::new(barrage_bus::Revocations { by_user, all_before });
            Settings { revocations, ..Settings::default() }
        };
        let user = |name: &str| Scope::User(name.parse().unwrap());
        let (before, now) = (with(&[("u", 5)], None), with(&[("u", 5), ("v", 7)], None));
        assert_eq!(new_revocations(&before, &now), [user("v")]);
        assert_eq!(new_revocations(&now, &with(&[("u", 9), ("v", 7)], None)), [user("u")]);
        assert_eq!(new_revocations(&now, &with(&[], Some(9))), [Scope::Users]);
        assert!(new_revocations(&now, &now.clone()).is_empty());
    }
}
