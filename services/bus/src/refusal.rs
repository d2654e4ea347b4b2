//! What a client is answered when the bus did not do it: one place for all roles.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use crate::bus::BusError;
use crate::change::ChangeError;
use crate::switch::SwitchError;

/// When to come back after the log or the settings could not be written.
const RETRY_MS: u64 = 500;

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        let message = error.to_string();
        match error {
            BusError::Conflict => Refusal::new(Code::Conflict, format!("{message}; choose a new id")),
            BusError::Unavailable(_) => Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS),
            BusError::Full(_) => Refusal::new(Code::Overloaded, message).retry_after_ms(RETRY_MS),
            BusError::SeveralTopics => Refusal::new(Code::Internal, message),
            BusError::Refused(change) => Refusal::new(code(&change), message),
        }
    }
}

fn code(error: &ChangeError) -> Code {
    match error {
        ChangeError::UnknownRoom => Code::UnknownRoom,
        ChangeError::Switch(SwitchError::Unknown) | ChangeError::NotAnnounced => Code::NotFound,
        ChangeError::Switch(SwitchError::Value(..)) => Code::BadRequest,
        ChangeError::PrewarmsFull => Code::Conflict,
    }
}
