//! Calls of the admin API of other instances, bounded in number, size and time.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Role};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// Deadline of one call.
const CALL_MAX: Duration = Duration::from_secs(2);
/// Deadline of all calls of one question to the fleet.
const QUESTION_MAX: Duration = Duration::from_secs(3);
/// Largest number of calls in progress for one question.
const CONCURRENT_CALLS_MAX: usize = 32;
/// Maximum bytes of an answer.
const ANSWER_BYTES_MAX: usize = 2 << 20;

/// An instance of the registry with the base URL of its admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) role: Role,
    pub(super) id: String,
    pub(super) url: String,
}

/// An instance that did not answer a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct NotAsked {
    /// Role of the instance.
    pub(super) role: Role,
    /// Id of the instance.
    pub(super) id: String,
    /// Reason in a sentence, for people.
    pub(super) why: String,
}

impl NotAsked {
    pub(super) fn new(target: Target, why: impl Into<String>) -> Self {
        NotAsked { role: target.role, id: target.id, why: why.into() }
    }
}

/// Status, content type and body of an answer.
#[derive(Debug)]
pub(super) struct FleetAnswer {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<http::HeaderValue>,
    pub(super) body: Bytes,
}

impl FleetAnswer {
    /// Parses the body of a success; `None` where the instance has no such record (404), or does
    /// not have the call, as an older version (404 or 405).
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<Option<T>, String> {
        match self.status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Ok(None),
            status if status.is_success() => serde_json::from_slice(&self.body)
                .map(Some)
                .map_err(|error| format!("its answer cannot be read: {error}")),
            status => Err(format!("it answered {status}")),
        }
    }
}

/// Client of the admin API of every instance.
pub(super) struct FleetCalls {
    bus: Arc<dyn Bus>,
    http: reqwest::Client,
    own_url: String,
}

impl FleetCalls {
    /// Creates a client. `http` has the TLS settings of this process's clients.
    pub(super) fn new(
        bus: Arc<dyn Bus>,
        own_url: String,
        http: reqwest::ClientBuilder,
    ) -> anyhow::Result<Self> {
        let http = http.timeout(CALL_MAX).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(FleetCalls { bus, http, own_url })
    }

    /// Returns the instances that have an admin API. One that reports no URL runs in this process.
    pub(super) fn targets(&self) -> Vec<Target> {
        let instances = self.bus.instances().into_iter().map(|instance| instance.report);
        let mut targets: Vec<_> = instances
            .filter(|report| report.role != Role::Autoscaler)
            .map(|report| Target {
                role: report.role,
                id: report.id,
                url: report.admin_url.unwrap_or_else(|| self.own_url.clone()),
            })
            .collect();
        targets.sort_by(|a, b| (a.role, &a.id).cmp(&(b.role, &b.id)));
        targets
    }

    /// Sends one call and reads its answer up to the bound.
    pub(super) async fn call(
        &self,
        url: &str,
        method: Method,
        path: &str,
        token: &str,
        body: Bytes,
    ) -> Result<FleetAnswer, String> {
        let url = format!("{}{path}", url.trim_end_matches('/'));
        let mut request = self.http.request(method, &url).bearer_auth(token);
        if !body.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        let (status, mut body) = (response.status(), BytesMut::new());
        let content_type = response.headers().get(http::header::CONTENT_TYPE).cloned();
        while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(format!("its answer has more than {ANSWER_BYTES_MAX} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(FleetAnswer { status, content_type, body: body.freeze() })
    }

    /// Sends a GET request for a path to each target. Targets that did not answer within the
    /// deadlines have an error.
    pub(super) async fn ask_all(
        &self,
        questions: Vec<(Target, String)>,
        token: &str,
    ) -> Vec<(Target, Result<FleetAnswer, String>)> {
        let ends_at = Instant::now() + QUESTION_MAX;
        let ask = |(target, path): (Target, String)| async move {
            let call = self.call(&target.url, Method::GET, &path, token, Bytes::new());
            let late = Err("it was not asked in time".to_owned());
            let answer = tokio::time::timeout_at(ends_at, call).await.unwrap_or(late);
            (target, answer)
        };
        stream::iter(questions.into_iter().map(ask)).buffered(CONCURRENT_CALLS_MAX).collect().await
    }
}

/// Describes a failed call without its URL, which the caller names by the instance.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", CALL_MAX.as_secs());
    }
    if error.is_connect() { "no connection to its admin address".into() } else { "the call broke off".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_record_is_no_error_and_a_refusal_is() {
        let answer = |status, body: &'static str| FleetAnswer {
            status,
            content_type: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        assert_eq!(answer(StatusCode::OK, "7").json::<u8>(), Ok(Some(7)));
        assert_eq!(answer(StatusCode::NOT_FOUND, "{}").json::<u8>(), Ok(None));
        assert_eq!(answer(StatusCode::METHOD_NOT_ALLOWED, "{}").json::<u8>(), Ok(None));
        assert!(answer(StatusCode::OK, "<html>").json::<u8>().unwrap_err().contains("cannot be read"));
        assert!(answer(StatusCode::FORBIDDEN, "7").json::<u8>().unwrap_err().contains("403"));
    }
}
