//! Closes the connections that a change of the settings concerns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{RestrictionKind, Settings};
use barrage_clock::unix_ms;
use barrage_protocol::action::RoomRole;
use barrage_protocol::{RoomId, UserId};

use crate::admission::{Eviction, Scope};
use crate::context::Context;
use crate::load::HEARTBEAT_EVERY;
use crate::room::{Rooms, View, delay_ms};

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
    for (room, users) in new_views(before, now) {
        for user in refreshed(&context.rooms, &room, users) {
            context.dispatch.evict(Eviction::refresh(room.clone(), user)).await;
        }
    }
    for room in new_closes(before, now) {
        // The signal that the room closes was published before; it is one window behind at most.
        tokio::time::sleep(two_windows).await;
        context.dispatch.evict(Eviction::close(room)).await;
    }
}

/// Returns the kicks in force that were not in force before, or had another end. Reads the restrictions
/// that were changed, not all.
fn new_kicks(before: &Settings, now: &Settings, now_ms: u64) -> Vec<(RoomId, UserId)> {
    let is_new = |key: &&(RoomId, UserId)| {
        now.restrictions.get(key).is_some_and(|restrictions| {
            restrictions.until_ms(RestrictionKind::Kick, now_ms).is_some()
                && before.restrictions.get(key).and_then(|it| it.kick_until_ms) != restrictions.kick_until_ms
        })
    };
    now.restrictions.changed_keys(&before.restrictions).filter(is_new).cloned().collect()
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

/// Users of a room with a delay whose view of the room has changed.
#[derive(Debug, PartialEq, Eq)]
struct NewViews {
    /// Those whom the room gave a role, or took one from.
    given: Vec<UserId>,
    /// The delay is new: those whom the room remembers as staff are concerned, too.
    is_delay_new: bool,
}

/// Returns the rooms with a delay in which users have another view now: the delay began, or a role was
/// given or taken.
fn new_views(before: &Settings, now: &Settings) -> Vec<(RoomId, NewViews)> {
    let of_room = |room: &RoomId| {
        let is_delay_new = delay_ms(before, room) == 0;
        let is_staff = |settings: &Settings, user: &UserId| {
            settings.roles.get(room).is_some_and(|roles| roles.given(user) >= RoomRole::Moderator)
        };
        let users = [before, now].into_iter().filter_map(|settings| settings.roles.get(room));
        let users: BTreeSet<&UserId> = users.flat_map(|it| it.all_given().map(|(user, _)| user)).collect();
        let changed = |user: &&UserId| {
            let is_now = is_staff(now, user);
            if is_delay_new { is_now } else { is_now != is_staff(before, user) }
        };
        let given: Vec<_> = users.into_iter().filter(changed).cloned().collect();
        NewViews { given, is_delay_new }
    };
    let rooms = now.rooms.changed_keys(&before.rooms);
    let touched: BTreeSet<&RoomId> = rooms.chain(now.roles.changed_keys(&before.roles)).collect();
    let delayed = touched.into_iter().filter(|room| delay_ms(now, room) > 0);
    let changed = delayed.map(|room| (room.clone(), of_room(room)));
    changed.filter(|(_, views)| views.is_delay_new || !views.given.is_empty()).collect()
}

/// Returns the users whose connections to a room close for another view. When a delay begins, these are also
/// those that joined with a role of their token, and those that joined as moderators under an earlier delay:
/// they may have lost the role while there was none.
fn refreshed(rooms: &Rooms, room: &RoomId, views: NewViews) -> BTreeSet<UserId> {
    let NewViews { given, is_delay_new } = views;
    let known = View::ALL.into_iter().filter(|_| is_delay_new).filter_map(|view| rooms.get(room, view));
    given.into_iter().chain(known.flat_map(|room| room.staff())).collect()
}

/// Returns the rooms that are closed now and were not before.
fn new_closes(before: &Settings, now: &Settings) -> Vec<RoomId> {
    let is_closed = |settings: &Settings, id: &RoomId| settings.rooms.get(id).is_some_and(|room| room.closed);
    let changed = now.rooms.changed_keys(&before.rooms);
    changed.filter(|id| is_closed(now, id) && !is_closed(before, id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moderators_reconnect_when_a_delay_begins_and_when_their_role_changes() {
        let (room, limits): (RoomId, _) = ("r".parse().unwrap(), barrage_bus::BusConfig::default());
        let user = |name: &str| -> UserId { name.parse().unwrap() };
        let mut steps = vec![Settings::default()];
        let patch = |patch| barrage_bus::Change::Patch("r".parse().unwrap(), patch);
        let role = |name, role| barrage_bus::Change::Role { room: room.clone(), user: user(name), role };
        for change in [
            patch(barrage_bus::RoomPatch::Ensure { title: String::new() }),
            role("mia", RoomRole::Moderator),
            patch(barrage_bus::RoomPatch::ModerationDelay { secs: 5 }),
            patch(barrage_bus::RoomPatch::ModerationDelay { secs: 9 }),
            role("bo", RoomRole::Host),
            role("mia", RoomRole::Viewer),
            patch(barrage_bus::RoomPatch::ModerationDelay { secs: 0 }),
        ] {
            let mut next = steps[steps.len() - 1].clone();
            next.apply(&change, &limits, 0).unwrap();
            steps.push(next);
        }
        let changes: Vec<_> = steps.windows(2).map(|pair| new_views(&pair[0], &pair[1])).collect();
        let one =
            |name, is_delay_new| vec![(room.clone(), NewViews { given: vec![user(name)], is_delay_new })];
        let none = Vec::new;
        let expected =
            [none(), none(), one("mia", true), none(), one("bo", false), one("mia", false), none()];
        assert_eq!(changes, expected);
    }

    #[tokio::test]
    async fn those_in_the_view_of_an_earlier_delay_reconnect_when_another_begins() {
        let start_hub = |room: Arc<crate::room::Room>| {
            let _first = room.ready.set(());
        };
        let (rooms, id): (_, RoomId) = (Rooms::new(1, Box::new(start_hub)), "r".parse().unwrap());
        let user = |name: &str| -> UserId { name.parse().unwrap() };
        for (view, name) in [(View::Everyone, "token"), (View::Staff, "was-moderator")] {
            let seat = rooms.seat(&id, view, crate::room::SeatKind::Viewer).await.unwrap();
            seat.room.add_staff(&user(name));
        }
        let views = |is_delay_new| NewViews { given: vec![user("mia")], is_delay_new };
        let names = |is_delay_new| -> Vec<_> {
            refreshed(&rooms, &id, views(is_delay_new)).iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(true), ["mia", "token", "was-moderator"]);
        assert_eq!(names(false), ["mia"]);
    }

    #[test]
    fn kicks_and_closes_are_found_among_the_changed_settings() {
        let limits = barrage_bus::BusConfig::default();
        let room = |n: u32| -> RoomId { format!("r{n}").parse().unwrap() };
        let mut before = Settings::default();
        let kick = |room: RoomId, user: &str| barrage_bus::Change::Restrict {
            room,
            user: user.parse().unwrap(),
            restriction: barrage_bus::Restriction { kind: RestrictionKind::Kick, until_ms: 1_000_000 },
        };
        for n in 0..500 {
            let ensure = barrage_bus::RoomPatch::Ensure { title: String::new() };
            before.apply(&barrage_bus::Change::Patch(room(n), ensure), &limits, 0).unwrap();
            before.apply(&kick(room(n), "known"), &limits, 0).unwrap();
        }
        let mut now = before.clone();
        now.apply(&kick(room(7), "ann"), &limits, 0).unwrap();
        now.apply(&kick(room(8), "known"), &limits, 0).unwrap();
        now.apply(&barrage_bus::Change::Patch(room(9), barrage_bus::RoomPatch::Close), &limits, 0).unwrap();
        assert_eq!(new_kicks(&before, &now, 1), [(room(7), "ann".parse().unwrap())]);
        assert_eq!(new_closes(&before, &now), [room(9)]);
        assert!(new_kicks(&now, &now.clone(), 1).is_empty() && new_closes(&now, &now.clone()).is_empty());
        // A gateway that has just started has no settings from before.
        assert_eq!(new_kicks(&Settings::default(), &now, 1).len(), 501);
    }

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
