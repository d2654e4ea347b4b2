//! The viewer page, built by Vite and embedded.

use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::Code;
use http::{Method, Uri, header};

#[derive(rust_embed::RustEmbed)]
#[folder = "../../web/dist/"]
struct Files;

/// Everything from ourselves; nothing inline. The renderer positions elements by
/// the style properties of the DOM, which this allows.
const POLICY: &str = "default-src 'self'; connect-src 'self' http: https: ws: wss:; img-src 'self' data:; \
                      object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

/// Fallback of the public routes: the page and its files.
pub(crate) async fn fallback(method: Method, uri: Uri) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return barrage_http::error::not_found().await.into_response();
    }
    match uri.path() {
        "/" => file("index.html"),
        path => file(path.trim_start_matches('/')),
    }
}

fn file(path: &str) -> Response {
    let Some(found) = Files::get(path) else {
        return ApiError::new(Code::NotFound, "no such resource; the page is at /").into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, content_type(path)),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, found.data).into_response()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
