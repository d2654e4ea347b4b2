//! The console's page: files that Vite built, served below `/console/` of the admin listener.

use axum::response::{IntoResponse, Redirect, Response};
use barrage_http::{ApiError, error};
use barrage_protocol::Code;
use http::{HeaderName, HeaderValue, Method, Uri, header};

use crate::web_files;

/// Content security policy: files and calls of the console's own origin alone, nothing inline, no
/// frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves a file of the console, or answers 404. Fallback of the admin listener: the page needs no
/// token, has no data, and asks for a token itself.
pub(crate) async fn serve(method: Method, uri: Uri) -> Response {
    let is_read = method == Method::GET || method == Method::HEAD;
    match uri.path() {
        "/console" if is_read => Redirect::permanent("/console/").into_response(),
        "/console/" if is_read => file("index.html"),
        path => match path.strip_prefix("/console/") {
            Some(name) if is_read => file(name),
            _ => error::not_found().await.into_response(),
        },
    }
}

fn file(path: &str) -> Response {
    let path = format!("{}{path}", web_files::CONSOLE);
    let Some(found) = web_files::get(&path) else {
        return ApiError::new(Code::NotFound, "no such file; the console is at /console/").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(web_files::content_type(&path))),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, found).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_a_strict_policy_and_no_inline_script() {
        let answer = file("index.html");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.ends_with("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(answer.status(), 200);
        let html = web_files::get("console/index.html").unwrap();
        let html = String::from_utf8_lossy(&html);
        assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains(" onclick"));
        let scripts = html.matches("<script").count();
        assert_eq!(scripts, html.matches("<script type=\"module\" crossorigin src=\"./assets/").count());
        assert_eq!(file("../etc/index.html").status(), 404);
        assert_eq!(file("nothing.js").status(), 404);
    }
}
