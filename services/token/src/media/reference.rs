//! References to media: the role media signs one for a user, and an uplink reads it without a question to that role.

use barrage_protocol::code::Refusal;
use barrage_protocol::media::VARIANTS_MAX;
use barrage_protocol::{Code, Digest, MediaReference, MediaVariant, MediaView, UserId};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::address::{AddressKeys, SignedPath, Visibility};

/// Longest life of a reference in seconds. Half of the time for which a medium without a message is kept, so that a message
/// never names a medium that is gone.
pub const REFERENCE_SECS: u64 = 12 * 3_600;
/// What the secret of references is derived for.
const PURPOSE: &str = "references in messages";
/// Bytes of a signature: 128 bits.
const SIGNATURE_BYTES: usize = 16;
/// How a body with a medium has it, as the uplink writes bodies.
const MARK: &str = "\"media\":{";

/// What a reference says: the medium, and who may send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// User who may send the medium.
    #[serde(rename = "o")]
    pub owner: UserId,
    /// Unix time in seconds from which the reference is refused.
    #[serde(rename = "e")]
    pub expires_secs: u64,
    /// The medium without addresses.
    #[serde(rename = "m")]
    pub media: MediaView,
}

impl Reference {
    /// Makes the reference of a medium for a user, as of now.
    #[must_use]
    pub const fn new(owner: UserId, media: MediaView, now_secs: u64, life_secs: u64) -> Self {
        Reference { owner, expires_secs: now_secs + life_secs, media }
    }
}

impl AddressKeys {
    /// Signs a reference, which has no addresses. `None` for one that is longer than a reference may be.
    #[must_use]
    pub fn refer(&self, reference: &Reference) -> Option<MediaReference> {
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&reference.without_addresses()).ok()?);
        let tag = hmac::sign(&self.derived(PURPOSE), claims.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(&tag.as_ref()[..SIGNATURE_BYTES]);
        MediaReference::parse(&format!("{claims}.{signature}")).ok()
    }

    /// Reads a reference that a user sends now.
    ///
    /// # Errors
    /// A refusal of a reference that is false, too old, or of another user.
    pub fn resolve(
        &self,
        reference: &MediaReference,
        by: &UserId,
        now_secs: u64,
    ) -> Result<Reference, Refusal> {
        let found = self.read_reference(reference, now_secs)?;
        if found.owner != *by {
            let message = "media: the reference is for another user; ask the media host for your own";
            return Err(Refusal::new(Code::Forbidden, message));
        }
        Ok(found)
    }

    /// Reads a reference, whoever may send it.
    ///
    /// # Errors
    /// A refusal of a reference that is false or too old.
    pub fn read_reference(&self, reference: &MediaReference, now_secs: u64) -> Result<Reference, Refusal> {
        let bad = |code, message: &str| Refusal::new(code, format!("media: {message}"));
        let unverified =
            || bad(Code::BadRequest, "the reference does not verify; ask the media host for one");
        let (claims, signature) = reference.as_str().split_once('.').ok_or_else(unverified)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| unverified())?;
        if !self.all_derived(PURPOSE).any(|key| verifies(&key, claims, &signature)) {
            return Err(unverified());
        }
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| unverified())?;
        let found: Reference = serde_json::from_slice(&claims).map_err(|_| unverified())?;
        if found.expires_secs <= now_secs {
            return Err(bad(Code::BadRequest, "the reference has ended; ask the media host for another one"));
        }
        Ok(found)
    }

    /// Signs the addresses of a medium as of now, without a host.
    #[must_use]
    pub fn with_addresses(&self, media: &MediaView, now_secs: u64) -> MediaView {
        let visibility = if media.is_public { Visibility::Public } else { Visibility::Private };
        let signed = |variant: &MediaVariant| {
            let path = SignedPath { digest: media.digest, variant: &variant.name };
            MediaVariant { url: self.sign(path, visibility, now_secs), ..variant.clone() }
        };
        MediaView {
            variants: media.variants.iter().take(VARIANTS_MAX).map(signed).collect(),
            ..media.clone()
        }
    }

    /// Returns the body of a message with the addresses of its medium signed as of now, or without the medium where
    /// `is_removed` says so; `None` for a body without a medium, which stays as it is.
    #[must_use]
    pub fn renewed(
        &self,
        body: &str,
        is_removed: impl FnOnce(Digest) -> bool,
        now_secs: u64,
    ) -> Option<String> {
        if !body.contains(MARK) {
            return None;
        }
        let HasMedia { media: kept } = serde_json::from_str(body).ok()?;
        let kept = kept?.get();
        let media: MediaView = serde_json::from_str(kept).ok()?;
        let new = match is_removed(media.digest) {
            true => "null".to_owned(),
            false => serde_json::to_string(&self.with_addresses(&media, now_secs)).ok()?,
        };
        // `kept` is a part of `body`: what stands before and behind it stays.
        let start = (kept.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
        let (before, behind) = (body.get(..start)?, body.get(start + kept.len()..)?);
        Some([before, &new, behind].concat())
    }
}

/// The one field of a body that changes.
#[derive(Deserialize)]
struct HasMedia<'a> {
    #[serde(borrow, default)]
    media: Option<&'a RawValue>,
}

