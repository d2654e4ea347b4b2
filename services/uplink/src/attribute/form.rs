//! The form of a change of an attribute: its bounds, who may make it, and the hashes under which it is
//! remembered. Pure.

use barrage_bus::AttributeChange;
use barrage_protocol::attribute::{
    ATTRIBUTE_TEXT_BYTES_MAX, ATTRIBUTE_TTL_SECS_MAX, Attribute, AttributeKey, AttributeRequest, WriterRole,
};
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, MessageId, RoomId, UserId};
use barrage_token::Role;
use sha2::{Digest, Sha256};

use crate::room::SignalId;

/// A change of an attribute as its sender wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) id: MessageId,
    /// New text; `None` removes the attribute.
    pub(crate) text: Option<String>,
    pub(crate) if_version: Option<u64>,
    pub(crate) ttl_secs: Option<u64>,
}

impl From<AttributeRequest> for Wanted {
    fn from(request: AttributeRequest) -> Self {
        let AttributeRequest { id, text, if_version, ttl_secs } = request;
        Wanted { id, text: Some(text), if_version, ttl_secs }
    }
}

/// Refuses a text or a time beyond its bounds.
pub(super) fn check(wanted: &Wanted) -> Result<(), Refusal> {
    if let Some(text) = &wanted.text {
        if text.len() > ATTRIBUTE_TEXT_BYTES_MAX {
            return Err(Refusal::new(
                Code::BadText,
                format!("text: at most {ATTRIBUTE_TEXT_BYTES_MAX} bytes"),
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(Refusal::new(Code::BadText, "text: no control characters"));
        }
    }
    if wanted.ttl_secs.is_some_and(|secs| !(1..=ATTRIBUTE_TTL_SECS_MAX).contains(&secs)) {
        return Err(Refusal::new(Code::BadRequest, format!("ttl_secs: 1 to {ATTRIBUTE_TTL_SECS_MAX}")));
    }
    Ok(())
}

/// Refuses a writer whose role in the room is lower than the rule of the key says.
pub(super) fn may_write(key: &AttributeKey, least: WriterRole, role: Role) -> Result<(), Refusal> {
    let least = match least {
        WriterRole::Viewer => Role::Viewer,
        WriterRole::Moderator => Role::Moderator,
        WriterRole::Host => Role::Host,
        WriterRole::Admin => Role::Admin,
    };
    if role >= least {
        return Ok(());
    }
    let message = format!(
        "{key}: your role in this room is {}, and writing the attribute needs {}",
        role.label(),
        least.label()
    );
    Err(Refusal::new(Code::Forbidden, message))
}

/// Makes the change for the bus, and the id of its signal.
pub(super) fn change(
    room: &RoomId,
    by: &UserId,
    key: &AttributeKey,
    wanted: &Wanted,
    now_ms: u64,
) -> Result<(AttributeChange, SignalId), Refusal> {
    let request = digest([room.as_str(), by.as_str(), wanted.id.as_str()]);
    let (text, version, secs) = (&wanted.text, wanted.if_version, wanted.ttl_secs);
    let content = format!("{key}\n{text:?}\n{version:?}\n{secs:?}");
    let fingerprint = number(&digest([&content]));
    let change = AttributeChange {
        key: key.clone(),
        value: text.clone().map(|text| Attribute {
            text,
            expires_at_ms: secs.map(|secs| now_ms.saturating_add(secs * 1_000)),
        }),
        if_version: version,
        request: number(&request),
        fingerprint,
    };
    Ok((change, SignalId { id: signal_id("attribute", &request)?, fingerprint }))
}

/// Makes the id of the signal that removes an attribute which is over: the same at every uplink.
pub(super) fn expiry(room: &RoomId, key: &AttributeKey, version: u64) -> Result<SignalId, Refusal> {
    let hash = digest([room.as_str(), key.as_str(), &version.to_string()]);
    Ok(SignalId { id: signal_id("expiry", &hash)?, fingerprint: number(&hash) })
}

fn digest<const N: usize>(parts: [&str; N]) -> Vec<u8> {
    let add = |hash: Sha256, part: &str| hash.chain_update(part).chain_update([0]);
    parts.into_iter().fold(Sha256::new(), add).finalize().to_vec()
}

fn signal_id(kind: &str, digest: &[u8]) -> Result<MessageId, Refusal> {
    let name: String = digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect();
    MessageId::parse(&format!("{kind}-{name}"))
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))
}

fn number(digest: &[u8]) -> u64 {
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str, ttl_secs: Option<u64>) -> Wanted {
        Wanted { id: "a-1".parse().unwrap(), text: Some(text.into()), if_version: None, ttl_secs }
    }

    #[test]
    fn texts_and_times_have_bounds() {
        assert!(check(&wanted(&"字".repeat(1_365), Some(1))).is_ok());
        for (text, ttl_secs, code) in [
            (&*"x".repeat(4_097), None, Code::BadText),
            (&"x".repeat(1 << 20), None, Code::BadText),
            ("a\nb", None, Code::BadText),
            ("a\u{0}", None, Code::BadText),
            ("\u{9b}31m", None, Code::BadText),
            ("a", Some(0), Code::BadRequest),
            ("a", Some(2_592_001), Code::BadRequest),
        ] {
            assert_eq!(check(&wanted(text, ttl_secs)).unwrap_err().code, code);
        }
    }

    #[test]
    fn writers_need_the_role_of_the_rule() {
        let key = "score".parse().unwrap();
        let writers = |least| {
            let roles = [Role::Probe, Role::Viewer, Role::Moderator, Role::Host, Role::Admin];
            roles.into_iter().filter(|role| may_write(&key, least, *role).is_ok()).count()
        };
        let rules = [WriterRole::Viewer, WriterRole::Moderator, WriterRole::Host, WriterRole::Admin];
        assert_eq!(rules.map(writers), [4, 3, 2, 1]);
    }

    #[test]
    fn a_request_has_the_same_hashes_at_every_uplink_and_time() {
        let (room, user, key) = ("r".parse().unwrap(), "u".parse().unwrap(), "k".parse().unwrap());
        let of = |wanted: &Wanted, now_ms| change(&room, &user, &key, wanted, now_ms).unwrap();
        let (first, signal) = of(&wanted("a", Some(5)), 1_000);
        let (again, same) = of(&wanted("a", Some(5)), 9_000);
        assert_eq!((first.request, first.fingerprint, signal), (again.request, again.fingerprint, same));
        assert_eq!(first.value.unwrap().expires_at_ms, Some(6_000));
        let (other, _) = of(&wanted("b", Some(5)), 1_000);
        assert!(other.request == again.request && other.fingerprint != again.fingerprint);
    }
}
