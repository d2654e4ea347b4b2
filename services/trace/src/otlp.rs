//! Spans as messages of OTLP.

use barrage_protocol::SpanId;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as WireSpan, Status};

use crate::attribute::{Attribute, Value};
use crate::span::{Kind, Span};

/// Flag of W3C Trace Context: the span is sampled.
const SAMPLED: u32 = 1;

/// Makes the request that exports these spans of one process.
pub(crate) fn request(resource: &Resource, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: "barrage".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.into_iter().map(span).collect(),
        ..ScopeSpans::default()
    };
    let of_process = ResourceSpans {
        resource: Some(resource.clone()),
        scope_spans: vec![spans],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![of_process] }
}

/// Makes the description of this process.
pub(crate) fn resource(attributes: Vec<Attribute>) -> Resource {
    Resource { attributes: attributes.into_iter().map(attribute).collect(), ..Resource::default() }
}

fn span(span: Span) -> WireSpan {
    let kind = match span.kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    };
    let mut attributes: Vec<_> = span.attributes.into_iter().map(attribute).collect();
    attributes.extend(span.error.map(|error| attribute(("error.type", error.into()))));
    let link = |context: barrage_protocol::TraceContext| Link {
        trace_id: context.trace.bytes().into(),
        span_id: context.span.bytes().into(),
        flags: SAMPLED,
        ..Link::default()
    };
    WireSpan {
        trace_id: span.context.trace.bytes().into(),
        span_id: span.context.span.bytes().into(),
        parent_span_id: span.parent.map(SpanId::bytes).map(Vec::from).unwrap_or_default(),
        flags: SAMPLED,
        name: span.name.into(),
        kind: kind.into(),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns,
        attributes,
        links: span.links.into_iter().map(link).collect(),
        status: span.error.map(|error| Status { message: error.into(), code: StatusCode::Error.into() }),
        ..WireSpan::default()
    }
}

fn attribute((key, value): Attribute) -> KeyValue {
    let value = match value {
        Value::Text(text) => AnyKind::StringValue(text),
        Value::Label(label) => AnyKind::StringValue(label.into()),
        Value::Number(number) => AnyKind::IntValue(i64::try_from(number).unwrap_or(i64::MAX)),
    };
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
