//! The creation of an upload, as its header fields ask for it.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use http::HeaderMap;

use super::head::UploadId;
use super::metadata::Metadata;

/// Maximum parts that one upload is joined from.
pub(crate) const PARTS_MAX: usize = 8;
/// Bytes that are reserved for an upload whose length the client states later, such as a voice note that is being
/// recorded: it may have no more.
const DEFERRED_BYTES_MAX: u64 = 16 << 20;

/// What a `POST /v1/uploads` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Creation {
    /// Length of the whole upload in bytes; 0 for an upload that is joined from parts, and the reserved bytes for one
    /// whose length is stated later.
    pub(crate) length: u64,
    pub(crate) is_deferred: bool,
    pub(crate) metadata: Metadata,
    pub(crate) concat: Concat,
}

/// How an upload takes part in a concatenation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Concat {
    /// An upload of its own.
    Whole,
    /// A part of an upload that is joined later.
    Part,
    /// The join of parts, in this order.
    Final(Vec<UploadId>),
}

/// Reads the header fields of a creation.
pub(crate) fn creation(headers: &HeaderMap, bytes_max: u64) -> Result<Creation, Refusal> {
    let is_deferred = match one(headers, "upload-defer-length")? {
        None => false,
        Some("1") => true,
        Some(_) => return Err(bad("Upload-Defer-Length must be 1")),
    };
    let metadata = Metadata::parse(one(headers, "upload-metadata")?.unwrap_or_default())?;
    let concat = match one(headers, "upload-concat")? {
        None => Concat::Whole,
        Some("partial") => Concat::Part,
        Some(text) => Concat::Final(parts(text)?),
    };
    let length = number(headers, "upload-length")?;
    if is_deferred {
        if length.is_some() || concat != Concat::Whole {
            let message =
                "send Upload-Length or Upload-Defer-Length; a part and a join have no deferred length";
            return Err(bad(message));
        }
        return Ok(Creation { length: bytes_max.min(DEFERRED_BYTES_MAX), is_deferred, metadata, concat });
    }
    if matches!(concat, Concat::Final(_)) {
        return match length {
            None => Ok(Creation { length: 0, is_deferred, metadata, concat }),
            Some(_) => {
                Err(bad("an upload that is joined from parts has their length: leave Upload-Length out"))
            }
        };
    }
    match length {
        None => Err(bad("send the length of the upload in bytes as Upload-Length")),
        Some(0) => Err(bad("an empty file is no medium: Upload-Length must be 1 or more")),
        Some(length) if length > bytes_max => {
            let message = format!("an upload may have {bytes_max} bytes (media.upload_bytes_max)");
            Err(Refusal::new(Code::TooLarge, message))
        }
        Some(length) => Ok(Creation { length, is_deferred, metadata, concat }),
    }
}

/// Reads `final;URL URL ...`; each URL is a path, or has one, that ends with the id of a part.
fn parts(text: &str) -> Result<Vec<UploadId>, Refusal> {
    let form = || {
        bad("Upload-Concat must be `partial`, or `final;` and the URLs of the parts with blanks between them")
    };
    let urls = text.strip_prefix("final;").ok_or_else(form)?;
    let ids = urls
        .split(' ')
        .filter(|url| !url.is_empty())
        .map(|url| url.rsplit('/').next().and_then(|id| UploadId::parse(id).ok()).ok_or_else(form));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() || ids.len() > PARTS_MAX {
        return Err(bad(format!("an upload is joined from 1 to {PARTS_MAX} parts")));
    }
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() != ids.len() {
        return Err(bad("an upload is joined from different parts: one is named twice"));
    }
    Ok(ids)
}

/// Returns the one value of a field; `None` without the field.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(bad(format!("the header {name} must be ASCII text"))),
        },
        (Some(_), Some(_)) => Err(bad(format!("the header {name} must appear once"))),
    }
}

/// Returns the number in a field: digits alone, below 2^63.
pub(crate) fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>, Refusal> {
    let Some(text) = one(headers, name)? else { return Ok(None) };
    let is_digits = !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|number| is_digits && *number < 1 << 63);
    number
        .map(Some)
        .ok_or_else(|| bad(format!("the header {name} must be a whole number from 0 to 2^63 - 1")))
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000000000000000000000000001";
    const B: &str = "00000000000000000000000000000002";

    fn parse(fields: &[(&'static str, &str)]) -> Result<Creation, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        creation(&headers, 1_000)
    }

    #[test]
    fn length_is_one_number_within_the_limit() {
        assert_eq!(parse(&[("upload-length", "1000")]).unwrap().length, 1_000);
        for bad in
            ["0", "-1", "+5", "1.5", "0x10", "", "1 000", "99999999999999999999", "9223372036854775808"]
        {
            assert_eq!(parse(&[("upload-length", bad)]).unwrap_err().code, Code::BadRequest, "{bad}");
        }
        for large in ["1001", "9223372036854775807"] {
            assert_eq!(parse(&[("upload-length", large)]).unwrap_err().code, Code::TooLarge, "{large}");
        }
        assert!(parse(&[]).is_err());
        assert!(parse(&[("upload-length", "5"), ("upload-length", "6")]).is_err(), "twice");
    }

    #[test]
    fn deferred_length_reserves_bytes_and_excludes_a_stated_one() {
        let deferred = parse(&[("upload-defer-length", "1")]).unwrap();
        assert_eq!((deferred.length, deferred.is_deferred), (1_000, true));
        for (name, value) in
            [("upload-length", "5"), ("upload-concat", "partial"), ("upload-defer-length", "1")]
        {
            let refused = parse(&[("upload-defer-length", "1"), (name, value)]);
            assert_eq!(refused.unwrap_err().code, Code::BadRequest, "{name}");
        }
        assert_eq!(parse(&[("upload-defer-length", "0")]).unwrap_err().code, Code::BadRequest);
    }

    #[test]
    fn join_names_one_to_eight_different_parts_and_no_length() {
        let joined = parse(&[("upload-concat", &format!("final;/v1/uploads/{A} http://h/v1/uploads/{B}"))]);
        let ids = [A, B].map(|id| UploadId::parse(id).unwrap());
        assert_eq!(joined.unwrap().concat, Concat::Final(ids.into()));
        let nine: String = (0..9).map(|n| format!("/v1/uploads/{n:032x} ")).collect();
        for bad in [
            "final;",
            "final",
            "Final;/v1/uploads/x",
            &format!("final;/v1/uploads/{A} /v1/uploads/{A}"),
            "final;/etc/passwd",
            &format!("final;{nine}"),
        ] {
            assert_eq!(parse(&[("upload-concat", bad)]).unwrap_err().code, Code::BadRequest, "{bad}");
        }
        let both = parse(&[("upload-concat", &format!("final;/{A}")), ("upload-length", "5")]);
        assert_eq!(both.unwrap_err().code, Code::BadRequest);
        assert_eq!(
            parse(&[("upload-concat", "partial"), ("upload-length", "5")]).unwrap().concat,
            Concat::Part
        );
    }
}
