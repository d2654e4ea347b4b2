//! Answers to clients for errors of the bus, the same for all roles.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

use crate::error::BusError;
use crate::settings::error::ChangeError;
use crate::settings::switch::SwitchError;

/// Retry time in answers when the log or the settings cannot be written.
const RETRY_MS: u64 = 500;
/// Retry time in answers when moderators have to empty a queue first.
const QUEUE_RETRY_MS: u64 = 60_000;

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        let message = error.to_string();
        match error {
            BusError::Conflict => Refusal::new(Code::Conflict, format!("{message}; choose a new id")),
            BusError::Unavailable(_) => Refusal::new(Code::Unavailable, message).retry_after_ms(RETRY_MS),
            BusError::Full(_) => Refusal::new(Code::Overloaded, message).retry_after_ms(RETRY_MS),
            BusError::SeveralTopics | BusError::TooLarge => Refusal::new(Code::Internal, message),
            BusError::Refused(change) => {
                let refusal = Refusal::new(code(&change), message);
                match change {
                    ChangeError::ReviewLocked { retry_ms, .. } => refusal.retry_after_ms(retry_ms),
                    ChangeError::ReviewsFull | ChangeError::ReportsFull => {
                        refusal.retry_after_ms(QUEUE_RETRY_MS)
                    }
                    _ => refusal,
                }
            }
        }
    }
}

fn code(error: &ChangeError) -> Code {
    match error {
        ChangeError::UnknownRoom => Code::UnknownRoom,
        ChangeError::Switch(SwitchError::Unknown) | ChangeError::UnknownPrewarm => Code::NotFound,
        ChangeError::Switch(SwitchError::Value(..)) => Code::BadRequest,
        ChangeError::UnknownReview => Code::NotFound,
        ChangeError::ReviewsFull | ChangeError::ReportsFull => Code::RateLimited,
        ChangeError::PrewarmsFull
        | ChangeError::ActionConflict
        | ChangeError::PollRunning
        | ChangeError::RolesFull
        | ChangeError::AttributeVersion(_)
        | ChangeError::AttributesFull
        | ChangeError::AttributesTooLarge
        | ChangeError::ReviewLocked { .. }
        | ChangeError::ReviewDecided { .. }
        | ChangeError::WordsChanged(_)
        | ChangeError::EmotesChanged => Code::Conflict,
    }
}
