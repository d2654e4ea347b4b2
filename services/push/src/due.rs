//! What is sent when a waiting notification is due. Many letters of one conversation are one row, and one notification.

use crate::device::{Device, DeviceId, Presence};

/// Time in milliseconds from the first letter to its notification: who reads in time is not disturbed.
pub const DUE_AFTER_MS: u64 = 5_000;

/// The queue's row of one user and conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Unix time in milliseconds at which the notification is due.
    pub due_ms: u64,
    /// Newest position of the conversation that the notification is about.
    pub up_to: u64,
}

/// State of the user at that moment, read in the transaction that takes the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// Position up to which the user has read the conversation.
    pub read: u64,
    /// Whether the user wants notifications of this conversation and kind now: not muted, no quiet hours.
    pub wants: bool,
    /// Total of unread items of the user.
    pub total: u32,
}

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// The row stays: it is not due.
    Wait,
    /// The row goes without a notification: the user has read it, or wants none.
    Drop,
    /// The row goes, and these devices get the notification with this badge. An empty list says that each device of the
    /// user looks already.
    Send {
        /// Devices that get the notification.
        devices: Vec<DeviceId>,
        /// Number at the app's symbol.
        badge: u32,
    },
}

impl Waiting {
    /// Returns the row after one more item: the time stays, so that a busy conversation cannot put its notification off.
    #[must_use]
    pub fn with(row: Option<Waiting>, position: u64, now_ms: u64) -> Waiting {
        match row {
            Some(row) => Waiting { up_to: row.up_to.max(position), ..row },
            None => Waiting { due_ms: now_ms.saturating_add(DUE_AFTER_MS), up_to: position },
        }
    }
}

/// Decides what becomes of a row.
#[must_use]
pub fn plan(row: Waiting, due: Due, devices: &[Device]) -> Plan {
    if due.read >= row.up_to || !due.wants {
        return Plan::Drop;
    }
    if due.now_ms < row.due_ms {
        return Plan::Wait;
    }
    // The device in the user's hand shows the letter already. The others may lie in another room.
    let away = devices.iter().filter(|device| device.presence == Presence::Away);
    Plan::Send { devices: away.map(|device| device.id.clone()).collect(), badge: due.total }
}

/// Returns the devices whose badge is lowered without a sound, after the user has read elsewhere: those that were told a
/// higher one. A badge is never raised in this way.
#[must_use]
pub fn badges_to_lower(total: u32, devices: &[Device]) -> Vec<DeviceId> {
    devices.iter().filter(|device| device.badge > total).map(|device| device.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn device(id: &str, presence: Presence, badge: u32) -> Device {
        Device { id: id.into(), presence, badge }
    }

    #[test]
    fn many_letters_are_one_notification_which_a_busy_sender_cannot_put_off() {
        let mut row = Waiting::with(None, 1, 1_000);
        for n in 2..100 {
            row = Waiting::with(Some(row), n, 1_000 + n * 100);
        }
        assert_eq!(row, Waiting { due_ms: 6_000, up_to: 99 });
        assert_eq!(Waiting::with(Some(row), 7, 9_000), row, "an older item changes nothing");
    }

    #[test]
    fn device_in_the_hand_is_spared_and_others_are_not() {
        let devices = [device("phone", Presence::Away, 0), device("laptop", Presence::Looks, 0)];
        let due = Due { now_ms: 6_000, read: 3, wants: true, total: 9 };
        let row = Waiting { due_ms: 6_000, up_to: 4 };
        assert_eq!(plan(row, due, &devices), Plan::Send { devices: vec!["phone".into()], badge: 9 });
        assert_eq!(plan(row, Due { now_ms: 5_999, ..due }, &devices), Plan::Wait);
        assert_eq!(plan(row, Due { read: 4, ..due }, &devices), Plan::Drop);
        assert_eq!(plan(row, Due { wants: false, ..due }, &devices), Plan::Drop);
    }

    #[test]
    fn badge_is_lowered_and_never_raised() {
        let badges = [("high", 5), ("same", 2), ("low", 1), ("none", 0)];
        let devices = badges.map(|(id, badge)| device(id, Presence::Away, badge));
        assert_eq!(badges_to_lower(2, &devices), ["high"]);
        assert_eq!(badges_to_lower(0, &devices), ["high", "same", "low"]);
    }

    proptest! {
        #[test]
        fn nothing_that_was_read_is_ever_sent(up_to in 0_u64..50, read in 0_u64..50, now_ms: u64, due_ms: u64) {
            let due = Due { now_ms, read, wants: true, total: 1 };
            let planned = plan(Waiting { due_ms, up_to }, due, &[device("a", Presence::Away, 0)]);
            prop_assert_eq!(planned == Plan::Drop, read >= up_to);
            prop_assert_eq!(matches!(planned, Plan::Send { .. }), read < up_to && now_ms >= due_ms);
        }
    }
}
