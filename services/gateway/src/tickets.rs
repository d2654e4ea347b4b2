//! Tickets at the gateway's door: each is taken once.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use barrage_protocol::RoomId;
use barrage_protocol::code::Refusal;
use barrage_token::{TICKET_LEEWAY_MS, Ticket, TicketError};

use crate::gateway::{Shared, unix_ms};

/// Used tickets remembered until they expire: a minute of the joins that one process
/// takes. At the bound a further ticket counts as none, so that its bearer is let in
/// like anybody else.
const USED_MAX: usize = 262_144;

/// How a viewer came to the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pass {
    /// With a good ticket: it goes before those without.
    Ticket(Ticket),
    /// Without.
    None,
}

/// The tickets that were used here and have not expired.
#[derive(Debug, Default)]
pub(crate) struct UsedTickets(Mutex<Used>);

impl UsedTickets {
    fn with<T>(&self, act: impl FnOnce(&mut Used) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The bearer was not let in: the ticket is as good as before.
    pub(crate) fn give_back(&self, pass: &Pass) {
        if let Pass::Ticket(ticket) = pass {
            self.with(|used| used.by_end.remove(&(ticket.expires_ms, ticket.id)));
        }
    }
}

/// By the end of their time.
#[derive(Debug, Default)]
struct Used {
    by_end: BTreeSet<(u64, u64)>,
}

impl Used {
    /// Remembers a ticket; one that is known already is refused.
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

impl Shared {
    /// Checks the ticket of a handshake, before anything is allocated for the viewer.
    pub(crate) fn pass(&self, room: &RoomId, ticket: Option<&str>) -> Result<Pass, Refusal> {
        let Some(text) = ticket else { return Ok(Pass::None) };
        let now_ms = unix_ms();
        let checked = self.access.keyring.check_ticket(text, room, now_ms);
        let taken = checked
            .and_then(|ticket| self.used_tickets.with(|used| used.take(ticket, now_ms, USED_MAX)))
            .inspect_err(|error| self.metrics.ticket(error.label()))?;
        self.metrics.ticket("taken");
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(id: u64, expires_ms: u64) -> Ticket {
        Ticket { room: "demo".parse().unwrap(), not_before_ms: 0, expires_ms, id }
    }

    #[test]
    fn once_until_it_expires_and_then_forgotten() {
        let mut used = Used::default();
        let first = ticket(7, 40_000);
        assert_eq!(used.take(first.clone(), 10_000, 9), Ok(Pass::Ticket(first.clone())));
        assert_eq!(used.take(first.clone(), 41_000, 9), Err(TicketError::Used), "the leeway counts");
        assert!(used.take(ticket(7, 50_000), 41_000, 9).is_ok(), "another one by the same number");
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
    fn who_was_not_let_in_may_show_it_again() {
        let used = UsedTickets::default();
        let pass = used.with(|used| used.take(ticket(1, 40_000), 10_000, 4)).unwrap();
        used.give_back(&pass);
        assert_eq!(used.with(|used| used.take(ticket(1, 40_000), 10_000, 4)), Ok(pass));
    }
}
