//! The header fields of a medium: against guesses of its type, against scripts in it, and for caches.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use barrage_token::Visibility;

/// Time in seconds for which a browser may keep a private medium.
const PRIVATE_SECS: u64 = 3_600;

/// What the fields say about a variant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Described<'a> {
    pub(crate) media_type: &'a str,
    pub(crate) etag: &'a str,
    pub(crate) visibility: Visibility,
    /// Whether a browser may show the medium in a page; others are saved.
    pub(crate) is_shown: bool,
    /// Name under which it is saved, of `[a-z0-9.]`.
    pub(crate) file_name: &'a str,
}

/// Returns the fields of an answer with the medium or a part of it.
pub(crate) fn describe(described: Described<'_>) -> HeaderMap {
    let cache = match described.visibility {
        Visibility::Public => "public, max-age=31536000, immutable".to_owned(),
        Visibility::Private => format!("private, max-age={PRIVATE_SECS}"),
    };
    let disposition = if described.is_shown { "inline" } else { "attachment" };
    let disposition = format!("{disposition}; filename=\"{}\"", described.file_name);
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, described.media_type),
        (header::ETAG, described.etag),
        (header::CACHE_CONTROL, &cache),
        (header::CONTENT_DISPOSITION, &disposition),
        (header::ACCEPT_RANGES, "bytes"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Opened as a page of its own, the medium is in a sandbox without scripts, forms and further loads.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        // Pages of other hosts may show it: the media host is never the page's.
        (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        // Types and names are of plain characters; one that is not is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_medium_is_never_public_and_file_is_saved() {
        let described = Described {
            media_type: "text/html",
            etag: "\"a\"",
            visibility: Visibility::Private,
            is_shown: false,
            file_name: "a.html",
        };
        let headers = describe(described);
        let field = |name: &str| headers[name].to_str().unwrap();
        assert_eq!(field("cache-control"), "private, max-age=3600");
        assert_eq!(field("content-disposition"), "attachment; filename=\"a.html\"");
        assert_eq!(field("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(field("x-content-type-options"), "nosniff");
        let public = describe(Described { visibility: Visibility::Public, is_shown: true, ..described });
        assert_eq!(public["cache-control"], "public, max-age=31536000, immutable");
    }
}
