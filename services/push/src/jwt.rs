//! Tokens that a push service knows the sender by: JWT with ES256.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::Value;

/// A key that signs tokens with ES256.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// Why a key cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no PEM file with one private key.
    #[error("the file has no `-----BEGIN PRIVATE KEY-----` with base64 inside")]
    Pem,
    /// The key is no private key of the curve P-256 in the form PKCS #8.
    #[error("the key is no PKCS #8 key of the curve P-256: {0}")]
    Key(String),
    /// The random source of the machine failed.
    #[error("the machine has no random numbers")]
    Random,
}

impl SigningKey {
    /// Reads a PEM file with a PKCS #8 key, as Apple hands out (`.p8`) and `openssl pkcs8 -topk8` writes.
    pub(crate) fn from_pem(text: &str) -> Result<Self, KeyError> {
        let inside = text.split_once("-----BEGIN PRIVATE KEY-----").ok_or(KeyError::Pem)?.1;
        let inside = inside.split_once("-----END PRIVATE KEY-----").ok_or(KeyError::Pem)?.0;
        let digits: String = inside.split_ascii_whitespace().collect();
        let der = base64::prelude::BASE64_STANDARD.decode(digits).map_err(|_| KeyError::Pem)?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random)
            .map_err(|error| KeyError::Key(error.to_string()))?;
        Ok(SigningKey { pair, random })
    }

    /// Makes a new key, and returns its PEM text as well.
    pub(crate) fn generate() -> Result<(Self, String), KeyError> {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| KeyError::Random)?;
        let digits = base64::prelude::BASE64_STANDARD.encode(der.as_ref());
        let lines = digits.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n");
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n");
        Ok((SigningKey::from_pem(&pem)?, pem))
    }

    /// Returns the public key: 65 bytes, uncompressed.
    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs a token with these parts.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> Result<String, KeyError> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&self.random, signed.as_bytes()).map_err(|_| KeyError::Random)?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::json;

    use super::*;

    #[test]
    fn token_is_verified_by_the_public_key_of_the_pem_text() {
        let (made, pem) = SigningKey::generate().unwrap();
        let key = SigningKey::from_pem(&format!("Bag Attributes\n{pem}")).unwrap();
        assert_eq!(key.public(), made.public());
        let token = key.token(&json!({ "alg": "ES256" }), &json!({ "iss": "team" })).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, made.public());
        public.verify(signed.as_bytes(), &signature).unwrap();
        assert!(public.verify(b"other", &signature).is_err());
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        let (_, pem) = SigningKey::generate().unwrap();
        for bad in [String::new(), pem.replace("END", "END OF"), pem.replace("PRIVATE", "EC PRIVATE")] {
            assert!(matches!(SigningKey::from_pem(&bad), Err(KeyError::Pem)), "{bad}");
        }
        let short = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----";
        assert!(matches!(SigningKey::from_pem(short), Err(KeyError::Key(_))));
    }
}
