//! The public pages and the script of the SDK: files that Vite built, embedded in the binary.

use axum::response::{IntoResponse, Redirect, Response};
use barrage_http::ApiError;
use barrage_protocol::Code;
use http::{HeaderValue, Method, Uri, header};

use crate::web_files;

/// Content security policy of the page, without origins of images and further `frame-ancestors`:
/// resources from its own origin alone, nothing inline. `connect-src` is open, because gateways and
/// uplinks have other origins, and so is `media-src`, because a stream comes from anywhere and a dropped
/// file has a `blob:` address. The page positions danmaku by DOM style properties, which the policy allows.
const POLICY: &str = "default-src 'self'; connect-src 'self' http: https: ws: wss:; \
                      media-src 'self' blob: http: https:; object-src 'none'; base-uri 'none'; \
                      form-action 'self'";
const IMAGES: &str = "; img-src 'self' data:";
const ANCESTORS: &str = "; frame-ancestors 'self'";
/// Sources of the overlay besides: mixers such as OBS add the streamer's own style sheet to the page as an inline
/// element, and such sheets load fonts and images. Scripts stay those of the page's own origin.
const THEMES: &str = "; style-src 'self' 'unsafe-inline' https:; font-src 'self' data: https:";
/// Folder of the files that pages of other origins load.
const SDK: &str = "sdk/";
/// Folder of the overlay.
const OVERLAY: &str = "overlay/";

/// Handler for the page and its files.
#[derive(Debug, Clone)]
pub(super) struct Page {
    policy: HeaderValue,
    /// Policy of the overlay.
    themed: HeaderValue,
}

impl Page {
    /// Creates the handler. `frame_ancestors` are origins of pages that may show this page in a
    /// frame, `image_origins` those of emotes' images. An origin that is not valid in a header is logged
    /// and ignored.
    pub(super) fn new(frame_ancestors: &[String], image_origins: &[String]) -> Self {
        let any_image = [&["https:".to_owned()][..], image_origins].concat();
        let policy_of = |extra: &str, images: &[String]| {
            let mut policy = format!("{POLICY}{extra}");
            add(&mut policy, IMAGES, images);
            add(&mut policy, ANCESTORS, frame_ancestors);
            HeaderValue::from_str(&policy).expect("added origins are valid in a header")
        };
        Page { policy: policy_of("", image_origins), themed: policy_of(THEMES, &any_image) }
    }

    /// Serves a file of the page, or answers 404. Fallback of the public routes.
    pub(super) async fn serve(self, method: Method, uri: Uri) -> Response {
        if method != Method::GET && method != Method::HEAD {
            return barrage_http::error::not_found().await.into_response();
        }
        match uri.path() {
            "/" => self.file("index.html"),
            path => self.below(path.trim_start_matches('/'), uri.query()),
        }
    }

    /// Serves a file, or the page of a folder. A page without the slash at its end is redirected, because
    /// its files have relative addresses.
    fn below(self, path: &str, query: Option<&str>) -> Response {
        if let Some(folder) = path.strip_suffix('/') {
            return self.file(&format!("{folder}/index.html"));
        }
        if is_folder_name(path) && web_files::get(&format!("{path}/index.html")).is_some() {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            return Redirect::permanent(&format!("/{path}/{query}")).into_response();
        }
        self.file(path)
    }

    fn file(self, path: &str) -> Response {
        let public = (!path.starts_with(web_files::CONSOLE)).then(|| web_files::get(path));
        let Some(found) = public.flatten() else {
            return ApiError::new(Code::NotFound, "no such resource; the page is at /").into_response();
        };
        let policy = if path.starts_with(OVERLAY) { self.themed } else { self.policy };
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(web_files::content_type(path))),
            (header::CONTENT_SECURITY_POLICY, policy),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        let mut answer = (headers, found).into_response();
        if path.starts_with(SDK) {
            let any = HeaderValue::from_static("*");
            answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
        }
        answer
    }
}

/// Returns true for a folder of a page; the console's is not public.
fn is_folder_name(path: &str) -> bool {
    path != web_files::CONSOLE.trim_end_matches('/') && path.bytes().all(|byte| byte.is_ascii_lowercase())
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
        for path in ["/console", "/console/index.html", "/console/", "//console/index.html"] {
            let answer = Page::new(&[], &[]).serve(Method::GET, Uri::from_static(path)).await;
            assert_eq!(answer.status(), 404, "{path}");
        }
    }

    #[tokio::test]
    async fn folder_of_a_page_is_redirected_to_its_index_with_the_query() {
        let page = |uri| Page::new(&[], &[]).serve(Method::GET, Uri::from_static(uri));
        assert_eq!(page("/assets").await.status(), 404, "a folder without a page");
        assert_eq!(page("/assets/").await.status(), 404);
        assert_eq!(page("//").await.status(), 404);
        let answer = page("/overlay?room=demo&max=5").await;
        assert_eq!(answer.status(), 308);
        assert_eq!(answer.headers()[header::LOCATION], "/overlay/?room=demo&max=5");
        assert_eq!(page("/overlay/?room=demo").await.status(), 200);
    }

    #[tokio::test]
    async fn overlay_alone_takes_style_sheets_of_a_mixer_and_no_scripts() {
        let page = |uri| Page::new(&[], &[]).serve(Method::GET, Uri::from_static(uri));
        let policy = page("/overlay/?room=demo").await.headers()[header::CONTENT_SECURITY_POLICY].clone();
        let policy = policy.to_str().expect("ASCII");
        assert!(policy.contains("default-src 'self'") && !policy.contains("script-src"), "{policy}");
        assert!(policy.contains("style-src 'self' 'unsafe-inline' https:"), "{policy}");
        assert!(policy.ends_with("img-src 'self' data: https:; frame-ancestors 'self'"), "{policy}");
        assert!(!policy_with(&[]).await.contains("unsafe"));
    }

    #[tokio::test]
    async fn pages_of_other_origins_may_load_the_sdk_alone() {
        let page = |uri| Page::new(&[], &[]).serve(Method::GET, Uri::from_static(uri));
        let sdk = page("/sdk/barrage.js").await;
        assert_eq!(sdk.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!page("/").await.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
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
