use std::sync::atomic::{AtomicU64, Ordering};

use barrage_protocol::{Class, SpanId, TraceContext, TraceId};
use barrage_trace::{Kind, Span, Tracer};

use super::{SharedBatch, Tally};

/// Spans of one batch that has sampled messages: `process room`, and `write` below it. A room that is
/// served in waves has both for each wave.
///
/// The shards share it. Dropping the last reference records the spans, so that they end with the write
/// of the last shard.
#[derive(Debug)]
pub(crate) struct BatchTrace {
    tracer: Tracer,
    process: TraceContext,
    parent: SpanId,
    write: SpanId,
    links: Vec<TraceContext>,
    room: String,
    messages: u64,
    gifts: u64,
    thinned: u64,
    since_ns: u64,
    made_ns: u64,
    written_ns: AtomicU64,
    viewers: AtomicU64,
    written: AtomicU64,
    queued: AtomicU64,
    gone: AtomicU64,
    bytes: AtomicU64,
}

impl BatchTrace {
    /// Starts the spans of a batch; `None` when the tracer takes none of its messages. `waited_ns` is
    /// the age of the oldest message in this gateway.
    pub(crate) fn start(tracer: &Tracer, batch: &SharedBatch, waited_ns: u64) -> Option<Self> {
        let links = tracer.links(batch.messages.iter().map(|message| &**message));
        let first = *links.first()?;
        let made_ns = tracer.now_ns();
        Some(BatchTrace {
            process: TraceContext { trace: first.trace, span: tracer.span_id() },
            parent: first.span,
            write: tracer.span_id(),
            links,
            room: batch.room.to_string(),
            messages: batch.messages.len() as u64,
            gifts: batch.counts.precious(),
            thinned: batch.thinned,
            since_ns: made_ns.saturating_sub(waited_ns),
            made_ns,
            written_ns: AtomicU64::new(made_ns),
            viewers: AtomicU64::new(0),
            written: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            tracer: tracer.clone(),
        })
    }

    /// Returns the context of the write, the parent of the viewers' acknowledgements.
    pub(crate) fn write_context(&self) -> TraceContext {
        TraceContext { trace: self.process.trace, span: self.write }
    }

    /// Returns the trace of a message of this class, as an exemplar of its push time.
    pub(crate) fn of_class(&self, batch: &SharedBatch, class: Class) -> Option<TraceId> {
        let of_class = batch.messages.iter().filter(|message| message.class == class);
        let mut traces = of_class.filter_map(|message| message.trace.as_deref());
        traces.find(|trace| self.links.contains(trace)).map(|trace| trace.trace)
    }

    /// Adds one shard's viewers, after their sockets were written to.
    pub(crate) fn add(&self, tally: &Tally) {
        self.written_ns.fetch_max(self.tracer.now_ns(), Ordering::Relaxed);
        self.viewers.fetch_add(tally.viewers, Ordering::Relaxed);
        self.written.fetch_add(tally.written, Ordering::Relaxed);
        self.queued.fetch_add(tally.queued, Ordering::Relaxed);
        self.gone.fetch_add(tally.gone, Ordering::Relaxed);
        self.bytes.fetch_add(tally.bytes, Ordering::Relaxed);
    }
}

impl Drop for BatchTrace {
    fn drop(&mut self) {
        let load = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let ended_ns = load(&self.written_ns);
        let write = Span::new("write", Kind::Internal, self.write_context(), Some(self.process.span))
            .over(self.made_ns, ended_ns)
            .with("barrage.viewers", load(&self.viewers))
            .with("barrage.viewers_written", load(&self.written))
            .with("barrage.viewers_queued", load(&self.queued))
            .with("barrage.viewers_gone", load(&self.gone))
            .with("barrage.bytes", load(&self.bytes));
        self.tracer.record(write);
        let mut process = Span::new("process room", Kind::Consumer, self.process, Some(self.parent))
            .over(self.since_ns, ended_ns)
            .with("messaging.system", self.tracer.system())
            .with("messaging.operation.name", "process")
            .with("messaging.operation.type", "process")
            .with("messaging.destination.template", "room.{id}")
            .with("messaging.batch.message_count", self.messages)
            .with("barrage.room", std::mem::take(&mut self.room))
            .with("barrage.gifts", self.gifts)
            .with("barrage.chat_dropped", self.thinned);
        process.links = std::mem::take(&mut self.links);
        self.tracer.record(process);
    }
}