impl Reference {
    fn without_addresses(&self) -> Self {
        let mut own = self.clone();
        own.media.variants.iter_mut().for_each(|variant| variant.url.clear());
        own
    }
}

/// Compares in a time that does not depend on the place of the first difference.
fn verifies(key: &hmac::Key, claims: &str, signature: &[u8]) -> bool {
    let tag = hmac::sign(key, claims.as_bytes());
    // `verify` compares whole MACs alone: those of both texts are equal if the texts are.
    let expected = hmac::sign(key, &tag.as_ref()[..SIGNATURE_BYTES]);
    hmac::verify(key, signature, expected.as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use barrage_protocol::MediaKind;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn media() -> MediaView {
        let variant = |name: &str| MediaVariant {
            name: name.into(),
            media_type: "image/webp".into(),
            length: 5,
            url: String::new(),
        };
        MediaView {
            digest: Digest::new([7; 32]),
            kind: MediaKind::Image,
            width: Some(1_600),
            height: Some(900),
            is_animated: false,
            is_public: false,
            thumbhash: Some("1QcSHQ".into()),
            variants: vec![variant("96"), variant("480")],
        }
    }

    fn user(id: &str) -> UserId {
        id.parse().unwrap()
    }

    #[test]
    fn reference_is_for_its_user_and_its_time() {
        let keys = AddressKeys::of(&["a"], 3_600);
        let reference = Reference::new(user("ann"), keys.with_addresses(&media(), NOW), NOW, REFERENCE_SECS);
        let signed = keys.refer(&reference).unwrap();
        let found = keys.resolve(&signed, &user("ann"), NOW).unwrap();
        assert_eq!(found.media, media(), "no addresses travel in a reference");
        let code = |by: &str, at| keys.resolve(&signed, &user(by), at).unwrap_err().code;
        assert_eq!(code("bob", NOW), Code::Forbidden);
        assert!(keys.resolve(&signed, &user("ann"), NOW + REFERENCE_SECS - 1).is_ok());
        assert_eq!(code("ann", NOW + REFERENCE_SECS), Code::BadRequest);
    }

    #[test]
    fn forged_reference_is_refused_and_one_of_a_retired_key_is_not() {
        let keys = AddressKeys::of(&["a"], 3_600);
        let signed = keys.refer(&Reference::new(user("ann"), media(), NOW, REFERENCE_SECS)).unwrap();
        let (claims, signature) = signed.as_str().split_once('.').unwrap();
        let other = keys.refer(&Reference::new(user("bob"), media(), NOW, REFERENCE_SECS)).unwrap();
        let (others, _) = other.as_str().split_once('.').unwrap();
        let address =
            keys.sign(SignedPath { digest: media().digest, variant: "96" }, Visibility::Private, NOW);
        let of_address = address.rsplit('=').next().unwrap();
        for forged in [
            format!("{others}.{signature}"),
            format!("{claims}.{of_address}"),
            format!("{claims}.{}", &signature[1..]),
            format!("{claims}.{signature}AAAA"),
            format!("{claims}."),
            claims.to_owned(),
        ] {
            let forged = MediaReference::parse(&forged).unwrap();
            assert_eq!(
                keys.resolve(&forged, &user("ann"), NOW).unwrap_err().code,
                Code::BadRequest,
                "{forged}"
            );
        }
        assert!(AddressKeys::of(&["b", "a"], 3_600).resolve(&signed, &user("ann"), NOW).is_ok());
        assert!(AddressKeys::of(&["b"], 3_600).resolve(&signed, &user("ann"), NOW).is_err());
    }

    #[test]
    fn body_gets_new_addresses_and_is_else_the_same() {
        let keys = AddressKeys::of(&["a"], 3_600);
        let at = |now| serde_json::to_string(&keys.with_addresses(&media(), now)).unwrap();
        let body = |media: &str| {
            format!(r#"{{"type":"chat","text":"\u5f39 \"media\":{{","media":{media},"at_ms":7}}"#)
        };
        let renewed = |text: String, now| keys.renewed(&text, |_| false, now);
        assert_eq!(renewed(body(&at(NOW)), NOW + 7_200), Some(body(&at(NOW + 7_200))));
        assert_ne!(at(NOW), at(NOW + 7_200));
        let kept = serde_json::to_string(&media()).unwrap();
        assert_eq!(renewed(body(&kept), NOW), Some(body(&at(NOW))));
        let removed = keys.renewed(&body(&kept), |digest| digest == media().digest, NOW).unwrap();
        assert_eq!(removed, body("null"));
        for other in [body("null"), body(r#"{"digest":1}"#), r#"{"media":[]}"#.to_owned(), "{}".to_owned()] {
            assert_eq!(renewed(other, NOW), None);
        }
    }

    #[test]
    fn public_medium_has_addresses_that_never_end() {
        let keys = AddressKeys::of(&["a"], 3_600);
        let sticker = MediaView { is_public: true, ..media() };
        let url = &keys.with_addresses(&sticker, NOW).variants[0].url;
        assert!(!url.contains("e=") && url.starts_with("/v1/media/"), "{url}");
        assert_eq!(keys.with_addresses(&sticker, NOW + 86_400).variants[0].url, *url);
    }
}
