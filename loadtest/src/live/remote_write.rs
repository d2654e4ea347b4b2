//! Writes the metrics of a run to Prometheus once a second, by the protocol of remote write 1.0: a message of
//! protobuf, compressed with Snappy.

use std::time::Duration;

use barrage_tls::ClientTls;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::Live;
use super::family::{Family, PREFIX};
use crate::error::LoadtestError;
use crate::net::http::Target;
use crate::net::source::Pace;

/// Time between two writes. A write that takes longer replaces those that it delays: each has all sums so far.
const EVERY: Duration = Duration::from_secs(1);
/// Longest time for one write.
const WRITE_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read, for the reason of a refusal.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Environment variable with a bearer token for the receiver.
const TOKEN: &str = "LOADTEST_OUT_TOKEN";

/// Writes in the background until it is finished.
#[derive(Debug)]
pub struct RemoteWrite {
    task: JoinHandle<Written>,
    end: oneshot::Sender<()>,
}

/// What became of the writes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Writes that the receiver accepted.
    pub accepted: u64,
    /// Writes that were refused or got no answer.
    pub failed: u64,
    /// Reason of the last failure; empty without one.
    pub reason: String,
}

impl Written {
    /// Returns a note for the report, if a write failed.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let all = self.accepted + self.failed;
        let (failed, reason) = (self.failed, &self.reason);
        (failed > 0)
            .then(|| format!("--out prometheus: {failed} of {all} writes failed, the last one: {reason}"))
    }

    fn count(&mut self, written: Result<(), String>) {
        match written {
            Ok(()) => self.accepted += 1,
            Err(reason) => {
                self.failed += 1;
                self.reason = reason;
            }
        }
    }
}

impl RemoteWrite {
    /// Starts to write the metrics of a run; each series has the labels `job` and `scenario`.
    ///
    /// # Errors
    /// The URL has another scheme than http and https, or a host without an address.
    pub async fn start(
        url: &str,
        tls: &ClientTls,
        scenario: &str,
        live: Live,
    ) -> Result<Self, LoadtestError> {
        let (target, uri) = Target::resolve(url, tls)
            .await
            .map_err(|error| LoadtestError::Usage(format!("--out prometheus: {error}")))?;
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        let receiver = Receiver { target, path, token: std::env::var(TOKEN).ok() };
        let scenario = scenario.to_owned();
        let (end, mut ended) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut written = Written::default();
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                let is_last = tokio::select! {
                    _ = ticks.tick() => false,
                    _ = &mut ended => true,
                };
                let request = request(&live.families(), &scenario, now_ms());
                written.count(receiver.write(&request).await);
                if is_last {
                    return written;
                }
            }
        });
        Ok(RemoteWrite { task, end })
    }

    /// Writes the final sums, and returns what became of all writes.
    pub async fn finish(self) -> Written {
        drop(self.end);
        self.task.await.unwrap_or_else(|error| Written { failed: 1, reason: error.to_string(), accepted: 0 })
    }
}

fn now_ms() -> i64 {
    i64::try_from(barrage_clock::since_unix_epoch().as_millis()).unwrap_or(i64::MAX)
}

/// Server that takes the writes.
#[derive(Debug)]
struct Receiver {
    target: Target,
    path: String,
    token: Option<String>,
}

impl Receiver {
    async fn write(&self, request: &WriteRequest) -> Result<(), String> {
        let compressed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
        let body = compressed.map_err(|error| error.to_string())?;
        let sent = tokio::time::timeout(WRITE_MAX, self.post(body.into())).await;
        sent.unwrap_or_else(|_| Err(format!("no answer within {} s", WRITE_MAX.as_secs())))
    }

    async fn post(&self, body: Bytes) -> Result<(), String> {
        let stream = self.target.connect(0, Pace::Full).await.map_err(|error| error.to_string())?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
        let connection = tokio::spawn(async move { drop(connection.await) });
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .header("host", &self.target.host)
            .header("user-agent", "barrage-loadtest")
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        connection.abort();
        refusal(status, &body.map(http_body_util::Collected::to_bytes).unwrap_or_default())
    }
}

/// Returns why the receiver refused a write, with the first line of its answer.
fn refusal(status: StatusCode, body: &[u8]) -> Result<(), String> {
    if status.is_success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(body);
    Err(format!("status {}: {}", status.as_u16(), text.lines().next().unwrap_or_default()))
}

/// Builds a write of all series at one moment, in milliseconds of Unix time.
fn request(families: &[Family], scenario: &str, now_ms: i64) -> WriteRequest {
    let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
    let series = |family: &Family| {
        let of_one = |series: &super::Series| {
            let mut labels = vec![
                label("__name__", &format!("{PREFIX}{}{}", family.name, series.suffix)),
                label("job", "barrage-loadtest"),
                label("scenario", scenario),
            ];
            labels.extend(series.labels.iter().map(|(name, value)| label(name, value)));
            // The protocol wants them in the order of their names.
            labels.sort_by(|a, b| a.name.cmp(&b.name));
            TimeSeries { labels, samples: vec![Sample { value: series.value, timestamp_ms: now_ms }] }
        };
        family.series.iter().map(of_one).collect::<Vec<_>>()
    };
    WriteRequest { series: families.iter().flat_map(series).collect() }
}

/// `prometheus.WriteRequest` of the protocol.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_the_order_of_their_names() {
        let request = request(&Live::default().families(), "smoke", 5);
        let names = |series: &TimeSeries| series.labels.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        assert!(request.series.iter().all(|series| names(series).is_sorted()));
        let bucket = request.series.iter().find(|series| series.labels.len() == 5).unwrap();
        assert_eq!(names(bucket), ["__name__", "job", "kind", "le", "scenario"]);
        assert_eq!(bucket.samples, [Sample { value: 0.0, timestamp_ms: 5 }]);
    }

    #[test]
    fn failed_writes_are_told_with_the_last_reason() {
        let mut written = Written::default();
        written.count(Ok(()));
        assert_eq!(written.note(), None);
        written.count(refusal(StatusCode::BAD_REQUEST, b"out of order sample\nmore"));
        let note = written.note().unwrap();
        assert_eq!(
            note,
            "--out prometheus: 1 of 2 writes failed, the last one: status 400: out of order sample"
        );
    }
}
