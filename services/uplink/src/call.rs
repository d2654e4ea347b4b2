//! From an admin call to a line of the audit log: who did what to whom. Pure.

use barrage_http::AdminCall;
use barrage_protocol::UserId;
use barrage_store::AuditRecord;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Fields of a body that hold a person's words.
const TEXTS: [&str; 2] = ["text", "reason"];

/// The line. Its `detail` has the method, the path, the status of the answer, and the body
/// (for how long, which message), in which a text stands as its SHA-256 and its length.
pub(crate) fn record_of(call: AdminCall) -> AuditRecord {
    let user = user(&call);
    let action = action(&call.path);
    let mut detail = Map::new();
    detail.insert("method".into(), call.method.as_str().into());
    detail.insert("path".into(), call.path.into());
    detail.insert("status".into(), call.status.into());
    if let Some(body) = call.body {
        detail.insert("body".into(), without_texts(body));
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

/// To whom: the user of the body, or of the path.
fn user(call: &AdminCall) -> Option<UserId> {
    let named = call.body.as_ref().and_then(|body| body.get("user")).and_then(Value::as_str);
    let of_path = || call.path.strip_prefix("/v1/admin/users/").and_then(|rest| rest.split('/').next());
    UserId::parse(named.or_else(of_path)?).ok()
}

/// `mute`, `kick`, `broadcast`, `drain`...: the last part of the path that is no name.
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

fn without_texts(body: Value) -> Value {
    let Value::Object(fields) = body else { return body };
    let hidden = fields.into_iter().map(|(name, value)| match value {
        Value::String(text) if TEXTS.contains(&name.as_str()) => {
            let digest = Sha256::digest(text.as_bytes());
            let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            (name, json!({ "sha256": hash, "chars": text.chars().count() }))
        }
        value => (name, value),
    });
    Value::Object(hidden.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn recorded(path: &str, room: Option<&str>, body: Value) -> AuditRecord {
        record_of(AdminCall {
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
    fn a_line_says_who_did_what_to_whom_and_for_how_long() {
        let body = json!({ "user": "u1", "secs": 60 });
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
    fn a_text_is_a_hash_and_a_length() {
        let line = recorded("/v1/admin/broadcast", None, json!({ "text": "弹幕", "id": "b-1" }));
        let text = &line.detail["body"]["text"];
        assert_eq!((text["sha256"].as_str().unwrap().len(), &text["chars"]), (64, &2.into()));
        assert!(!line.detail.to_string().contains("弹幕"), "{line:?}");
        assert_eq!(line.detail["body"]["id"], "b-1");
    }

    #[test]
    fn every_path_has_an_action() {
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
