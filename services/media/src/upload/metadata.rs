//! The field Upload-Metadata: pairs of a key and a value in Base64.

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, Digest};
use barrage_token::Visibility;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Maximum bytes of the field.
const FIELD_BYTES_MAX: usize = 4 * 1024;
/// Maximum pairs in the field.
const PAIRS_MAX: usize = 16;
/// Maximum characters of a file's name after it was cleaned.
const NAME_CHARS_MAX: usize = 120;

/// What a client says about its file. Keys that the server does not know are kept in the text alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    /// The field as it arrived, for the answer of HEAD.
    pub(crate) text: String,
    /// Name of the file without folders and controls (`filename`).
    pub(crate) name: Option<String>,
    /// Media type that the client declares (`filetype`), in lower case.
    pub(crate) media_type: Option<String>,
    /// SHA-256 of the whole file (`sha256`, hexadecimal). The upload is complete only if it agrees.
    pub(crate) digest: Option<Digest>,
    /// Who may see the medium (`visibility`): `private` or `public`.
    #[serde(default)]
    pub(crate) visibility: Visibility,
}

impl Metadata {
    /// Parses the field; an empty text has no pairs.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > FIELD_BYTES_MAX {
            return Err(bad(format!("Upload-Metadata may have {FIELD_BYTES_MAX} bytes")));
        }
        let mut metadata = Metadata { text: text.to_owned(), ..Metadata::default() };
        let mut keys = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if keys.contains(&key) || keys.len() == PAIRS_MAX {
                return Err(bad(format!("Upload-Metadata may have {PAIRS_MAX} different keys")));
            }
            keys.push(key);
            let value = STANDARD.decode(value.trim());
            let value = value.map_err(|_| bad("a value in Upload-Metadata is no Base64"))?;
            let value = String::from_utf8(value).ok();
            metadata.take(key, value)?;
        }
        Ok(metadata)
    }

    /// Takes one pair. The value is `None` when it is not UTF-8.
    fn take(&mut self, key: &str, value: Option<String>) -> Result<(), Refusal> {
        match (key, value) {
            ("filename" | "name", Some(value)) => self.name = clean_name(&value),
            ("filetype" | "type", Some(value)) => self.media_type = media_type(&value),
            ("sha256", value) => {
                let digest = value.and_then(|value| Digest::parse(&value).ok());
                let digest =
                    digest.ok_or_else(|| bad("the value of sha256 must be 64 hexadecimal digits"))?;
                self.digest = Some(digest);
            }
            ("visibility", value) => {
                self.visibility = match value.as_deref() {
                    Some("private") => Visibility::Private,
                    Some("public") => Visibility::Public,
                    _ => return Err(bad("the value of visibility must be `private` or `public`")),
                };
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns a media type without parameters, in lower case; `None` for a text that is none.
fn media_type(text: &str) -> Option<String> {
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let is_plain = |part: &str| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !part.is_empty() && part.len() <= 64 && part.bytes().all(is_token)
    };
    let (kind, subtype) = essence.split_once('/')?;
    (is_plain(kind) && is_plain(subtype)).then_some(essence)
}

/// Returns the last part of a path without controls, quotes and characters that turn the direction of text.
fn clean_name(text: &str) -> Option<String> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let is_shown = |c: &char| {
        let turns = matches!(*c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        !c.is_control() && !turns && *c != '"'
    };
    let name: String = last.chars().filter(is_shown).take(NAME_CHARS_MAX).collect();
    let name = name.trim().trim_start_matches('.').to_owned();
    (!name.is_empty()).then_some(name)
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(pairs: &[(&str, &str)]) -> String {
        let pairs = pairs.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value)));
        pairs.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn known_keys_are_read_and_the_text_is_kept() {
        let text = field(&[("filename", "cat.png"), ("filetype", "Image/PNG; q=1"), ("x", "y")]);
        let metadata = Metadata::parse(&text).unwrap();
        assert_eq!(
            (metadata.name.as_deref(), metadata.media_type.as_deref()),
            (Some("cat.png"), Some("image/png"))
        );
        assert_eq!((metadata.text, metadata.visibility), (text, Visibility::Private));
        assert_eq!(Metadata::parse("").unwrap(), Metadata::default());
    }

    #[test]
    fn names_lose_folders_controls_and_turned_text() {
        for (name, clean) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\temp\\a.gif", Some("a.gif")),
            ("a\r\nSet-Cookie: b", Some("aSet-Cookie: b")),
            ("x\u{202e}gpj.exe", Some("xgpj.exe")),
            ("..", None),
            ("猫.jpg", Some("猫.jpg")),
            (" \" ", None),
        ] {
            let metadata = Metadata::parse(&field(&[("filename", name)])).unwrap();
            assert_eq!(metadata.name.as_deref(), clean, "{name:?}");
        }
        let long = Metadata::parse(&field(&[("filename", &"n".repeat(2_000))])).unwrap().name.unwrap();
        assert_eq!(long.len(), NAME_CHARS_MAX);
    }

    #[test]
    fn large_double_and_malformed_fields_are_refused() {
        let (large, digest) = ("n".repeat(4_000), field(&[("sha256", "abc")]));
        let many: Vec<_> = (0..17).map(|n| format!("k{n}")).collect();
        for bad in [
            &field(&[("filename", &large)]),
            "filename !!!",
            &format!("{0},{0}", field(&[("a", "b")])),
            &many.join(","),
            &digest,
            &field(&[("visibility", "all")]),
        ] {
            assert_eq!(Metadata::parse(bad).unwrap_err().code, Code::BadRequest, "{bad}");
        }
    }

    #[test]
    fn type_with_other_characters_is_no_type() {
        for bad in ["image", "image/", "/png", "image/p\r\ng", "a b/c", "text/ht<ml"] {
            assert_eq!(Metadata::parse(&field(&[("filetype", bad)])).unwrap().media_type, None, "{bad:?}");
        }
    }
}
