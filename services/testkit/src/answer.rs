//! Answer to an HTTP request of a test.

use serde_json::Value;

/// Status and JSON body of an answer; `Null` when the body is not JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status code of the answer, such as 200.
    pub status: u16,
    /// JSON body of the answer; `Null` when it is not JSON.
    pub body: Value,
    /// Value of the `Retry-After` header, in seconds.
    pub retry_after: Option<u64>,
    /// Value of the `RateLimit` header; `None` when absent.
    pub ratelimit: Option<String>,
}

impl Answer {
    /// Error code of a refusal, or an empty text.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// Reads a response to its end. A body that breaks off counts as `Null`.
    pub(crate) async fn read(response: reqwest::Response) -> Answer {
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let retry_after = header("retry-after").and_then(|value| value.parse().ok());
        let ratelimit = header("ratelimit");
        let text = response.text().await.unwrap_or_default();
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null), retry_after, ratelimit }
    }
}
