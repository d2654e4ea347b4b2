//! The form of an action: bounds, cleaned texts, and the hashes under which it is remembered. Pure.

use barrage_bus::ActionRecord;
use barrage_protocol::action::{Action, ActionRequest, MODERATION_DELAY_SECS_MAX};
use barrage_protocol::attribute::{ATTRIBUTE_RULES_MAX, AttributeKey, AttributeRule};
use barrage_protocol::code::Refusal;
use barrage_protocol::reaction::{ROOM_REACTIONS_MAX, ReactionName};
use barrage_protocol::speak::{ShieldBundle, SpeakRules};
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use sha2::{Digest, Sha256};

use crate::room::SignalId;
use crate::text::CleanText;

/// Maximum length of a mute or a ban: ten years, in effect for ever.
const RESTRICTION_SECS_MAX: u64 = 315_360_000;
/// Seconds after which a kicked user may come back.
const KICK_SECS: u64 = 60;
const SLOW_MODE_SECS_MAX: u32 = 3_600;
/// Maximum rules of a bundle of the shield; there are fewer kinds.
const SHIELD_RULES_MAX: usize = 16;
/// Maximum length of a reason in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// Checks the numbers of an action, and returns the action with its text cleaned.
pub(super) fn checked(request: &ActionRequest, text_chars_max: usize) -> Result<Action, Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadRequest, message));
    if request.reason.as_ref().is_some_and(|reason| reason.len() > REASON_BYTES_MAX) {
        return bad(format!("reason: at most {REASON_BYTES_MAX} bytes"));
    }
    let mut action = request.action.clone();
    match &mut action {
        Action::Mute { secs, .. } | Action::Ban { secs, .. }
            if !(1..=RESTRICTION_SECS_MAX).contains(secs) =>
        {
            return bad(format!("secs: 1 to {RESTRICTION_SECS_MAX}"));
        }
        Action::AttributeRules { rules } => rules_fit(rules)?,
        Action::SlowMode { secs } if *secs > SLOW_MODE_SECS_MAX => {
            return bad(format!("secs: 0 (off) to {SLOW_MODE_SECS_MAX}"));
        }
        Action::ModerationDelay { secs } if *secs > MODERATION_DELAY_SECS_MAX => {
            return bad(format!("secs: 0 (off) to {MODERATION_DELAY_SECS_MAX}"));
        }
        Action::Reactions { names: Some(names) } => reactions_fit(names)?,
        Action::Speak { rule } => within(SpeakRules::default().with(*rule).problem())?,
        Action::ShieldBundle { rules, slow_mode_secs } => {
            if rules.len() > SHIELD_RULES_MAX {
                return bad(format!("rules: at most {SHIELD_RULES_MAX}"));
            }
            within(ShieldBundle::new(rules, *slow_mode_secs).problem())?;
        }
        Action::Announce { text } | Action::Warn { text, .. } => {
            let cleaned = CleanText::new(text, text_chars_max).map_err(|error| {
                let limit = error.limit("text").map(Box::new);
                Refusal { limit, ..Refusal::new(Code::BadText, format!("text: {error}")) }
            })?;
            *text = cleaned.into_string();
        }
        _ => {}
    }
    Ok(action)
}

/// Refuses rules that are too many, or whose prefix is no beginning of a key.
fn rules_fit(rules: &[AttributeRule]) -> Result<(), Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadRequest, message));
    if rules.len() > ATTRIBUTE_RULES_MAX {
        return bad(format!("rules: at most {ATTRIBUTE_RULES_MAX}"));
    }
    for (n, rule) in rules.iter().enumerate() {
        if !rule.prefix.is_empty() && AttributeKey::parse(&rule.prefix).is_err() {
            return bad(format!("rules[{n}].prefix: the beginning of an attribute's key, or empty"));
        }
        if rules.iter().take(n).any(|other| other.prefix == rule.prefix) {
            return bad(format!("rules[{n}].prefix: another rule has it too"));
        }
    }
    Ok(())
}

/// Refuses reactions that are too many, or that come twice.
fn reactions_fit(names: &[ReactionName]) -> Result<(), Refusal> {
    let bad = |message: String| Err(Refusal::new(Code::BadRequest, message));
    if names.len() > ROOM_REACTIONS_MAX {
        return bad(format!("names: at most {ROOM_REACTIONS_MAX}"));
    }
    let twice = names.iter().enumerate().find(|(n, name)| names.iter().take(*n).any(|other| other == *name));
    twice.map_or(Ok(()), |(n, name)| bad(format!("names[{n}]: {name} comes twice")))
}

