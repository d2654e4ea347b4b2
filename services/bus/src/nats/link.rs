//! Requests to JetStream that are acknowledged.

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request};
use bytes::Bytes;
use serde::Deserialize;

use crate::bus::BusError;

/// First pause before a request is tried again; doubled each time.
const PAUSE_MS: u64 = 20;
/// Bound of the pause.
const PAUSE_MS_MAX: u64 = 640;

/// What the server says to a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Ack {
    #[serde(rename = "seq")]
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) duplicate: bool,
}

/// Why a message was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nack {
    /// No answer, or one that says so: it may be stored nevertheless.
    Silence(String),
    /// The server's number for why not.
    Refused(u64, String),
}

impl From<Nack> for BusError {
    fn from(nack: Nack) -> Self {
        match nack {
            Nack::Silence(reason) | Nack::Refused(_, reason) => BusError::Unavailable(reason),
        }
    }
}

/// Publishes and waits for the acknowledgement.
pub(crate) async fn acked(
    client: &Client,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
    timeout: Duration,
) -> Result<Ack, Nack> {
    let request = Request::new().headers(headers).payload(payload).timeout(Some(timeout));
    // The timeout inside covers the answer; a client without a connection does not
    // even take the request.
    let answer = tokio::time::timeout(timeout, client.send_request(subject, request))
        .await
        .map_err(|_| Nack::Silence("no acknowledgement in time".into()))?
        .map_err(|error| Nack::Silence(error.to_string()))?;
    read_ack(&answer.payload)
}

fn read_ack(payload: &[u8]) -> Result<Ack, Nack> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Reason,
    }
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        err_code: u64,
        #[serde(default)]
        description: String,
    }
    if let Ok(Refusal { error }) = serde_json::from_slice(payload) {
        return Err(Nack::Refused(error.err_code, error.description));
    }
    match serde_json::from_slice::<Ack>(payload) {
        // A replica that knows the id but not yet the place.
        Ok(Ack { sequence: 0, .. }) => Err(Nack::Silence("the message is being stored".into())),
        Ok(ack) => Ok(ack),
        Err(_) => Err(Nack::Silence("the acknowledgement cannot be read".into())),
    }
}

/// Random pauses that grow, for what is tried again.
#[derive(Debug)]
pub(crate) struct Pauses {
    bound_ms: u64,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Pauses { bound_ms: PAUSE_MS }
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(Duration::from_millis(rand::random_range(1..=self.bound_ms))).await;
        self.bound_ms = (self.bound_ms * 2).min(PAUSE_MS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let ack = read_ack(br#"{"stream":"S","seq":7,"batch":"b","count":2}"#);
        assert_eq!(ack, Ok(Ack { sequence: 7, duplicate: false }));
        assert!(read_ack(br#"{"stream":"S","seq":2,"duplicate":true}"#).unwrap().duplicate);
        let refusal = br#"{"error":{"code":400,"err_code":10201,"description":"d"},"stream":"S","seq":0}"#;
        assert_eq!(read_ack(refusal), Err(Nack::Refused(10_201, "d".into())));
        assert!(matches!(read_ack(b""), Err(Nack::Silence(_))));
        assert!(matches!(read_ack(br#"{"stream":"S","seq":0,"duplicate":true}"#), Err(Nack::Silence(_))));
    }
}
