//! The bearer token of a request, from its `Authorization` header.

use http::{HeaderMap, header};

/// Returns the token of an `Authorization: Bearer` field. The scheme's name may be written in
/// any case (RFC 9110, 11.1). A request with two such fields has no token.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(header::AUTHORIZATION).into_iter();
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let (scheme, token) = field.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(fields: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::AUTHORIZATION, field.parse().unwrap());
        }
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn scheme_matches_in_any_case_and_two_fields_are_no_token() {
        for field in ["Bearer abc", "bearer abc", "BEARER  abc ", " Bearer abc"] {
            assert_eq!(token(&[field]).as_deref(), Some("abc"), "{field}");
        }
        for fields in [&[][..], &["abc"], &["Basic abc"], &["Bearer"], &["Bearer abc", "Bearer abd"]] {
            assert_eq!(token(fields), None, "{fields:?}");
        }
    }
}
