//! A finished span, as it is exported.

use barrage_protocol::{SpanId, TraceContext};

use crate::attribute::{Attribute, Value};

/// Part that a span plays between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work inside of a process.
    Internal,
    /// Answer to a request.
    Server,
    /// Publication of messages by this process.
    Producer,
    /// Work on messages that others published.
    Consumer,
}

/// A finished span that waits for its export.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Name without ids, so that there are few names.
    pub name: &'static str,
    /// Part that the span plays between processes.
    pub kind: Kind,
    /// Trace of the span, and its own id.
    pub context: TraceContext,
    /// Span that caused this one; `None` for the first span of a trace.
    pub parent: Option<SpanId>,
    /// Start in Unix nanoseconds.
    pub start_ns: u64,
    /// End in Unix nanoseconds.
    pub end_ns: u64,
    /// Attributes, each name once.
    pub attributes: Vec<Attribute>,
    /// Spans of other messages that this one worked on.
    pub links: Vec<TraceContext>,
    /// Label of the failure; `None` when the work succeeded.
    pub error: Option<&'static str>,
}

impl Span {
    /// Creates a span without attributes.
    #[must_use]
    pub fn new(name: &'static str, kind: Kind, context: TraceContext, parent: Option<SpanId>) -> Self {
        Span {
            name,
            kind,
            context,
            parent,
            start_ns: 0,
            end_ns: 0,
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        }
    }

    /// Sets start and end, in Unix nanoseconds. An end before the start becomes the start.
    #[must_use]
    pub fn over(mut self, start_ns: u64, end_ns: u64) -> Self {
        (self.start_ns, self.end_ns) = (start_ns, end_ns.max(start_ns));
        self
    }

    /// Adds an attribute to the span.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}
