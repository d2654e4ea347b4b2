//! Names of blobs: paths of a few plain parts.

use std::fmt;

use object_store::path::Path;

/// Maximum bytes of a name, far below the 1,024 of S3 and the 255 of a file's part.
const NAME_BYTES_MAX: usize = 240;

/// Name of a blob: parts of `[a-z0-9._-]` between slashes. A part is never empty, `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobName(Path);

/// A text that is no name of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blob's name has parts of a-z, 0-9, `.`, `_` and `-` between slashes, 240 bytes at most")]
pub struct BadName;

impl BlobName {
    /// Parses a name.
    ///
    /// # Errors
    /// When the text has another character, an empty part, a part of dots, or too many bytes.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(is_plain) && part.bytes().any(|byte| byte != b'.')
        };
        if text.len() > NAME_BYTES_MAX || !text.split('/').all(is_part) {
            return Err(BadName);
        }
        Path::parse(text).map(BlobName).map_err(|_| BadName)
    }

    pub(crate) const fn path(&self) -> &Path {
        &self.0
    }

    /// Returns a listed name, if it is one that this crate writes.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        BlobName::parse(path.as_ref()).ok()
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_leads_to_no_other_folder() {
        assert_eq!(
            BlobName::parse("media/ab/abcd/record.json").unwrap().as_str(),
            "media/ab/abcd/record.json"
        );
        let (long, up) = ("a/".repeat(120) + "b", ["a", "..", "b"].join("/"));
        for bad in ["", "/", "a/", "/a", "a//b", "..", "a/./b", "A", "a b", "a\0", "ä", &long, &up] {
            assert_eq!(BlobName::parse(bad), Err(BadName), "{bad:?}");
        }
    }
}
