use std::collections::BTreeSet;

use barrage_protocol::RoomId;
use barrage_token::{Keyring, TICKET_LEEWAY_MS, Ticket, TicketError};
use parking_lot::Mutex;

/// Used tickets remembered until they expire: one minute of the joins that one process takes. At
/// the bound a further ticket counts as none, so that its viewer joins without a ticket.
const USED_MAX: usize = 262_144;

/// Priority of a join in the join queue, by its ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Valid ticket: the join goes before those without.
    Ticket(Ticket),
    /// No ticket: the join finds less room in the queue while tickets come.
    None,
}

/// Checks the ticket of a handshake and marks it as used, before anything is allocated for the
/// viewer. `now_ms` is Unix time.
pub(crate) fn take_ticket(
    used: &UsedTickets,
    keyring: &Keyring,
    room: &RoomId,
    ticket: Option<&str>,
    now_ms: u64,
) -> Result<Pass, TicketError> {
    let Some(text) = ticket else { return Ok(Pass::None) };
    let ticket = keyring.check_ticket(text, room, now_ms)?;
    used.0.lock().take(ticket, now_ms, USED_MAX)
}

/// Tickets that were used at this gateway and have not expired.
#[derive(Debug, Default)]
pub(crate) struct UsedTickets(Mutex<Used>);

impl UsedTickets {
    /// Frees the ticket of a viewer that was refused, so that it is valid again.
    pub(crate) fn give_back(&self, pass: &Pass) {
        if let Pass::Ticket(ticket) = pass {
            self.0.lock().by_end.remove(&(ticket.expires_ms, ticket.id));
        }
    }
}

/// End of time (Unix milliseconds) and id of each used ticket.
#[derive(Debug, Default)]
struct Used {
    by_end: BTreeSet<(u64, u64)>,
}

impl Used {
    fn take(&mut self, ticket: Ticket, now_ms: u64, max: usize) -> Result<Pass, TicketError> {
        let expired = (now_ms.saturating_sub(TICKET_LEEWAY_MS), 0);
        if self.by_end.first().is_some_and(|first| *first < expired) {
            self.by_end = self.by_end.split_off(&expired);
        }
        let key = (ticket.expires_ms, ticket.id);
        if self.by_end.contains(&key) {
            return Err(TicketError::Used);
        }
        if self.by_end.len() >= max {
            return Ok(Pass::None);
        }
        self.by_end.insert(key);
        Ok(Pass::Ticket(ticket))
    }
}

#[cfg(test)]
mod tests {
    use barrage_token::TokenConfig;

    use super::*;

    fn ticket(id: u64, expires_ms: u64) -> Ticket {
        Ticket { room: "demo".parse().unwrap(), not_before_ms: 0, expires_ms, id }
    }

    #[test]
    fn a_ticket_is_taken_once_until_it_expires() {
        let mut used = Used::default();
        let first = ticket(7, 40_000);
        assert_eq!(used.take(first.clone(), 10_000, 9), Ok(Pass::Ticket(first.clone())));
        assert_eq!(used.take(first.clone(), 41_000, 9), Err(TicketError::Used), "the leeway counts");
        assert!(used.take(ticket(7, 50_000), 41_000, 9).is_ok(), "another ticket of the same number");
        used.take(ticket(8, 60_000), 45_000, 9).unwrap();
        assert_eq!(used.by_end.len(), 2);
    }

    #[test]
    fn at_the_bound_a_ticket_counts_as_none_and_none_is_forgotten() {
        let mut used = Used::default();
        for id in 0..4 {
            used.take(ticket(id, 40_000), 10_000, 4).unwrap();
        }
        assert_eq!(used.take(ticket(4, 40_000), 10_000, 4), Ok(Pass::None));
        assert_eq!(used.take(ticket(0, 40_000), 10_000, 4), Err(TicketError::Used));
    }

    #[test]
    fn the_ticket_of_a_refused_viewer_is_valid_again() {
        let (used, room) = (UsedTickets::default(), "demo".parse().unwrap());
        let keyring = Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap();
        let signed = keyring.sign_ticket(ticket(1, 40_000)).unwrap();
        let take = || take_ticket(&used, &keyring, &room, Some(&signed), 10_000);
        let pass = take().unwrap();
        assert_eq!(take(), Err(TicketError::Used));
        used.give_back(&pass);
        assert_eq!(take(), Ok(pass));
    }
}
