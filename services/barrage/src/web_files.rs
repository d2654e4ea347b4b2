//! Files that Vite built, embedded in the binary: the viewer page and the operator console.

use std::borrow::Cow;

/// Folder of the console. The admin listener alone serves it.
pub(crate) const CONSOLE: &str = "console/";

#[derive(rust_embed::RustEmbed)]
#[folder = "../../web/dist/"]
struct WebFiles;

/// Returns the content of a file; `None` when there is no such file.
pub(crate) fn get(path: &str) -> Option<Cow<'static, [u8]>> {
    WebFiles::get(path).map(|found| found.data)
}

/// Returns the media type by the extension of a file.
pub(crate) fn content_type(path: &str) -> &'static str {
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
