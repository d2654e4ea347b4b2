//! Answers to clients for errors of the bus, the same for all roles.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use crate::error::BusError;
use crate::settings::error::ChangeError;
use crate::settings::switch::SwitchError;

/// Retry time in answers when the log or the settings cannot be written.
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
        ChangeError::Switch(SwitchError::Unknown) | ChangeError::UnknownPrewarm => Code::NotFound,
        ChangeError::Switch(SwitchError::Value(..)) => Code::BadRequest,
        ChangeError::PrewarmsFull
        | ChangeError::ActionConflict
        | ChangeError::PollRunning
        | ChangeError::RolesFull
        | ChangeError::AttributeVersion(_)
        | ChangeError::AttributesFull
        | ChangeError::AttributesTooLarge => Code::Conflict,
    }
}
