//! Addresses of media: who has one may read what it names, until it ends.

use std::path::Path;

use barrage_protocol::code::Refusal;
use barrage_protocol::digest::hex;
use barrage_protocol::{Code, Digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, hmac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shortest secret in bytes.
const SECRET_BYTES_MIN: usize = 32;
/// Bytes of a signature in an address: 128 bits.
const SIGNATURE_BYTES: usize = 16;
/// Ends of addresses are multiples of this, so that all who ask within it get the same address.
const ROUND_SECS: u64 = 3_600;

/// The parameters of an address.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressQuery {
    /// Unix time in seconds at which the address ends; absent for a public medium.
    pub e: Option<u64>,
    /// Id of the key that signed the address.
    pub k: String,
    /// Signature of the address.
    pub s: String,
}

/// What an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedPath<'a> {
    /// Medium whose bytes the address leads to.
    pub digest: Digest,
    /// Form of the medium, such as `480`.
    pub variant: &'a str,
}

/// Who may see a medium.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Those who get a signed address that ends.
    #[default]
    Private,
    /// All who get its address, which never ends: stickers, emotes, badges and avatars.
    Public,
}

/// Error of a secret that cannot sign addresses.
#[derive(Debug, thiserror::Error)]
#[error("the key {file} cannot be used: {why}")]
pub struct AddressKeyError {
    file: String,
    why: String,
}

/// The secrets that sign and check addresses. The first one signs.
pub struct AddressKeys {
    keys: Vec<Key>,
    life_secs: u64,
}

struct Key {
    id: String,
    secret: hmac::Key,
}

/// Shows the ids of the keys alone.
impl std::fmt::Debug for AddressKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl AddressKeys {
    /// Reads the secret that signs, and those that only check. `life_secs` is the shortest life of an address.
    ///
    /// # Errors
    /// When a file cannot be read or its secret is too short.
    pub fn load<'a>(
        signing: &'a Path,
        retired: impl IntoIterator<Item = &'a Path>,
        life_secs: u64,
    ) -> Result<Self, AddressKeyError> {
        let load = |file: &Path| {
            let bad = |why: String| AddressKeyError { file: file.display().to_string(), why };
            let secret = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
            Key::new(secret.trim_ascii()).map_err(bad)
        };
        let keys = std::iter::once(signing).chain(retired).map(load).collect::<Result<_, _>>()?;
        Ok(AddressKeys { keys, life_secs })
    }

    /// Returns path and query of an address. A private one ends at a full hour, `life_secs` from now at the earliest.
    #[must_use]
    pub fn sign(&self, path: SignedPath<'_>, visibility: Visibility, now_secs: u64) -> String {
        let ends = match visibility {
            Visibility::Public => None,
            Visibility::Private => Some((now_secs + self.life_secs).next_multiple_of(ROUND_SECS)),
        };
        self.signed(path, ends)
    }

    /// Returns path and query of an address of a private medium that ends at this Unix time in seconds.
    #[must_use]
    pub fn sign_until(&self, path: SignedPath<'_>, ends_secs: u64) -> String {
        self.signed(path, Some(ends_secs))
    }

    fn signed(&self, path: SignedPath<'_>, ends: Option<u64>) -> String {
        let SignedPath { digest, variant } = path;
        let Some(key) = self.keys.first() else { return String::new() };
        let signature = URL_SAFE_NO_PAD.encode(key.signature(path, ends));
        let ends = ends.map_or_else(String::new, |ends| format!("e={ends}&"));
        format!("/v1/media/{digest}/{variant}?{ends}k={}&s={signature}", key.id)
    }

    /// Checks an address at this time. Returns whom it lets see the medium.
    ///
    /// # Errors
    /// A refusal of an address that is false, has ended, or is of a key that is not known.
    pub fn check(
        &self,
        path: SignedPath<'_>,
        query: &AddressQuery,
        now_secs: u64,
    ) -> Result<Visibility, Refusal> {
        let bad = |message: &str| Refusal::new(Code::Forbidden, message);
        let key = self.keys.iter().find(|key| key.id == query.k);
        let key = key.ok_or_else(|| bad("the address does not verify: its key is not known or retired"))?;
        let signature = URL_SAFE_NO_PAD.decode(&query.s).unwrap_or_default();
        if !key.verifies(path, query.e, &signature) {
            return Err(bad(
                "the address does not verify; ask for the message again, which brings a new one",
            ));
        }
        match query.e {
            None => Ok(Visibility::Public),
            Some(ends) if ends > now_secs => Ok(Visibility::Private),
            Some(_) => Err(bad("the address has ended; ask for the message again, which brings a new one")),
        }
    }

    /// Returns a secret for another purpose, which no address reveals.
    #[must_use]
    pub fn derived(&self, purpose: &str) -> hmac::Key {
        self.all_derived(purpose).next().unwrap_or_else(|| hmac::Key::new(hmac::HMAC_SHA256, &[]))
    }

    /// Returns such a secret of each key, that of the key that signs first.
    pub(super) fn all_derived(&self, purpose: &str) -> impl Iterator<Item = hmac::Key> {
        self.keys.iter().map(move |key| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key.secret, purpose.as_bytes()).as_ref())
        })
    }

    /// Makes keys of secrets in memory, the first of which signs.
    #[cfg(test)]
    pub(super) fn of(secrets: &[&str], life_secs: u64) -> Self {
        let keys = secrets.iter().map(|secret| Key::new(secret.repeat(32).as_bytes()).unwrap());
        AddressKeys { keys: keys.collect(), life_secs }
    }
}

