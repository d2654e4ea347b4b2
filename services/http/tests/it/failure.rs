//! A failed request is logged with its cause, inside of a span with method, route and request id.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use barrage_http::{AdminGate, AdminRoutes, ApiError, AuditLog, Front, HttpConfig};
use barrage_protocol::Code;
use barrage_token::{Keyring, TokenConfig};
use parking_lot::Mutex;
use prometheus::Registry;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::{Server, until};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Log;

    fn make_writer(&self) -> Log {
        self.clone()
    }
}

/// The only test that sets the log of this process.
#[test]
fn failure_is_logged_with_cause_and_span_and_a_refusal_is_not() {
    let log = Log::default();
    tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).init();
    let keyring = Keyring::from_secret(&[7; 32], &TokenConfig::default()).unwrap();
    let claims = json!({ "sub": "op", "rooms": ["*"], "role": "admin", "exp": 4_000_000_000_u64, "aud": "" });
    let token = keyring.mint(serde_json::from_value(claims).unwrap()).unwrap();
    let gate = AdminGate::new(Arc::new(keyring), Arc::new(AuditLog), &Registry::new()).unwrap();
    let line = post(async || tracing::warn!("a-line-of-an-admin-call"));
    let guarded = gate.guard(AdminRoutes::new(Router::new().route("/v1/admin/line", line)));
    let fail = |code, message: &'static str| get(move || async move { ApiError::new(code, message) });
    let router = Router::new()
        .route("/away", fail(Code::Unavailable, "the-store-is-away"))
        .route("/defect", fail(Code::Internal, "a-defect"))
        .route("/rooms/{room}/defect", fail(Code::Internal, "a-room-defect"))
        .route("/full", fail(Code::Overloaded, "no-room"))
        .route("/missing", fail(Code::NotFound, "not-here"))
        .merge(guarded);
    let server = Server::start(router, HttpConfig::default(), Front::default());
    let id = |path: &str| {
        let answer = server.ask(&format!("GET {path}?token=secret HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        answer.header("x-request-id").unwrap()
    };
    for (path, cause, level) in [("/away", "the-store-is-away", "WARN"), ("/defect", "a-defect", "ERROR")] {
        let id = id(path);
        until("the failure is logged", || {
            let log = log.text();
            log.lines().any(|line| {
                line.contains(level) && line.contains(cause) && line.contains(&id) && line.contains(path)
            })
        });
    }
    // The call runs in a task of its own, which a client that goes away does not end.
    let call = format!(
        "POST /v1/admin/line HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    let admin_call = server.ask(&call).header("x-request-id").unwrap();
    let text = log.text();
    let line = text.lines().find(|line| line.contains("a-line-of-an-admin-call")).unwrap();
    assert!(line.contains(&admin_call), "{line}");
    let others = [id("/full"), id("/missing")];
    id("/rooms/private-name/defect");
    // The line of a later failure would follow theirs.
    let last = id("/defect");
    until("the last failure is logged", || log.text().contains(&last));
    let text = log.text();
    assert!(others.iter().all(|id| !text.contains(id.as_str())), "{text}");
    let span = [r#"request{method="GET""#, r#"route="/rooms/{room}/defect""#];
    let line = text.lines().find(|line| line.contains("a-room-defect")).unwrap();
    assert!(span.iter().all(|part| line.contains(part)), "{line}");
    assert!(!text.contains("secret") && !text.contains("private-name"), "client text in the log: {text}");
}
