//! The signatures of tokens, computed by `ring`: HMAC-SHA256 and Ed25519, and no other algorithm.
//!
//! `jsonwebtoken` leaves cryptography to a provider. Its own providers bring RSA and the NIST curves
//! (and RUSTSEC-2023-0071 with them), which no key of this project can name. `ring` is linked for
//! TLS in any case.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::hmac;
use ring::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, UnparsedPublicKey};
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `ring` the process's provider of JWT signatures. Every constructor of a key calls this
/// function first.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    // A provider that was installed before stays: it verifies the same two algorithms.
    INSTALLED.call_once(|| {
        let _installed_before = PROVIDER.install_default();
    });
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()))))
        }
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => {
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_bytes());
            Ok(Box::new(EdDsaSigner(pair.map_err(|_| ErrorKind::InvalidEddsaKey)?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let bytes = key.try_get_as_bytes()?;
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            Ok(Box::new(Hs256(hmac::Key::new(hmac::HMAC_SHA256, bytes))))
        }
        (Algorithm::EdDSA, AlgorithmFamily::Ed) if bytes.len() == ED25519_PUBLIC_KEY_LEN => {
            Ok(Box::new(EdDsaVerifier(UnparsedPublicKey::new(&ED25519, bytes.to_vec()))))
        }
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => Err(ErrorKind::InvalidEddsaKey.into()),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

/// Verifies the signatures of one key. It is made once, where `jsonwebtoken` makes a verifier for each
/// token.
pub(crate) enum SignatureCheck {
    Hs256(hmac::Key),
    EdDsa(UnparsedPublicKey<Vec<u8>>),
}

impl SignatureCheck {
    /// Returns `None` for a key that does not belong to the algorithm, which signs nothing.
    pub(crate) fn of(algorithm: Algorithm, key: &DecodingKey) -> Option<Self> {
        let bytes = key.try_get_as_bytes().ok()?;
        match (algorithm, key.family()) {
            (Algorithm::HS256, AlgorithmFamily::Hmac) => {
                Some(SignatureCheck::Hs256(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
            }
            (Algorithm::EdDSA, AlgorithmFamily::Ed) if bytes.len() == ED25519_PUBLIC_KEY_LEN => {
                Some(SignatureCheck::EdDsa(UnparsedPublicKey::new(&ED25519, bytes.to_vec())))
            }
            _ => None,
        }
    }

    pub(crate) fn is_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            SignatureCheck::Hs256(key) => hmac::verify(key, message, signature).is_ok(),
            SignatureCheck::EdDsa(key) => key.verify(message, signature).is_ok(),
        }
    }
}

struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct EdDsaSigner(Ed25519KeyPair);

impl Signer<Vec<u8>> for EdDsaSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

impl JwtSigner for EdDsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct EdDsaVerifier(UnparsedPublicKey<Vec<u8>>);

impl Verifier<Vec<u8>> for EdDsaVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.0.verify(message, signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for EdDsaVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}
