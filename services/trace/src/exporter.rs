//! The task that sends finished spans to the collector.
//!
//! The collector may be slow, away or hang: the queue is bounded, and a request has a deadline. A
//! request that failed is not repeated, so that the spans of a later time are not lost for it.

use std::time::{Duration, Instant};

use barrage_tls::ClientTls;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use reqwest::{Client, StatusCode, header};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::TraceConfig;
use crate::metrics::TraceMetrics;
use crate::otlp;
use crate::span::Span;

/// Largest answer of a collector that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Time between two log lines about a collector that takes no spans.
const LOG_EVERY: Duration = Duration::from_secs(60);
/// Longest export at the shutdown.
const LAST_EXPORT_MAX: Duration = Duration::from_secs(2);

/// Why the collector did not take spans.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The collector cannot be reached, or did not answer in time.
    #[error("the collector did not answer: {0}")]
    Transport(#[from] reqwest::Error),
    /// The collector refused the request.
    #[error("the collector answered with status {0}")]
    Status(StatusCode),
}

/// Sends finished spans to the collector.
pub struct Exporter {
    client: Client,
    url: String,
    resource: Resource,
    spans: mpsc::Receiver<Span>,
    batch_spans_max: usize,
    export_every: Duration,
    metrics: TraceMetrics,
    logged_at: Option<Instant>,
}

impl Exporter {
    pub(crate) fn new(
        config: &TraceConfig,
        tls: &ClientTls,
        url: &str,
        resource: Resource,
        spans: mpsc::Receiver<Span>,
        metrics: TraceMetrics,
    ) -> Result<Self, ExportError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls.rustls())
            .timeout(Duration::from_millis(config.deadline_ms))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Exporter {
            client,
            url: url.to_owned(),
            resource,
            spans,
            batch_spans_max: config.batch_spans_max,
            export_every: Duration::from_millis(config.export_ms),
            metrics,
            logged_at: None,
        })
    }

    /// Exports until the shutdown, then exports the spans that are queued.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                () = shutdown.cancelled() => break,
                received = self.spans.recv_many(&mut batch, self.batch_spans_max) => if received == 0 {
                    return;
                },
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = fill(&mut self.spans, &mut batch, self.batch_spans_max, self.export_every) => {}
            }
            self.export(batch).await;
        }
        let last = async {
            loop {
                let mut batch = Vec::new();
                while batch.len() < self.batch_spans_max
                    && let Ok(span) = self.spans.try_recv()
                {
                    batch.push(span);
                }
                if batch.is_empty() {
                    return;
                }
                self.export(batch).await;
            }
        };
        let _timed_out = tokio::time::timeout(LAST_EXPORT_MAX, last).await;
    }

    async fn export(&mut self, batch: Vec<Span>) {
        let sent = batch.len() as u64;
        let body = otlp::request(&self.resource, batch).encode_to_vec();
        match self.send(body).await {
            Ok(rejected) => {
                let rejected = rejected.min(sent);
                self.metrics.exported.inc_by(sent - rejected);
                self.metrics.failed.inc_by(rejected);
            }
            Err(error) => {
                self.metrics.failed.inc_by(sent);
                if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                    self.logged_at = Some(barrage_clock::now());
                    tracing::warn!(%error, spans = sent, "the collector took no spans; they are lost");
                }
            }
        }
    }

    /// Returns the number of spans that the collector rejected.
    async fn send(&self, body: Vec<u8>) -> Result<u64, ExportError> {
        let request =
            self.client.post(&self.url).header(header::CONTENT_TYPE, "application/x-protobuf").body(body);
        let response = request.send().await.map_err(reqwest::Error::without_url)?;
        if !response.status().is_success() {
            return Err(ExportError::Status(response.status()));
        }
        if response.content_length().is_none_or(|bytes| bytes > ANSWER_BYTES_MAX) {
            return Ok(0);
        }
        let bytes = response.bytes().await.map_err(reqwest::Error::without_url)?;
        let answer = ExportTraceServiceResponse::decode(bytes).unwrap_or_default();
        let rejected = answer.partial_success.map_or(0, |partial| partial.rejected_spans);
        Ok(u64::try_from(rejected).unwrap_or(0))
    }
}

/// Takes further spans until the batch is full or the time is over.
async fn fill(spans: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>, max: usize, time: Duration) {
    let filling = async {
        while batch.len() < max {
            let left = max - batch.len();
            if spans.recv_many(batch, left).await == 0 {
                return;
            }
        }
    };
    let _timed_out = tokio::time::timeout(time, filling).await;
}
