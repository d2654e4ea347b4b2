//! The spans of one request: `POST`, `checks` and `publish`, when the post is sampled.

use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Post, PostAnswer};
use barrage_protocol::{Class, MessageId, RoomId, SpanId, TraceContext, TraceId, Traceparent};
use barrage_token::{Identity, Role};
use barrage_trace::{Candidate, Kind, Sampled, Span, Tracer};
use http::HeaderMap;

/// Header with the caller's trace context.
const TRACEPARENT: &str = "traceparent";

/// Trace of one request. Without a collector it is empty, and every call returns at once.
#[derive(Debug)]
pub(crate) struct RequestTrace {
    tracer: Tracer,
    incoming: Option<Traceparent>,
    started_ns: u64,
    open: Option<Box<Open>>,
}

/// A sampled post on its way through the pipeline. Times are Unix nanoseconds, 0 before the step.
#[derive(Debug)]
struct Open {
    sampled: Sampled,
    /// Id of the span of the request; the spans of checks and publish are its children.
    request: SpanId,
    room: RoomId,
    by: Identity,
    class: Class,
    id: MessageId,
    messages: usize,
    read_ns: u64,
    checked_ns: u64,
    published_ns: u64,
}

impl RequestTrace {
    /// Starts the trace of a request. A malformed `traceparent` counts as absent.
    pub(crate) fn start(tracer: &Tracer, headers: Option<&HeaderMap>) -> Self {
        let header = headers.filter(|_| tracer.is_on()).and_then(|headers| headers.get(TRACEPARENT));
        RequestTrace {
            incoming: header.and_then(|value| value.to_str().ok()?.parse().ok()),
            started_ns: tracer.now_ns(),
            tracer: tracer.clone(),
            open: None,
        }
    }

    /// Decides whether the posts of the request are traced. A package is sampled when one of its posts
    /// is, and is one trace. The sampled flag of an operator's request decides; others' does not.
    pub(crate) fn sample(&mut self, room: &RoomId, by: &Identity, posts: &[Post]) {
        if !self.tracer.is_on() {
            return;
        }
        let is_operator = by.role >= Role::Admin;
        let most_precious = posts.iter().max_by_key(|post| post.class().is_precious());
        let Some(post) = most_precious else { return };
        let candidate = Candidate { class: post.class(), user: &by.user, room };
        let Some(sampled) = self.tracer.sample(&candidate, self.incoming, is_operator) else { return };
        barrage_http::record_trace(sampled.context.trace);
        self.open = Some(Box::new(Open {
            sampled,
            request: self.tracer.span_id(),
            room: room.clone(),
            by: by.clone(),
            class: post.class(),
            id: post.id().clone(),
            messages: posts.len(),
            read_ns: self.tracer.now_ns(),
            checked_ns: 0,
            published_ns: 0,
        }));
    }

    /// Returns the trace id of a sampled request.
    pub(crate) fn id(&self) -> Option<TraceId> {
        self.open.as_ref().map(|open| open.sampled.context.trace)
    }

    /// Returns the context that a sampled message carries.
    pub(crate) fn context(&self) -> Option<Box<TraceContext>> {
        self.open.as_ref().map(|open| Box::new(open.sampled.context))
    }

    /// Records that the checks are over.
    pub(crate) fn checked(&mut self) {
        if let Some(open) = &mut self.open {
            open.checked_ns = self.tracer.now_ns();
        }
    }

    /// Records that the bus has answered.
    pub(crate) fn published(&mut self) {
        if let Some(open) = &mut self.open {
            open.published_ns = self.tracer.now_ns();
        }
    }

    /// Returns the value of `traceresponse` for the answer of a sampled request.
    pub(crate) fn response(&self) -> Option<String> {
        let open = self.open.as_ref()?;
        Some(TraceContext { trace: open.sampled.context.trace, span: open.request }.traceparent())
    }

    /// Records the spans of a request that was answered.
    pub(crate) fn end<'a>(
        self,
        route: &'static str,
        answer: Result<impl IntoIterator<Item = &'a PostAnswer>, &Refusal>,
    ) {
        let RequestTrace { tracer, started_ns, open, .. } = self;
        let Some(open) = open else { return };
        let ended_ns = tracer.now_ns();
        let first = answer.map(|answers| answers.into_iter().next());
        let error = first.as_ref().err().map(|refusal| refusal.code.label());
        let status = first.as_ref().map_or_else(|refusal| refusal.code.status(), |_| 200);
        let answer = first.ok().flatten();
        let mut request = open
            .span(route, Kind::Server, open.request, open.sampled.parent)
            .over(started_ns, ended_ns)
            .with("http.request.method", "POST")
            .with("http.response.status_code", u64::from(status));
        if let Some(answer) = answer {
            request = request.with("barrage.outcome", answer.outcome.label());
        }
        request.error = error;
        tracer.record(request);
        let checked_ns = if open.checked_ns == 0 { ended_ns } else { open.checked_ns };
        let checks = open.span("checks", Kind::Internal, tracer.span_id(), Some(open.request));
        tracer.record(checks.over(open.read_ns, checked_ns));
        if open.published_ns > 0 {
            let mut publish = open
                .span("publish room", Kind::Producer, open.sampled.context.span, Some(open.request))
                .over(checked_ns, open.published_ns)
                .with("messaging.system", tracer.system())
                .with("messaging.operation.name", "publish")
                .with("messaging.operation.type", "send")
                .with("messaging.destination.template", "room.{id}")
                .with("messaging.batch.message_count", open.messages as u64);
            if let Some(sequence) = answer.and_then(|answer| answer.sequence) {
                publish = publish.with("barrage.sequence", sequence.0);
            }
            publish.error = error;
            tracer.record(publish);
        }
    }
}

impl Open {
    /// Starts a span with the ids of the post.
    fn span(&self, name: &'static str, kind: Kind, id: SpanId, parent: Option<SpanId>) -> Span {
        let context = TraceContext { trace: self.sampled.context.trace, span: id };
        Span::new(name, kind, context, parent)
            .with("barrage.room", self.room.to_string())
            .with("barrage.user", self.by.user.to_string())
            .with("barrage.role", self.by.role.label())
            .with("barrage.class", self.class.label())
            .with("messaging.message.id", self.id.to_string())
    }
}
