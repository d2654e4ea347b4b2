//! Refusals of the platform as NOTICEs, with the `msg-id` that bots know.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;

/// Returns the `msg-id` and the sentence for a refused post.
pub(super) fn of_post(refusal: &Refusal) -> (&'static str, String) {
    let wait = refusal.retry_after_ms.map(|ms| ms.div_ceil(1_000));
    let rule = refusal.limit.as_ref().map_or("", |limit| limit.rule.as_str());
    let again = |text: &str| match wait {
        Some(secs) => format!("{text} You will be able to talk again in {secs} seconds."),
        None => text.to_owned(),
    };
    match refusal.code {
        Code::SlowMode => {
            ("msg_slowmode", again("This room is in slow mode and you are sending messages too quickly."))
        }
        Code::RateLimited if rule == "moderation:repeat" => {
            ("msg_duplicate", "Your message was not sent because it repeats earlier ones.".into())
        }
        Code::RateLimited => {
            ("msg_ratelimit", again("Your message was not sent because you send too quickly."))
        }
        Code::Muted => ("msg_timedout", again("You are timed out in this room.")),
        Code::Kicked => ("msg_banned", "You are permanently or temporarily banned from this room.".into()),
        Code::RoomMuted => ("msg_subsonly", "Only the host and moderators may talk in this room now.".into()),
        Code::BadText => ("msg_rejected_mandatory", refusal.message.clone()),
        Code::UnknownRoom | Code::RoomClosed => {
            ("msg_channel_suspended", "This room does not exist or is closed.".into())
        }
        Code::WrongRoom | Code::Forbidden => {
            ("no_permission", "You don't have permission to perform that action.".into())
        }
        _ => ("msg_failed", format!("Your message was not sent: {}", refusal.message)),
    }
}

/// Whether the token itself was refused, which ends the connection.
pub(super) fn is_of_token(code: Code) -> bool {
    matches!(code, Code::Unauthorized | Code::TokenExpired)
}

#[cfg(test)]
mod tests {
    use barrage_protocol::code::LimitHit;

    use super::*;

    #[test]
    fn codes_have_the_ids_that_bots_know() {
        let slow = Refusal::new(Code::SlowMode, "x").retry_after_ms(3_200);
        let (id, text) = of_post(&slow);
        assert_eq!(id, "msg_slowmode");
        assert!(text.ends_with("again in 4 seconds."), "{text}");
        let mut repeat = Refusal::new(Code::RateLimited, "x");
        assert_eq!(of_post(&repeat).0, "msg_ratelimit");
        repeat.limit = Some(Box::new(LimitHit::rule("moderation:repeat", "user")));
        assert_eq!(of_post(&repeat).0, "msg_duplicate");
        for code in Code::ALL {
            assert!(!of_post(&Refusal::new(*code, "x")).0.is_empty());
        }
    }
}
