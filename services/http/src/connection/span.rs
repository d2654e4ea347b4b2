//! The span of a request: every log line below it names method, route and request id. No field
//! holds text of the client: the route is the router's template.

use barrage_protocol::TraceId;
use http::{HeaderValue, Method};
use tracing::Span;
use tracing::field::Empty;

/// Makes the span of a request. [`record_route`] adds the route, where it is not known yet, once the router has
/// matched it.
pub(crate) fn request_span(method: &Method, request_id: &HeaderValue, route: Option<&str>) -> Span {
    let request_id = request_id.to_str().unwrap_or_default();
    tracing::info_span!("request", method = method_label(method), request_id, route, trace = Empty)
}

/// Adds the route template to the span of the current request.
pub(crate) fn record_route(route: &str) {
    Span::current().record("route", route);
}

/// Adds the trace of a sampled request to its span: later log lines of the request name it.
pub fn record_trace(trace: TraceId) {
    Span::current().record("trace", tracing::field::display(trace));
}

/// Returns the name of a standard method. Other names are text of the client.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_that_is_not_standard_is_other() {
        assert_eq!(method_label(&Method::PUT), "PUT");
        assert_eq!(method_label(&Method::from_bytes(b"SAY-HELLO").unwrap()), "other");
    }
}
