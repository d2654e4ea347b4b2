//! The viewer page: files that Vite built, embedded in the binary.

use axum::response::{IntoResponse, Response};
use barrage_http::ApiError;
use barrage_protocol::Code;
use http::{HeaderValue, Method, Uri, header};

use crate::web_files;

/// Content security policy of the page, without origins of images and further `frame-ancestors`:
/// resources from its own origin alone, nothing inline. `connect-src` is open, because gateways and
/// uplinks have other origins. The page positions danmaku by DOM style properties, which the policy allows.
const POLICY: &str = "default-src 'self'; connect-src 'self' http: https: ws: wss:; object-src 'none'; \
                      base-uri 'none'; form-action 'self'";
const IMAGES: &str = "; img-src 'self' data:";
const ANCESTORS: &str = "; frame-ancestors 'self'";

/// Handler for the page and its files.
#[derive(Debug, Clone)]
pub(super) struct Page {
    policy: HeaderValue,
}

impl Page {
    /// Creates the handler. `frame_ancestors` are origins of pages that may show this page in a
    /// frame, `image_origins` those of emotes' images. An origin that is not valid in a header is logged
    /// and ignored.
    pub(super) fn new(frame_ancestors: &[String], image_origins: &[String]) -> Self {
        let mut policy = POLICY.to_owned();
        add(&mut policy, IMAGES, image_origins);
        add(&mut policy, ANCESTORS, frame_ancestors);
        let policy = HeaderValue::from_str(&policy).expect("added origins are valid in a header");
        Page { policy }
    }

    /// Serves a file of the page, or answers 404. Fallback of the public routes.
    pub(super) async fn serve(self, method: Method, uri: Uri) -> Response {
        if method != Method::GET && method != Method::HEAD {
            return barrage_http::error::not_found().await.into_response();
        }
        match uri.path() {
            "/" => self.file("index.html"),
            path => self.file(path.trim_start_matches('/')),
        }
    }

    fn file(self, path: &str) -> Response {
        let public = (!path.starts_with(web_files::CONSOLE)).then(|| web_files::get(path));
        let Some(found) = public.flatten() else {
            return ApiError::new(Code::NotFound, "no such resource; the page is at /").into_response();
        };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(web_files::content_type(path))),
            (header::CONTENT_SECURITY_POLICY, self.policy),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        (headers, found).into_response()
    }
}

/// Adds a directive with further origins.
fn add(policy: &mut String, directive: &str, origins: &[String]) {
    policy.push_str(directive);
    for origin in origins {
        // A separator would begin another directive or another policy.
        if origin.contains([';', ',', ' ']) || HeaderValue::from_str(origin).is_err() {
            tracing::warn!(%origin, "an origin in [http] is not valid in a policy and is ignored");
            continue;
        }
        policy.push(' ');
        policy.push_str(origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn policy_with(frame_ancestors: &[&str]) -> String {
        let origins: Vec<_> = frame_ancestors.iter().map(|&origin| origin.to_owned()).collect();
        let answer = Page::new(&origins, &["https://cdn.example".to_owned()])
            .serve(Method::GET, Uri::from_static("/"))
            .await;
        answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII").to_owned()
    }

    #[tokio::test]
    async fn only_named_origins_may_frame_the_page() {
        assert!(policy_with(&[]).await.ends_with("frame-ancestors 'self'"));
        let named = policy_with(&["https://live.example", "https://*.live.example"]).await;
        assert!(named.ends_with("frame-ancestors 'self' https://live.example https://*.live.example"));
        assert!(named.contains("img-src 'self' data: https://cdn.example; frame-ancestors"), "{named}");
    }

    #[tokio::test]
    async fn public_listener_does_not_serve_the_console() {
        assert!(web_files::get("console/index.html").is_some(), "the console is built");
        for path in ["/console/index.html", "/console/", "//console/index.html"] {
            let answer = Page::new(&[], &[]).serve(Method::GET, Uri::from_static(path)).await;
            assert_eq!(answer.status(), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn origin_cannot_add_a_directive() {
        let policy = policy_with(&["https://a.example; script-src *", "https://b.example\n"]).await;
        assert!(policy.ends_with("frame-ancestors 'self'"));
    }

    #[tokio::test]
    async fn page_has_no_policy_besides_the_header() {
        let page = web_files::get("index.html").expect("the page is built");
        let html = String::from_utf8_lossy(&page);
        assert!(!html.contains("Content-Security-Policy"), "a meta tag would forbid other origins as well");
        assert!(policy_with(&[]).await.contains("connect-src 'self' http: https: ws: wss:"));
    }
}
