//! What the answers of push services mean.

use std::time::Duration;

use serde_json::Value;

/// Longest wait that a service may ask for. Longer ones count as this.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// Meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The service has taken the notification.
    Taken,
    /// The token or subscription is of no use any more.
    Gone {
        /// Unix time in milliseconds since when; a token that was registered later is another one.
        since_ms: Option<u64>,
    },
    /// The service takes nothing now.
    Later {
        /// Time to wait, if the service says one; at most an hour.
        after: Option<Duration>,
    },
    /// The service refuses this notification; another attempt has the same end.
    Refused(String),
    /// The service refuses this sender: a key, a clock or a topic is wrong. No notification passes until an operator
    /// has mended it.
    Misconfigured(String),
}

fn later(retry_after_secs: Option<u64>) -> Verdict {
    Verdict::Later { after: retry_after_secs.map(|secs| Duration::from_secs(secs).min(WAIT_MAX)) }
}

/// Reads the answer of a Web Push service (RFC 8030).
#[must_use]
pub fn of_web(status: u16, retry_after_secs: Option<u64>) -> Verdict {
    match status {
        200..=299 => Verdict::Taken,
        404 | 410 => Verdict::Gone { since_ms: None },
        429 | 500..=599 => later(retry_after_secs),
        401 | 403 => {
            Verdict::Misconfigured(format!("the service answered {status}: wrong VAPID key or clock"))
        }
        // A redirect would lead to an address that nobody has checked.
        _ => Verdict::Refused(format!("the service answered {status}")),
    }
}

/// Reads the answer of APNs.
#[must_use]
pub fn of_apns(status: u16, body: &str, retry_after_secs: Option<u64>) -> Verdict {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let reason = body["reason"].as_str().unwrap_or("no reason");
    let said = || format!("APNs answered {status}: {reason}");
    match (status, reason) {
        (200, _) => Verdict::Taken,
        (410, _) => Verdict::Gone { since_ms: body["timestamp"].as_u64() },
        (400, "BadDeviceToken" | "DeviceTokenNotForTopic") => Verdict::Gone { since_ms: None },
        (429 | 500..=599, _) => later(retry_after_secs),
        (403, _) | (400, "BadTopic" | "MissingTopic" | "TopicDisallowed") => Verdict::Misconfigured(said()),
        _ => Verdict::Refused(said()),
    }
}

/// Reads the answer of FCM HTTP v1.
#[must_use]
pub fn of_fcm(status: u16, body: &str, retry_after_secs: Option<u64>) -> Verdict {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let details = body["error"]["details"].as_array().into_iter().flatten();
    let code = details.filter_map(|detail| detail["errorCode"].as_str()).next();
    let code = code.or_else(|| body["error"]["status"].as_str()).unwrap_or("no code");
    let said = || format!("FCM answered {status}: {code}");
    match (status, code) {
        (200, _) => Verdict::Taken,
        (404, "UNREGISTERED") | (403, "SENDER_ID_MISMATCH") => Verdict::Gone { since_ms: None },
        (429 | 500..=599, _) => later(retry_after_secs),
        (401 | 403 | 404, _) => Verdict::Misconfigured(said()),
        _ => Verdict::Refused(said()),
    }
}

/// Reads the answer of a vendor's service, which the configuration describes: statuses by which a token is gone.
#[must_use]
pub fn of_vendor(status: u16, gone: &[u16], retry_after_secs: Option<u64>) -> Verdict {
    let said = || format!("the service answered {status}");
    match status {
        200..=299 => Verdict::Taken,
        status if gone.contains(&status) => Verdict::Gone { since_ms: None },
        429 | 500..=599 => later(retry_after_secs),
        401 | 403 => Verdict::Misconfigured(said()),
        _ => Verdict::Refused(said()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: Verdict = Verdict::Gone { since_ms: None };

    #[test]
    fn web_push_services() {
        assert_eq!(
            (of_web(201, None), of_web(404, None), of_web(410, Some(9))),
            (Verdict::Taken, GONE, GONE)
        );
        let wait = |secs| Verdict::Later { after: Some(Duration::from_secs(secs)) };
        assert_eq!((of_web(429, Some(30)), of_web(503, Some(u64::MAX))), (wait(30), wait(3_600)));
        assert_eq!(of_web(500, None), Verdict::Later { after: None });
        assert!(matches!(of_web(403, None), Verdict::Misconfigured(_)));
        for refused in [301, 400, 413] {
            assert!(matches!(of_web(refused, None), Verdict::Refused(_)), "{refused}");
        }
    }

    #[test]
    fn apns() {
        let since = r#"{"reason":"Unregistered","timestamp":1796160002000}"#;
        assert_eq!(of_apns(410, since, None), Verdict::Gone { since_ms: Some(1_796_160_002_000) });
        assert_eq!(of_apns(400, r#"{"reason":"BadDeviceToken"}"#, None), GONE);
        for (status, reason) in
            [(403, "ExpiredProviderToken"), (403, "InvalidProviderToken"), (400, "BadTopic")]
        {
            let answer = of_apns(status, &format!(r#"{{"reason":"{reason}"}}"#), None);
            assert_eq!(answer, Verdict::Misconfigured(format!("APNs answered {status}: {reason}")));
        }
        assert!(matches!(of_apns(429, r#"{"reason":"TooManyRequests"}"#, None), Verdict::Later { .. }));
        assert!(matches!(of_apns(413, "not json", None), Verdict::Refused(_)));
        assert_eq!(of_apns(200, "", None), Verdict::Taken);
    }

    #[test]
    fn fcm() {
        let error = |status: &str, code: &str| {
            format!(
                r#"{{"error":{{"status":"{status}","details":[{{"@type":"x"}},{{"errorCode":"{code}"}}]}}}}"#
            )
        };
        assert_eq!(of_fcm(404, &error("NOT_FOUND", "UNREGISTERED"), None), GONE);
        assert_eq!(of_fcm(403, &error("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), None), GONE);
        assert!(matches!(
            of_fcm(401, &error("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), None),
            Verdict::Misconfigured(_)
        ));
        assert!(matches!(of_fcm(404, "<html>", None), Verdict::Misconfigured(_)), "a wrong project");
        assert!(matches!(
            of_fcm(400, &error("INVALID_ARGUMENT", "INVALID_ARGUMENT"), None),
            Verdict::Refused(_)
        ));
        assert!(matches!(of_fcm(503, "", Some(1)), Verdict::Later { .. }));
    }

    #[test]
    fn vendors() {
        let of = |status| of_vendor(status, &[410, 403], Some(2));
        assert_eq!((of(200), of(204), of(410), of(403)), (Verdict::Taken, Verdict::Taken, GONE, GONE));
        assert!(matches!(of(401), Verdict::Misconfigured(_)) && matches!(of(503), Verdict::Later { .. }));
        assert!(matches!(of(404), Verdict::Refused(_)) && matches!(of(302), Verdict::Refused(_)));
    }
}
