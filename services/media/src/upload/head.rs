//! What is known of an upload from its creation on.

use std::fmt;
use std::net::IpAddr;

use barrage_protocol::code::Refusal;
use barrage_protocol::digest::hex;
use barrage_protocol::{Digest, UserId};
use serde::{Deserialize, Serialize};

use super::metadata::Metadata;

/// Id of an upload: 128 random bits, or for a join the hash of its parts. In a URL as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct UploadId([u8; 16]);

/// A text that is no id of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of an upload has 32 hexadecimal digits in lower case")]
pub(crate) struct BadUploadId;

impl UploadId {
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        UploadId(bytes)
    }

    /// Parses 32 hexadecimal digits in lower case, so that an upload has one URL.
    pub(crate) fn parse(text: &str) -> Result<Self, BadUploadId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(BadUploadId);
        }
        u128::from_str_radix(text, 16).map(|number| UploadId(number.to_be_bytes())).map_err(|_| BadUploadId)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl TryFrom<String> for UploadId {
    type Error = BadUploadId;
    fn try_from(text: String) -> Result<Self, BadUploadId> {
        UploadId::parse(&text)
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> String {
        id.to_string()
    }
}

/// What is known of an upload at its creation. Kept in a file beside its bytes, with a length that was stated later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadHead {
    pub(crate) id: UploadId,
    /// The user who may see and continue the upload.
    pub(crate) user: UserId,
    /// Length of the whole upload in bytes; of one whose length is not stated yet, the bytes that it may have.
    pub(crate) length: u64,
    /// Whether the client states the length later (`Upload-Defer-Length`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_deferred: bool,
    pub(crate) metadata: Metadata,
    /// Whether the upload is a part of one that is joined later.
    pub(crate) is_part: bool,
    /// Parts that the upload was joined from, in their order; empty for any other upload.
    pub(crate) parts: Vec<UploadId>,
    /// Unix time in milliseconds at which the bytes were counted against the quotas of a day.
    pub(crate) created_ms: u64,
    /// Address whose quota counts the bytes; absent in uploads of older versions.
    #[serde(default)]
    pub(crate) address: Option<IpAddr>,
    /// Unix time in milliseconds after which the upload is removed.
    pub(crate) expires_ms: u64,
}

/// How far an upload has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
pub(crate) enum Stage {
    /// The client has more bytes to send.
    Receiving,
    /// A part with all its bytes, which waits for the join.
    Whole,
    /// All bytes have arrived and agree with the digest; the check has not ended.
    Checking {
        /// SHA-256 of the bytes.
        digest: Digest,
    },
    /// The medium is in the store, and neither the hook nor a moderator has decided about it.
    InReview {
        /// SHA-256 of the bytes.
        digest: Digest,
    },
    /// The medium is in the store.
    Ready {
        /// SHA-256 of the bytes, by which the medium is named.
        digest: Digest,
    },
    /// The check refused the file; its bytes are gone.
    Refused {
        /// Why, as the sender may learn it.
        refusal: Refusal,
    },
}

impl Stage {
    /// Whether no further byte is taken.
    pub(crate) const fn has_all_bytes(&self) -> bool {
        !matches!(self, Stage::Receiving)
    }

    /// Whether the upload may still become no medium.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self, Stage::Ready { .. } | Stage::Refused { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_has_one_form() {
        let id = UploadId::new(0xab_u128.to_be_bytes());
        assert_eq!(UploadId::parse(&id.to_string()), Ok(id));
        for bad in ["", "ab", &"A".repeat(32), &"g".repeat(32), &"+".repeat(32), &format!("{id}0"), "known"] {
            assert_eq!(UploadId::parse(bad), Err(BadUploadId), "{bad}");
        }
    }
}
