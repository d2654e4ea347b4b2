//! Spans over real HTTP to a collector that decodes them, and to one that hangs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests measure with the machine's clocks")]

use std::time::{Duration, Instant};

use barrage_protocol::{Class, Message, RoomId, Sequence, SpanId, TraceContext, Traceparent, UserId};
use barrage_testkit::{ClientTls, OtlpReceiver, wait};
use barrage_trace::{Candidate, Kind, SamplingConfig, Span, TraceConfig, TraceMetrics, Tracer};
use prometheus::Registry;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn config(url: &str, sampling: SamplingConfig) -> TraceConfig {
    let endpoint = serde_json::from_value(json!(url)).unwrap();
    TraceConfig {
        endpoint: Some(endpoint),
        queue_spans_max: 8,
        batch_spans_max: 4,
        export_ms: 20,
        deadline_ms: 200,
        sampling,
        ..TraceConfig::default()
    }
}

/// Builds a tracer and runs its exporter until the token is cancelled.
fn run(config: &TraceConfig) -> (Tracer, Registry, CancellationToken) {
    let registry = Registry::new();
    let metrics = TraceMetrics::new(&registry).unwrap();
    let (tracer, exporter) =
        Tracer::build(config, &ClientTls::system(), "uplink-1", "nats", metrics).unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(exporter.unwrap().run(shutdown.clone()));
    (tracer, registry, shutdown)
}

fn spans(registry: &Registry, outcome: &str) -> u64 {
    let families = registry.gather();
    let spans = families.iter().find(|family| family.name() == "barrage_trace_spans_total").unwrap();
    let of = spans.get_metric().iter().find(|metric| metric.get_label()[0].value() == outcome).unwrap();
    of.get_counter().get_value() as u64
}

fn candidate<'a>(user: &'a UserId, room: &'a RoomId, class: Class) -> Candidate<'a> {
    Candidate { class, user, room }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[tokio::test]
async fn spans_arrive_with_ids_parent_links_and_attributes() {
    let receiver = OtlpReceiver::start().await;
    let (tracer, registry, shutdown) = run(&config(&receiver.url(), SamplingConfig::default()));
    let parent: Traceparent = PARENT.parse().unwrap();
    let context = TraceContext { trace: parent.context.trace, span: SpanId::of(7) };
    let mut span = Span::new("publish room", Kind::Producer, context, Some(parent.context.span))
        .over(5, 3)
        .with("messaging.system", tracer.system())
        .with("barrage.sequence", 44);
    span.links = vec![parent.context];
    span.error = Some("unavailable");
    tracer.record(span);
    let found = receiver.trace("4bf92f3577b34da6a3ce929d0e0e4736", &["publish room"]).await;
    let span = &found["publish room"];
    assert_eq!((span.id.as_str(), span.parent.as_str()), ("0000000000000007", "00f067aa0ba902b7"));
    assert_eq!((span.kind, span.time_ns, span.is_error), (4, (5, 5), true));
    assert_eq!(span.links, [("4bf92f3577b34da6a3ce929d0e0e4736".into(), "00f067aa0ba902b7".into())]);
    let attribute = |key: &str| span.attributes[key].as_str();
    assert_eq!((attribute("messaging.system"), attribute("barrage.sequence")), ("nats", "44"));
    assert_eq!((attribute("service.name"), attribute("service.instance.id")), ("barrage", "uplink-1"));
    assert_eq!(attribute("error.type"), "unavailable");
    // The spans of the last moment are exported at the shutdown.
    tracer.record(Span::new("last", Kind::Internal, context, None));
    shutdown.cancel();
    receiver.trace("4bf92f3577b34da6a3ce929d0e0e4736", &["last"]).await;
    wait::until_true(PATIENCE, "two exported spans", async || spans(&registry, "exported") == 2).await;
}

#[tokio::test]
async fn a_collector_that_hangs_delays_nobody_and_its_spans_are_counted() {
    let receiver = OtlpReceiver::hanging().await;
    let (tracer, registry, _shutdown) = run(&config(&receiver.url(), SamplingConfig::default()));
    let context = PARENT.parse::<Traceparent>().unwrap().context;
    let started = Instant::now();
    for _ in 0..1_000 {
        tracer.record(Span::new("checks", Kind::Internal, context, None));
    }
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
    let all = async || {
        let [dropped, failed] = ["dropped", "failed"].map(|outcome| spans(&registry, outcome));
        dropped > 900 && failed > 0 && dropped + failed == 1_000
    };
    wait::until_true(PATIENCE, "1,000 spans dropped or failed", all).await;
    assert_eq!(spans(&registry, "exported"), 0);
}

#[tokio::test]
async fn sampled_flag_of_an_operator_decides_and_that_of_others_does_not() {
    let none = SamplingConfig { uplink_chat: 0.0, downlink_chat: 0.000_1, ..SamplingConfig::default() };
    let (tracer, ..) = run(&config("http://127.0.0.1:9/", none));
    let (user, room) = ("u".parse().unwrap(), "r".parse().unwrap());
    let post = candidate(&user, &room, Class::Chat);
    let incoming = PARENT.parse().ok();
    assert_eq!(tracer.sample(&post, incoming, false), None);
    let sampled = tracer.sample(&post, incoming, true).unwrap();
    assert_eq!(sampled.context.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(sampled.parent.unwrap().to_string(), "00f067aa0ba902b7");
    let message = message(&room, Class::Chat, sampled.context);
    assert_eq!(tracer.links([&message]), [sampled.context], "the downlink follows");
}

#[tokio::test]
async fn a_change_is_in_force_at_once_and_a_bad_one_is_refused() {
    let none = SamplingConfig { uplink_chat: 0.0, downlink_chat: 0.0, ..SamplingConfig::default() };
    let (tracer, ..) = run(&config("http://127.0.0.1:9/", none));
    let (user, room) = ("u".parse().unwrap(), "r".parse().unwrap());
    let post = candidate(&user, &room, Class::Chat);
    assert_eq!(tracer.sample(&post, None, false), None);
    tracer.set_overlay(&map(&json!({ "watch_rooms": ["r"] }))).unwrap();
    let sampled = tracer.sample(&post, None, false).unwrap();
    let (gift, chat) =
        (message(&room, Class::Gift, sampled.context), message(&room, Class::Chat, sampled.context));
    assert_eq!(tracer.links([&chat, &gift]).len(), 2);
    assert!(tracer.set_overlay(&map(&json!({ "watch_rooms": 7 }))).is_err());
    assert!(tracer.sample(&post, None, false).is_some(), "a bad change leaves the sampling as it was");
    tracer.set_overlay(&Map::new()).unwrap();
    assert_eq!(tracer.sample(&post, None, false), None);
}

fn message(room: &RoomId, class: Class, trace: TraceContext) -> Message {
    Message {
        room: room.clone(),
        sequence: Sequence(1),
        previous: Sequence::ZERO,
        class,
        sender: None,
        id: None,
        to: None,
        at_ms: 0,
        trace: Some(Box::new(trace)),
        body: "{}".into(),
    }
}
