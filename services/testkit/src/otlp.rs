//! A collector inside of the test: takes spans by OTLP over HTTP and keeps them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use tokio::task::JoinHandle;

use crate::wait;

/// One span as the collector received it. Ids are hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedSpan {
    /// Name of the span.
    pub name: String,
    /// Id of the trace.
    pub trace: String,
    /// Id of the span.
    pub id: String,
    /// Id of the parent; empty for the first span of a trace.
    pub parent: String,
    /// Kind, as OTLP numbers it: 1 internal, 2 server, 4 producer, 5 consumer.
    pub kind: i32,
    /// Start and end in Unix nanoseconds.
    pub time_ns: (u64, u64),
    /// Attributes of the span, and those of its resource.
    pub attributes: BTreeMap<String, String>,
    /// Trace and span id of each link.
    pub links: Vec<(String, String)>,
    /// Whether the span failed.
    pub is_error: bool,
}

/// A collector on a free port, which ends when the value is dropped.
#[derive(Debug)]
pub struct OtlpReceiver {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<ReceivedSpan>>>,
    serving: JoinHandle<()>,
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl OtlpReceiver {
    /// Starts a collector on a free port.
    pub async fn start() -> OtlpReceiver {
        let spans = Arc::<Mutex<Vec<ReceivedSpan>>>::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&spans));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        OtlpReceiver { address, spans, serving }
    }

    /// Starts a collector that accepts connections and never answers.
    pub async fn hanging() -> OtlpReceiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                open.push(listener.accept().await.unwrap());
            }
        });
        OtlpReceiver { address, spans: Arc::default(), serving }
    }

    /// Returns the value for `trace.endpoint`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    /// Returns all spans that were received so far.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.spans.lock().clone()
    }

    /// Waits until a trace has all of these span names, and returns its spans by name.
    pub async fn trace(&self, trace: &str, names: &[&str]) -> BTreeMap<String, ReceivedSpan> {
        let expected = format!("trace {trace} with the spans {names:?}");
        let deadline = Duration::from_secs(20);
        wait::until(deadline, &expected, async || {
            let of_trace = self.spans().into_iter().filter(|span| span.trace == trace);
            let by_name: BTreeMap<_, _> = of_trace.map(|span| (span.name.clone(), span)).collect();
            names.iter().all(|name| by_name.contains_key(*name)).then_some(by_name)
        })
        .await
    }
}

async fn take(State(spans): State<Arc<Mutex<Vec<ReceivedSpan>>>>, body: Bytes) -> Bytes {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for of_process in request.resource_spans {
        let resource = of_process.resource.map(|resource| resource.attributes).unwrap_or_default();
        let of_process = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.lock().extend(of_process.map(|span| received(span, &resource)));
    }
    // An empty message: all spans were taken.
    Bytes::new()
}

fn received(span: Span, resource: &[KeyValue]) -> ReceivedSpan {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("an attribute of another type: {other:?}"),
    };
    let attributes = resource.iter().cloned().chain(span.attributes);
    ReceivedSpan {
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        time_ns: (span.start_time_unix_nano, span.end_time_unix_nano),
        attributes: attributes.map(|it| (it.key, text(it.value.unwrap().value.unwrap()))).collect(),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        is_error: span.status.is_some_and(|status| status.code == 2),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
