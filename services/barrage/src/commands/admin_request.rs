use serde_json::Value;

/// Request to the admin API: method, path with its query, and body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// Path and query, encoded.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}
