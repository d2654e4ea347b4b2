//! Messages for Google's push service (FCM HTTP v1).

use serde_json::json;

use crate::note::Note;

/// Largest message in bytes.
pub const FCM_BYTES_MAX: usize = 4_096;

/// Returns the body of `POST /v1/projects/PROJECT/messages:send`; `None` when the ids alone are too long. The app draws
/// the notification from the data, so that it can drop one that was read meanwhile.
#[must_use]
pub fn fcm_message(token: &str, note: &Note, ttl_secs: u64) -> Option<String> {
    note.fitted(FCM_BYTES_MAX, |note| {
        json!({ "message": {
            "token": token,
            "android": { "collapse_key": note.collapse, "priority": "HIGH", "ttl": format!("{ttl_secs}s") },
            "data": {
                "kind": note.kind,
                "title": note.title,
                "body": note.body,
                "opens": note.opens,
                // Values of data are texts.
                "badge": note.badge.to_string(),
            },
        }})
        .to_string()
    })
}

/// Returns the body of the same request that tells the app the number at its symbol. The app shows nothing for the kind
/// `badge`; a newer number replaces one that waits.
#[must_use]
pub fn fcm_badge(token: &str, badge: u32, ttl_secs: u64) -> String {
    json!({ "message": {
        "token": token,
        "android": { "collapse_key": "badge", "priority": "NORMAL", "ttl": format!("{ttl_secs}s") },
        "data": { "kind": "badge", "badge": badge.to_string() },
    }})
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::NoteKind;

    #[test]
    fn message_has_texts_alone_in_its_data_and_fits() {
        let note = Note {
            kind: NoteKind::Live,
            title: "\"Ann\"".repeat(2_000),
            body: "is live".into(),
            collapse: "live.s1".into(),
            opens: "room".into(),
            badge: 0,
        };
        let text = fcm_message("device", &note, 60).unwrap();
        assert!(text.len() <= FCM_BYTES_MAX);
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        let data = message["message"]["data"].as_object().unwrap();
        assert!(data.values().all(serde_json::Value::is_string));
        assert_eq!((&data["badge"], &data["kind"]), (&json!("0"), &json!("live")));
        assert_eq!(message["message"]["android"]["ttl"], "60s");
        let badge: serde_json::Value = serde_json::from_str(&fcm_badge("device", 7, 60)).unwrap();
        assert_eq!(badge["message"]["data"], json!({ "kind": "badge", "badge": "7" }));
        assert_eq!(badge["message"]["android"]["priority"], "NORMAL");
        assert_eq!(fcm_message(&"x".repeat(5_000), &note, 60), None);
    }
}
