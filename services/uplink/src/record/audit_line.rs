//! Makes a line of the audit log from an admin call: actor, action, user, room. Pure.

use barrage_http::AdminCall;
use barrage_protocol::UserId;
use barrage_store::AuditRecord;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Field of a body that holds a text for viewers. The reason of an operator stays readable, because
/// the operator wrote it for the audit log.
const TEXT: &str = "text";

/// Makes the audit line of an admin call. `detail` has the method, the path, the status of the
/// answer, and the body, in which a text for viewers is replaced by its SHA-256 and its length.
pub(super) fn audit_line(call: AdminCall) -> AuditRecord {
    let user = affected_user(&call);
    let action = action(&call.path);
    let mut detail = Map::new();
    detail.insert("method".into(), call.method.as_str().into());
    detail.insert("path".into(), call.path.into());
    detail.insert("status".into(), call.status.into());
    if let Some(body) = call.body {
        detail.insert("body".into(), hashed_texts(body));
    }
    AuditRecord {
        at_ms: call.at_ms,
        room: call.room,
        user,
        actor: call.actor.to_string(),
        action,
        detail: detail.into(),
    }
}

/// Returns the user that the call affects: named in the body, or in the path.
fn affected_user(call: &AdminCall) -> Option<UserId> {
    let named = call.body.as_ref().and_then(|body| body.get("user")).and_then(Value::as_str);
    let of_path = || call.path.strip_prefix("/v1/admin/users/").and_then(|rest| rest.split('/').next());
    UserId::parse(named.or_else(of_path)?).ok()
}

/// Returns the last part of the path that is not a name: `mute`, `kick`, `broadcast`, `drain`.
fn action(path: &str) -> String {
    let mut parts = path.trim_start_matches("/v1/admin/").split('/');
    let first = parts.next().unwrap_or_default();
    match (first, parts.next(), parts.next()) {
        ("rooms", Some(_), None) => "room".into(),
        ("rooms" | "users", Some(_), Some(verb)) => verb.into(),
        ("tokens", Some(verb), None) => format!("{verb}-all"),
        ("switches", ..) => "switch".into(),
        _ => first.into(),
    }
}

/// Returns a body in which texts for viewers are replaced by their SHA-256 and their length.
pub(crate) fn hashed_texts(body: Value) -> Value {
    let Value::Object(fields) = body else { return body };
    let hashed = fields.into_iter().map(|(name, value)| match value {
        Value::String(text) if name == TEXT => {
            let digest = Sha256::digest(text.as_bytes());
            let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            (name, json!({ "sha256": hash, "chars": text.chars().count() }))
        }
        value => (name, value),
    });
    Value::Object(hashed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn recorded(path: &str, room: Option<&str>, body: Value) -> AuditRecord {
        audit_line(AdminCall {
            at_ms: 7,
            actor: "boss".parse().unwrap(),
            method: Method::POST,
            path: path.into(),
            room: room.map(|room| room.parse().unwrap()),
            body: Some(body),
            status: 200,
        })
    }

    #[test]
    fn audit_line_names_actor_action_user_and_room() {
        let body = json!({ "user": "u1", "secs": 60, "reason": "spam" });
        let line = recorded("/v1/admin/rooms/demo/mute", Some("demo"), body.clone());
        assert_eq!((line.action.as_str(), line.actor.as_str()), ("mute", "boss"));
        assert_eq!(line.user.unwrap().as_str(), "u1");
        assert_eq!(line.room.unwrap().as_str(), "demo");
        assert_eq!((&line.detail["body"], &line.detail["status"]), (&body, &200.into()));
        let revoked = recorded("/v1/admin/users/u2/revoke", None, Value::Null);
        assert_eq!((revoked.action.as_str(), revoked.user.unwrap().as_str()), ("revoke", "u2"));
        let recalled = recorded("/v1/admin/rooms/demo/recall", Some("demo"), json!({ "sequence": 42 }));
        assert_eq!((recalled.action.as_str(), &recalled.detail["body"]["sequence"]), ("recall", &42.into()));
    }

    #[test]
    fn texts_are_stored_as_hash_and_length() {
        let line = recorded("/v1/admin/broadcast", None, json!({ "text": "弹幕", "id": "b-1" }));
        let text = &line.detail["body"]["text"];
        assert_eq!((text["sha256"].as_str().unwrap().len(), &text["chars"]), (64, &2.into()));
        assert!(!line.detail.to_string().contains("弹幕"), "{line:?}");
        assert_eq!(line.detail["body"]["id"], "b-1");
    }

    #[test]
    fn every_admin_path_has_an_action() {
        for (path, expected) in [
            ("/v1/admin/rooms/demo", "room"),
            ("/v1/admin/switches/read-only", "switch"),
            ("/v1/admin/drain", "drain"),
            ("/v1/admin/give-back", "give-back"),
            ("/v1/admin/factors", "factors"),
            ("/v1/admin/prewarm/demo.17", "prewarm"),
            ("/v1/admin/tokens/revoke", "revoke-all"),
        ] {
            assert_eq!(action(path), expected, "{path}");
        }
    }
}
