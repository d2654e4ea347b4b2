//! Answers of the platform to posts and commands, as lines.

use barrage_client::SendError;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::Outcome;
use barrage_protocol::{Code, RoomId};

use super::command::Verb;
use super::effect::{Effect, Work, WorkTask};
use super::identity::Identity;
use super::room::Room;
use super::{login, refusal};

/// Work whose answer has come.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) work: Work,
    pub(crate) result: WorkResult,
}

/// Outcome of work: of an action, the outcome is always broadcast.
pub(crate) type WorkResult = Result<Outcome, SendError>;

impl Answered {
    pub(super) fn room(&self) -> &RoomId {
        &self.work.room
    }

    /// Returns the lines of the answer, or the end of the connection when the token was refused.
    pub(super) fn effects(&self, room: &Room, identity: &Identity) -> Vec<Effect> {
        if let Err(SendError::Refused(refusal)) = &self.result
            && refusal::is_of_token(refusal.code)
        {
            return login::failed();
        }
        let lines = match (&self.work.task, &self.result) {
            (WorkTask::Chat { .. }, Ok(Outcome::Held)) => {
                let text = "Your message is being checked and is shown to nobody else now.";
                vec![room.notice("msg_rejected", text)]
            }
            (WorkTask::Chat { .. }, Ok(_)) => room.user_state(identity).into_iter().collect(),
            (WorkTask::Chat { .. }, Err(SendError::Refused(refusal))) => {
                let (id, text) = refusal::of_post(refusal);
                vec![room.notice(id, &text)]
            }
            (WorkTask::Act { verb, .. }, Ok(_)) => {
                done(*verb).map(|(id, text)| room.notice(id, text)).into_iter().collect()
            }
            (WorkTask::Act { verb, .. }, Err(SendError::Refused(refusal))) => {
                let (id, text) = not_done(*verb, refusal);
                vec![room.notice(&id, &text)]
            }
            (_, Err(error)) => {
                vec![room.notice("msg_failed", &format!("The server did not answer, try again: {error}"))]
            }
        };
        lines.into_iter().map(Effect::Send).collect()
    }
}

/// Returns the NOTICE of a command that was carried out; `None` where a line of the room says it.
fn done(verb: Verb) -> Option<(&'static str, &'static str)> {
    Some(match verb {
        Verb::Slow | Verb::SlowOff | Verb::MuteAll | Verb::MuteAllOff | Verb::Clear | Verb::Announce => {
            return None;
        }
        Verb::Timeout => ("timeout_success", "The user is timed out."),
        Verb::Untimeout => ("untimeout_success", "The user is no longer timed out."),
        Verb::Ban => ("ban_success", "The user is banned from this room."),
        Verb::Unban => ("unban_success", "The user is no longer banned or timed out."),
        Verb::Kick => ("kick_success", "The user was removed, and may come back after a minute."),
        Verb::Purge => ("purge_success", "The messages of the user are hidden."),
        Verb::Delete => ("delete_message_success", "The message is hidden."),
        Verb::Warn => ("warn_success", "The user is warned."),
        Verb::Pin => ("pin_success", "The message is pinned."),
        Verb::Unpin => ("unpin_success", "No message is pinned."),
        Verb::Mod => ("mod_success", "The user is a moderator of this room now."),
        Verb::Unmod => ("unmod_success", "The user is no moderator of this room any more."),
    })
}

/// Returns the NOTICE of a command that was refused.
fn not_done(verb: Verb, refusal: &Refusal) -> (String, String) {
    match refusal.code {
        Code::Forbidden | Code::WrongRoom => (
            "no_permission".into(),
            format!("You don't have permission to perform that action: {}", refusal.message),
        ),
        Code::NotFound if matches!(verb, Verb::Delete | Verb::Pin) => {
            ("bad_delete_message_error".into(), "This room has no such message.".into())
        }
        Code::UnknownRoom | Code::RoomClosed | Code::Kicked => {
            let (id, text) = super::refusal::of_post(refusal);
            (id.into(), text)
        }
        Code::BadRequest | Code::BadText => (format!("usage_{}", verb.label()), refusal.message.clone()),
        _ => (format!("bad_{}_error", verb.label()), refusal.message.clone()),
    }
}