impl Key {
    fn new(secret: &[u8]) -> Result<Self, String> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(format!("a secret has {SECRET_BYTES_MIN} bytes or more"));
        }
        let id = hex(&digest::digest(&digest::SHA256, secret).as_ref()[..4]);
        Ok(Key { id, secret: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    fn message(path: SignedPath<'_>, ends: Option<u64>) -> String {
        let ends = ends.map_or_else(|| "public".to_owned(), |ends| ends.to_string());
        format!("barrage media\n{}\n{}\n{ends}", path.digest, path.variant)
    }

    fn signature(&self, path: SignedPath<'_>, ends: Option<u64>) -> [u8; SIGNATURE_BYTES] {
        let tag = hmac::sign(&self.secret, Key::message(path, ends).as_bytes());
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(&tag.as_ref()[..SIGNATURE_BYTES]);
        signature
    }

    /// Compares in a time that does not depend on the place of the first difference.
    fn verifies(&self, path: SignedPath<'_>, ends: Option<u64>, signature: &[u8]) -> bool {
        // `verify` compares whole MACs alone: those of both texts are equal if the texts are.
        let expected = hmac::sign(&self.secret, &self.signature(path, ends));
        hmac::verify(&self.secret, signature, expected.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secrets: &[&str]) -> AddressKeys {
        AddressKeys::of(secrets, 3_600)
    }

    fn path(variant: &str) -> SignedPath<'_> {
        SignedPath { digest: Digest::new([7; 32]), variant }
    }

    fn query(address: &str) -> AddressQuery {
        let (_, query) = address.split_once('?').unwrap();
        let value = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        AddressQuery {
            e: value("e").map(|e| e.parse().unwrap()),
            k: value("k").unwrap(),
            s: value("s").unwrap(),
        }
    }

    #[test]
    fn address_ends_at_a_full_hour_and_is_the_same_until_then() {
        let keys = keys(&["a"]);
        let first = keys.sign(path("480"), Visibility::Private, 7_201);
        assert_eq!(keys.sign(path("480"), Visibility::Private, 10_800), first);
        assert_ne!(keys.sign(path("480"), Visibility::Private, 10_801), first);
        let query = query(&first);
        assert_eq!(query.e, Some(14_400));
        assert_eq!(keys.check(path("480"), &query, 14_399), Ok(Visibility::Private));
        assert_eq!(keys.check(path("480"), &query, 14_400).unwrap_err().code, Code::Forbidden);
    }

    #[test]
    fn address_of_another_variant_digest_end_or_key_is_refused() {
        let keys_of_a = keys(&["a"]);
        let good = query(&keys_of_a.sign(path("480"), Visibility::Private, 0));
        let check = |path: SignedPath<'_>, query: &AddressQuery| keys_of_a.check(path, query, 1).is_ok();
        assert!(check(path("480"), &good));
        assert!(!check(path("1280"), &good));
        assert!(!check(SignedPath { digest: Digest::new([8; 32]), ..path("480") }, &good));
        assert!(!check(path("480"), &AddressQuery { e: Some(7_200), ..good.clone() }));
        assert!(!check(path("480"), &AddressQuery { e: None, ..good.clone() }), "made public");
        assert!(!check(path("480"), &AddressQuery { k: "00000000".into(), ..good.clone() }));
        for s in ["", "!!", &good.s[..21], &format!("{}AAAA", good.s), &good.s.replace(|_| true, "A")] {
            assert!(!check(path("480"), &AddressQuery { s: s.into(), ..good.clone() }), "{s}");
        }
    }

    #[test]
    fn retired_key_checks_and_does_not_sign() {
        let old = query(&keys(&["a"]).sign(path("96"), Visibility::Private, 0));
        let both = keys(&["b", "a"]);
        assert!(both.check(path("96"), &old, 1).is_ok());
        assert_ne!(query(&both.sign(path("96"), Visibility::Private, 0)).k, old.k);
        assert!(keys(&["b"]).check(path("96"), &old, 1).is_err());
    }

    #[test]
    fn address_of_minutes_ends_when_it_says() {
        let keys = keys(&["a"]);
        let query = query(&keys.sign_until(path("480"), 7_500));
        assert_eq!(query.e, Some(7_500));
        assert_eq!(keys.check(path("480"), &query, 7_499), Ok(Visibility::Private));
        assert!(keys.check(path("480"), &query, 7_500).is_err());
    }

    #[test]
    fn public_address_never_ends() {
        let keys = keys(&["a"]);
        let query = query(&keys.sign(path("96"), Visibility::Public, 0));
        assert_eq!(keys.check(path("96"), &query, u64::MAX), Ok(Visibility::Public));
        assert!(keys.check(path("96"), &AddressQuery { e: Some(u64::MAX), ..query }, 0).is_err());
    }
}
