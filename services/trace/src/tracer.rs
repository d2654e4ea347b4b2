//! The handle that all parts of a process share: decides, and takes finished spans.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use barrage_protocol::{Message, SpanId, TraceContext, TraceId, Traceparent};
use barrage_tls::ClientTls;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::config::TraceConfig;
use crate::exporter::{ExportError, Exporter};
use crate::metrics::TraceMetrics;
use crate::otlp;
use crate::sampler::{Candidate, Sampler, Verdict};
use crate::sampling::{SamplingConfig, SamplingError};
use crate::span::Span;

/// Links of one span; further messages of a batch are counted alone.
const LINKS_MAX: usize = 64;

/// Takes finished spans and decides about sampling. Without a collector every call returns at once.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Shared>>);

struct Shared {
    configured: SamplingConfig,
    sampling: ArcSwap<SamplingConfig>,
    sampler: Mutex<Sampler>,
    queue: mpsc::Sender<Span>,
    metrics: TraceMetrics,
    system: &'static str,
}

/// Trace context of a sampled post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampled {
    /// Trace, and the id of the span that will publish the message. The message carries both.
    pub context: TraceContext,
    /// Span of the caller; `None` when this trace begins here.
    pub parent: Option<SpanId>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_on() { "Tracer(on)" } else { "Tracer(off)" })
    }
}

impl Tracer {
    /// Builds the tracer of a process, and the exporter that must run beside it. Both are off
    /// without an endpoint. `tls` has the authorities of the collector. `system` is the name of the bus (`messaging.system`).
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub fn build(
        config: &TraceConfig,
        tls: &ClientTls,
        instance: &str,
        system: &'static str,
        metrics: TraceMetrics,
    ) -> Result<(Tracer, Option<Exporter>), ExportError> {
        let Some(url) = &config.endpoint else { return Ok((Tracer::default(), None)) };
        let (queue, spans) = mpsc::channel(config.queue_spans_max);
        let resource = otlp::resource(vec![
            ("service.name", config.service.clone().into()),
            ("service.instance.id", instance.to_owned().into()),
            ("service.version", env!("CARGO_PKG_VERSION").into()),
        ]);
        let exporter = Exporter::new(config, tls, url.expose(), resource, spans, metrics.clone())?;
        let configured = config.sampling.clone();
        let shared = Shared {
            sampling: ArcSwap::from_pointee(configured.clone()),
            sampler: Mutex::new(Sampler::new(&configured, steady())),
            configured,
            queue,
            metrics,
            system,
        };
        Ok((Tracer(Some(Arc::new(shared))), Some(exporter)))
    }

    /// Whether spans are exported at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns Unix time in nanoseconds, for the start and the end of spans; 0 when tracing is off.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        if self.is_on() { unix_ns() } else { 0 }
    }

    /// Returns the value of `messaging.system`.
    #[must_use]
    pub fn system(&self) -> &'static str {
        self.0.as_ref().map_or("", |shared| shared.system)
    }

    /// Puts the keys of `overlay` in force over the configuration, in place of the overlay before.
    ///
    /// # Errors
    /// When a key is unknown or a value is not valid; the sampling stays as it was.
    pub fn set_overlay(&self, overlay: &Map<String, Value>) -> Result<(), SamplingError> {
        let Some(shared) = &self.0 else { return Ok(()) };
        let sampling = shared.configured.with(overlay)?;
        shared.sampler.lock().set_caps(&sampling, steady());
        shared.sampling.store(Arc::new(sampling));
        Ok(())
    }

    /// Returns the sampling in force; the default when tracing is off.
    #[must_use]
    pub fn sampling(&self) -> Arc<SamplingConfig> {
        self.0.as_ref().map_or_else(Arc::default, |shared| shared.sampling.load_full())
    }

    /// Decides whether a post is traced. `incoming` is the caller's trace: the spans become a part of
    /// it. Only a `trusted` caller's sampled flag decides; otherwise the shares do.
    #[must_use]
    pub fn sample(
        &self,
        candidate: &Candidate<'_>,
        incoming: Option<Traceparent>,
        trusted: bool,
    ) -> Option<Sampled> {
        let shared = self.0.as_ref()?;
        let is_forced = trusted && incoming.is_some_and(|incoming| incoming.is_sampled);
        let random = rand::random();
        let span = if is_forced { SpanId::certain(random) } else { SpanId::of(random) };
        if !is_forced {
            let sampling = shared.sampling.load();
            match shared.sampler.lock().decide(&sampling, candidate, span, steady()) {
                Verdict::Sampled => {}
                Verdict::Outside => return None,
                Verdict::Capped => {
                    shared.metrics.capped.inc();
                    return None;
                }
            }
        }
        let trace = incoming.map_or_else(|| TraceId::of(rand::random()), |incoming| incoming.context.trace);
        let parent = incoming.map(|incoming| incoming.context.span);
        Some(Sampled { context: TraceContext { trace, span }, parent })
    }

    /// Returns the sampled messages of a batch whose spans the downlink makes, gifts first; none for
    /// most batches. The batch's span is a child of the first, and has links to all.
    #[must_use]
    pub fn links<'a>(&self, messages: impl IntoIterator<Item = &'a Message>) -> Vec<TraceContext> {
        let Some(shared) = &self.0 else { return Vec::new() };
        let mut sampling = None;
        let mut links = Vec::new();
        for message in messages {
            let Some(trace) = message.trace.as_deref() else { continue };
            let sampling = sampling.get_or_insert_with(|| shared.sampling.load());
            if trace.span.is_within(sampling.downlink_share(message.class))
                || sampling.watches(message.sender.as_ref(), &message.room)
            {
                links.push((!message.class.is_precious(), *trace));
            }
        }
        links.sort_by_key(|(is_chat, _)| *is_chat);
        links.truncate(LINKS_MAX);
        links.into_iter().map(|(_, trace)| trace).collect()
    }

    /// Takes a finished span. Drops and counts it when the queue is full.
    pub fn record(&self, span: Span) {
        let Some(shared) = &self.0 else { return };
        if shared.queue.try_send(span).is_err() {
            shared.metrics.dropped.inc();
        }
    }

    /// Draws the id of a span.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        SpanId::of(rand::random())
    }
}

fn unix_ns() -> u64 {
    u64::try_from(barrage_clock::since_unix_epoch().as_nanos()).unwrap_or(u64::MAX)
}

fn steady() -> Duration {
    Duration::from_millis(barrage_clock::steady_ms())
}
