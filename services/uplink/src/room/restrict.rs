//! Mutes and removals of users from a room, and their ends.

use barrage_bus::{Change, Restriction, RestrictionKind};
use barrage_protocol::code::Refusal;
use barrage_protocol::{RoomId, Sequence, UserId};

use super::control::RoomControl;
use super::signal::Signal;

/// The restriction in force after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restricted {
    /// End of the restriction: later than asked when a longer one was set before.
    pub(crate) until_ms: u64,
    /// Sequence of the signal that announced it.
    pub(crate) sequence: Sequence,
}

impl RoomControl {
    /// Mutes or removes a user.
    ///
    /// A mute is in force before the user's devices are notified. A kick is signalled to the whole
    /// room first, so that the user's own connections receive it before the gateways close them. Letters
    /// have no viewers: their mute is signalled to nobody.
    pub(crate) async fn restrict(
        &self,
        room: &RoomId,
        user: &UserId,
        restriction: Restriction,
    ) -> Result<Restricted, Refusal> {
        match restriction.kind {
            RestrictionKind::Mute => {
                let until_ms = self.set_restriction(room, user, restriction).await?;
                if *room == RoomId::letters() {
                    return Ok(Restricted { until_ms, sequence: Sequence::ZERO });
                }
                let signal = Signal::Mute { user, until_ms };
                let sequence = self.signal(room, &signal, Some(user.clone())).await?;
                Ok(Restricted { until_ms, sequence })
            }
            RestrictionKind::Kick => {
                let settings = self.settings();
                let known = settings.restrictions.get(&(room.clone(), user.clone()));
                let known_ms = known.and_then(|known| known.kick_until_ms).unwrap_or(0);
                let signal = Signal::Kick { user, until_ms: restriction.until_ms.max(known_ms) };
                let sequence = self.signal(room, &signal, None).await?;
                let until_ms = self.set_restriction(room, user, restriction).await?;
                Ok(Restricted { until_ms, sequence })
            }
        }
    }

    async fn set_restriction(
        &self,
        room: &RoomId,
        user: &UserId,
        restriction: Restriction,
    ) -> Result<u64, Refusal> {
        let change = Change::Restrict { room: room.clone(), user: user.clone(), restriction };
        let changed = self.bus().change(change).await?;
        Ok(changed.restrictions().until_ms(restriction.kind, 0).unwrap_or(restriction.until_ms))
    }

    /// Lifts a restriction of one kind; a restriction of the other kind stays in force. The user's
    /// devices are notified when a mute ends.
    pub(crate) async fn lift(
        &self,
        room: &RoomId,
        user: &UserId,
        kind: RestrictionKind,
    ) -> Result<(), Refusal> {
        self.bus().change(Change::Lift { room: room.clone(), user: user.clone(), kind }).await?;
        if kind == RestrictionKind::Kick || *room == RoomId::letters() {
            return Ok(());
        }
        self.signal(room, &Signal::Unmute { user }, Some(user.clone())).await?;
        Ok(())
    }
}
