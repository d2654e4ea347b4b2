//! Tickets for newcomers whose slot is in the future.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::code::Refusal;
use barrage_protocol::entry::EntryTicket;
use barrage_protocol::{Code, RoomId};
use barrage_token::{Keyring, Ticket};

/// Milliseconds after which a client may ask again when its ticket cannot be signed.
const RETRY_MS: u64 = 1_000;

/// Signs tickets with the keys of this process.
pub(crate) struct TicketSigner {
    keyring: Arc<Keyring>,
    /// Time for which a ticket is valid after its slot.
    life: Duration,
}

impl TicketSigner {
    pub(crate) const fn new(keyring: Arc<Keyring>, life: Duration) -> Self {
        TicketSigner { keyring, life }
    }

    /// Signs a ticket for the slot after `wait`.
    pub(crate) fn sign(&self, room: &RoomId, wait: Duration) -> Result<EntryTicket, Refusal> {
        let wait_ms = millis(wait);
        let not_before_ms = barrage_clock::unix_ms().saturating_add(wait_ms);
        let expires_ms = not_before_ms.saturating_add(millis(self.life));
        let ticket = Ticket { room: room.clone(), not_before_ms, expires_ms, id: rand::random() };
        let token = self.keyring.sign_ticket(ticket).map_err(|error| {
            tracing::error!(%error, "a ticket cannot be signed");
            Refusal::new(Code::Internal, "a ticket cannot be signed").retry_after_ms(RETRY_MS)
        })?;
        Ok(EntryTicket { token, wait_ms })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
