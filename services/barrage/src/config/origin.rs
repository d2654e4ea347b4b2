//! Forms of an origin: as browsers send it, and as the policy `frame-ancestors` takes it.

use reqwest::Url;

/// Returns the expected form when a text is not an origin as browsers send it.
pub(super) fn origin_problem(text: &str) -> Option<String> {
    if text == "*" || text == "null" {
        return None;
    }
    let example = "as browsers send it: scheme, host, and port if it is not the scheme's own, in lower case and \
                   without a path (https://live.example)";
    let Ok(url) = Url::parse(text) else { return Some(example.into()) };
    let sent = url.origin().ascii_serialization();
    if sent == text {
        return None;
    }
    let is_app = sent == "null"
        && text == text.to_ascii_lowercase()
        && text
            .split_once("://")
            .is_some_and(|(_, host)| !host.is_empty() && !host.contains(['/', '?', '#', ' ']));
    if is_app {
        return None;
    }
    Some(if sent == "null" { example.into() } else { format!("{example}; perhaps {sent}") })
}

/// Whether a text is a valid source of the policy `frame-ancestors`. The text becomes part of a header, so
/// it must not contain a separator.
pub(super) fn is_frame_ancestor(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let host = host.strip_prefix("*.").unwrap_or(host);
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    ["http", "https"].contains(&scheme) && !host.is_empty() && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_that_no_browser_sends_is_refused_with_a_correction() {
        for good in ["*", "null", "https://live.example", "http://localhost:3000", "capacitor://localhost"] {
            assert_eq!(origin_problem(good), None, "{good}");
        }
        for (bad, meant) in [
            ("https://live.example/", "perhaps https://live.example"),
            ("https://live.example/room", "perhaps https://live.example"),
            ("https://Live.Example", "perhaps https://live.example"),
            ("https://live.example:443", "perhaps https://live.example"),
            ("live.example", "(https://live.example)"),
            ("", "(https://live.example)"),
        ] {
            assert!(origin_problem(bad).unwrap().contains(meant), "{bad}");
        }
        for (text, is_good) in [
            ("https://live.example", true),
            ("https://*.live.example:8443", true),
            ("*", false),
            ("https://a;script-src *", false),
            ("https://a, https://b", false),
            ("https://", false),
        ] {
            assert_eq!(is_frame_ancestor(text), is_good, "{text}");
        }
    }
}
