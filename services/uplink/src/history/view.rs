//! What a reader sees of a room with a moderation delay. Pure.

use barrage_bus::Settings;
use barrage_protocol::RoomId;
use barrage_token::{Identity, Role};

/// Milliseconds beyond a room's moderation delay after which viewers get a message from the history: the clocks
/// of uplinks differ.
const SLACK_MS: u64 = 3_000;

/// What a reader sees of a room. Pages are shared by readers of the same view alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// Of viewers, who get messages after the room's moderation delay; 0 for no delay.
    Viewers { delay_ms: u64 },
    /// Of moderators and above, who get all messages at once. No page of this view is kept.
    Staff,
}

impl View {
    /// Returns the view of a caller, whose role is that in the room; `None` is a viewer without a token.
    pub(crate) fn of(settings: &Settings, room: &RoomId, caller: Option<&Identity>) -> Self {
        if caller.is_some_and(|by| by.role >= Role::Moderator) {
            return View::Staff;
        }
        View::Viewers {
            delay_ms: settings.rooms.get(room).map_or(0, |it| u64::from(it.moderation_delay_secs) * 1_000),
        }
    }

    /// Returns the time up to which this view has messages; the end of time without a delay.
    pub(crate) fn shown_to_ms(self, now_ms: u64) -> u64 {
        match self {
            View::Viewers { delay_ms } if delay_ms > 0 => now_ms.saturating_sub(delay_ms + SLACK_MS),
            View::Viewers { .. } | View::Staff => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use barrage_bus::{BusConfig, Change, RoomPatch};
    use barrage_token::Rooms;

    use super::*;

    #[test]
    fn the_delay_and_the_role_decide_the_view() {
        let room: RoomId = "r".parse().unwrap();
        let mut settings = Settings::default();
        let mut apply = |patch| {
            settings.apply(&Change::Patch(room.clone(), patch), &BusConfig::default(), 1).unwrap();
            settings.clone()
        };
        let plain = apply(RoomPatch::Ensure { title: "R".into() });
        let delayed = apply(RoomPatch::ModerationDelay { secs: 5 });
        let by = |role| Identity {
            user: "u".parse().unwrap(),
            name: String::new(),
            role,
            rooms: Rooms(vec![]),
            expires_at_secs: 0,
            issued_at_secs: None,
            attrs: None,
        };
        let (viewer, host) = (by(Role::Viewer), by(Role::Host));
        assert_eq!(View::of(&plain, &room, None), View::Viewers { delay_ms: 0 });
        assert_eq!(View::of(&delayed, &room, Some(&viewer)), View::Viewers { delay_ms: 5_000 });
        assert_eq!(View::of(&delayed, &room, Some(&host)), View::Staff);
        assert_eq!(View::Viewers { delay_ms: 5_000 }.shown_to_ms(10_000), 2_000);
        assert_eq!(View::Viewers { delay_ms: 0 }.shown_to_ms(10_000), u64::MAX);
        assert_eq!(View::Staff.shown_to_ms(10_000), u64::MAX);
    }
}