/// Refuses a value that is over its maximum.
fn within(problem: Option<(&'static str, u32)>) -> Result<(), Refusal> {
    let Some((name, max)) = problem else { return Ok(()) };
    Err(Refusal::new(Code::BadRequest, format!("{name}: 0 (off) to {max}")))
}

/// Makes the record of an action that begins at `now_ms`, and the id of its signal.
pub(super) fn record(
    room: &RoomId,
    by: &UserId,
    request: &ActionRequest,
    now_ms: u64,
) -> Result<(ActionRecord, SignalId), Refusal> {
    let digest = Sha256::new()
        .chain_update(room.as_str())
        .chain_update([0])
        .chain_update(by.as_str())
        .chain_update([0])
        .chain_update(request.id.as_str())
        .finalize();
    let json = serde_json::to_vec(&request.action).expect("actions are plain data");
    let fingerprint = number(&Sha256::digest(&json));
    let name: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    let id = MessageId::parse(&format!("action-{name}"))
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    let record = ActionRecord {
        key: number(&digest),
        fingerprint,
        subject: subject(&request.action).map(|subject| number(&Sha256::digest(subject.as_bytes()))),
        merges: matches!(request.action, Action::Mute { .. } | Action::Kick { .. } | Action::Ban { .. }),
        until_ms: restriction_secs(&request.action).map(|secs| now_ms.saturating_add(secs * 1_000)),
        result: None,
    };
    Ok((record, SignalId { id, fingerprint }))
}

fn number(digest: &[u8]) -> u64 {
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// Returns the length of the restriction that an action sets.
fn restriction_secs(action: &Action) -> Option<u64> {
    match action {
        Action::Mute { secs, .. } | Action::Ban { secs, .. } => Some(*secs),
        Action::Kick { .. } => Some(KICK_SECS),
        _ => None,
    }
}

/// Names the value that an action sets. Contrary actions have the same name.
fn subject(action: &Action) -> Option<String> {
    match action {
        Action::Mute { user, .. } | Action::Unmute { user } => Some(format!("mute/{user}")),
        Action::Kick { user } | Action::Ban { user, .. } | Action::Unban { user } => {
            Some(format!("kick/{user}"))
        }
        Action::SlowMode { .. } => Some("slow_mode".into()),
        Action::MuteAll { .. } => Some("mute_all".into()),
        Action::Pin { .. } | Action::Unpin {} => Some("pin".into()),
        Action::Role { user, .. } => Some(format!("role/{user}")),
        Action::AttributeRules { .. } => Some("attribute_rules".into()),
        Action::Speak { rule } => Some(format!("speak/{}", rule.label())),
        Action::Shield { .. } => Some("shield".into()),
        Action::ShieldBundle { .. } => Some("shield_bundle".into()),
        Action::ModerationDelay { .. } => Some("moderation_delay".into()),
        Action::Reactions { .. } => Some("reactions".into()),
        Action::SuperChatRead { sequence, .. } => Some(format!("super_chat_read/{sequence}")),
        Action::Recall { .. }
        | Action::RemoveMedia { .. }
        | Action::Purge { .. }
        | Action::Clear {}
        | Action::Announce { .. }
        | Action::Warn { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, action: &str) -> ActionRequest {
        serde_json::from_str(&format!(r#"{{"id":"{id}","action":{action}}}"#)).unwrap()
    }

    fn recorded(by: &str, id: &str, action: &str) -> (ActionRecord, SignalId) {
        record(&"r".parse().unwrap(), &by.parse().unwrap(), &request(id, action), 1_000).unwrap()
    }

    #[test]
    fn numbers_and_texts_are_bounded() {
        let code = |action: &str| {
            checked(&request("a", action), 200).map_err(|refusal| refusal.code).map(|action| action.label())
        };
        for (action, expected) in [
            (r#"{"type":"mute","user":"u","secs":0}"#, Err(Code::BadRequest)),
            (r#"{"type":"ban","user":"u","secs":315360001}"#, Err(Code::BadRequest)),
            (r#"{"type":"ban","user":"u","secs":315360000}"#, Ok("ban")),
            (r#"{"type":"slow_mode","secs":3601}"#, Err(Code::BadRequest)),
            (r#"{"type":"moderation_delay","secs":11}"#, Err(Code::BadRequest)),
            (r#"{"type":"moderation_delay","secs":10}"#, Ok("moderation_delay")),
            (r#"{"type":"speak","rule":{"unique_secs":3601}}"#, Err(Code::BadRequest)),
            (r#"{"type":"speak","rule":{"unique_secs":3600}}"#, Ok("speak")),
            (r#"{"type":"shield_bundle","rules":[{"level_min":1000001}]}"#, Err(Code::BadRequest)),
            (r#"{"type":"announce","text":" \u200b "}"#, Err(Code::BadText)),
            (r#"{"type":"warn","user":"u","text":"be kind"}"#, Ok("warn")),
            (r#"{"type":"reactions"}"#, Ok("reactions")),
            (r#"{"type":"reactions","names":[]}"#, Ok("reactions")),
            (r#"{"type":"reactions","names":["fire","gg","fire"]}"#, Err(Code::BadRequest)),
        ] {
            assert_eq!(code(action), expected, "{action}");
        }
        let reactions = |count: u32| {
            let names: Vec<_> = (0..count).map(|n| format!("r{n}")).collect();
            code(&serde_json::json!({ "type": "reactions", "names": names }).to_string())
        };
        assert_eq!((reactions(12), reactions(13)), (Ok("reactions"), Err(Code::BadRequest)));
        let long = ActionRequest { reason: Some("x".repeat(1_001)), ..request("a", r#"{"type":"clear"}"#) };
        assert_eq!(checked(&long, 200).unwrap_err().code, Code::BadRequest);
    }

    #[test]
    fn an_action_has_a_key_of_its_sender_and_a_subject_with_its_contrary() {
        const MUTE: &str = r#"{"type":"mute","user":"u","secs":5}"#;
        const UNMUTE: &str = r#"{"type":"unmute","user":"u"}"#;
        let (mute, signal) = recorded("mod", "a", MUTE);
        assert_eq!(
            (recorded("mod", "a", MUTE), mute.until_ms),
            ((mute.clone(), signal.clone()), Some(6_000))
        );
        let (unmute, other) = recorded("mod", "a", UNMUTE);
        assert_eq!((unmute.key, unmute.subject), (mute.key, mute.subject));
        assert!(unmute.fingerprint != mute.fingerprint && mute.merges && !unmute.merges);
        assert_eq!((other.id, other.fingerprint), (signal.id, unmute.fingerprint));
        for (by, id) in [("mod", "b"), ("mod2", "a")] {
            assert_ne!(recorded(by, id, MUTE).0.key, mute.key);
        }
        let (purge, _) = recorded("mod", "a", r#"{"type":"purge","user":"u"}"#);
        assert_eq!((purge.subject, purge.until_ms), (None, None));
    }
}
