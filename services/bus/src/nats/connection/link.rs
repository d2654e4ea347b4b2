//! Requests to JetStream that the server acknowledges, and pauses between attempts.

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request};
use barrage_backoff::Backoff;
use bytes::Bytes;
use serde::Deserialize;

use crate::error::BusError;

/// Ceiling of the first pause before another attempt; it doubles with each attempt.
const PAUSE: Duration = Duration::from_millis(20);
/// Highest ceiling of a pause: [`PAUSE`] after five doublings.
const PAUSE_MAX: Duration = Duration::from_millis(640);
/// Shortest pause between attempts, because jitter alone could choose zero.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Acknowledgement of a stored message: its position, and whether the server had its id before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Ack {
    #[serde(rename = "seq")]
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) duplicate: bool,
}

/// Why a message was not acknowledged, and whether it may be stored all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nack {
    /// No usable answer: the message may be stored nevertheless.
    Silence(String),
    /// The server's error code and description: the message is not stored.
    Refused(u64, String),
}

impl From<Nack> for BusError {
    fn from(nack: Nack) -> Self {
        match nack {
            Nack::Silence(reason) | Nack::Refused(_, reason) => BusError::Unavailable(reason),
        }
    }
}

/// Publishes a message and waits for its acknowledgement.
pub(crate) async fn acked(
    client: &Client,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
    timeout: Duration,
) -> Result<Ack, Nack> {
    let request = Request::new().headers(headers).payload(payload).timeout(Some(timeout));
    // The inner timeout covers the answer; a client without a connection does not even accept the
    // request.
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
        // From a replica that has the id and not yet the position.
        Ok(Ack { sequence: 0, .. }) => Err(Nack::Silence("the message is being stored".into())),
        Ok(ack) => Ok(ack),
        Err(_) => Err(Nack::Silence("the acknowledgement cannot be read".into())),
    }
}

/// Pauses with full jitter between attempts of one request.
#[derive(Debug)]
pub(crate) struct Pauses(Backoff);

impl Pauses {
    pub(crate) fn new() -> Self {
        Pauses(Backoff::new(PAUSE, PAUSE_MAX))
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.0.next_wait(rand::random()).max(PAUSE_MIN)).await;
    }
}

/// Converts an error of the client into one that may pass.
pub(crate) fn unavailable(error: &dyn std::error::Error) -> BusError {
    BusError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_and_refusals_are_parsed() {
        let ack = read_ack(br#"{"stream":"S","seq":7,"batch":"b","count":2}"#);
        assert_eq!(ack, Ok(Ack { sequence: 7, duplicate: false }));
        assert!(read_ack(br#"{"stream":"S","seq":2,"duplicate":true}"#).unwrap().duplicate);
        let refusal = br#"{"error":{"code":400,"err_code":10201,"description":"d"},"stream":"S","seq":0}"#;
        assert_eq!(read_ack(refusal), Err(Nack::Refused(10_201, "d".into())));
        assert!(matches!(read_ack(b""), Err(Nack::Silence(_))));
        assert!(matches!(read_ack(br#"{"stream":"S","seq":0,"duplicate":true}"#), Err(Nack::Silence(_))));
    }
}
