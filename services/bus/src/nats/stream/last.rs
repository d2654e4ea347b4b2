//! The newest message of a room in a stream.

use async_nats::HeaderMap;
use barrage_protocol::Sequence;

use super::envelope::Envelope;
use crate::error::BusError;
use crate::settings::room_place::Chain;

/// The newest message of a subject; the default for a subject without messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Last {
    /// Position in the stream.
    pub(crate) at: Sequence,
    /// Number of moves of the room before the message was published.
    epoch: u64,
}

impl Last {
    pub(crate) fn new(at: Sequence, headers: &HeaderMap) -> Self {
        let epoch = Envelope::read(headers).map_or(0, |envelope| envelope.chain.epoch);
        Last { at, epoch }
    }

    /// Returns the position of the room's newest message, for a process that knows the room in this stay.
    ///
    /// Fails when the message is of a later stay in the same stream: the room was elsewhere meanwhile, and the
    /// settings of this process are from before that. With the numbers of the known stay its position would be
    /// one that the room has not reached, or one from before.
    pub(crate) fn position(self, known: Chain) -> Result<Sequence, BusError> {
        if self.epoch > known.epoch {
            let why = "this process does not know yet where the room is; try again";
            return Err(BusError::Unavailable(why.into()));
        }
        Ok(known.newest(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room went from a stream to another one and came back, while other rooms wrote a lot to the first.
    #[test]
    fn message_of_a_later_stay_has_no_position_in_an_earlier_one() {
        let stay = |epoch, lift, above, previous| Chain {
            epoch,
            lift,
            above: Sequence(above),
            previous: Sequence(previous),
        };
        let (first, back) = (stay(0, 0, 0, 0), stay(2, -998_995, 1_005, 1_004));
        let of_first = Last { at: Sequence(999), epoch: 0 };
        let of_back = Last { at: Sequence(1_000_001), epoch: 2 };
        assert_eq!(of_first.position(first), Ok(Sequence(999)));
        assert_eq!(of_back.position(back), Ok(Sequence(1_006)));
        assert_eq!(of_first.position(back), Ok(Sequence(1_004)), "the newest one is in the other stream");
        assert!(matches!(of_back.position(first), Err(BusError::Unavailable(_))), "not 1000001");
        assert_eq!(Last::default().position(first), Ok(Sequence::ZERO));
        assert_eq!(Last::default().position(back), Ok(Sequence(1_004)));
    }
}
