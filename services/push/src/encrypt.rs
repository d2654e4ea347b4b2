//! Encryption of a Web Push message for one browser (RFC 8291, RFC 8188).

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use crate::subscription::WebSubscription;

/// Size of the record that holds the whole message, in bytes: the largest that services must take.
const RECORD_BYTES: u32 = 4_096;
/// Bytes before the record: salt, record size, length of the key, key.
const HEADER_BYTES: usize = 16 + 4 + 1 + 65;
/// Largest message in bytes: a body of 4,096 without the header, the tag and the end mark.
pub const PLAIN_BYTES_MAX: usize = RECORD_BYTES as usize - HEADER_BYTES - 16 - 1;
/// Mark of the last record's end.
const LAST_RECORD: u8 = 2;

/// Why a message is not encrypted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EncryptError {
    /// The message is longer than [`PLAIN_BYTES_MAX`].
    #[error("the message has {0} bytes, at most 3993 fit")]
    TooLong(usize),
    /// The subscription's key is no point of the curve: the subscription is of no use.
    #[error("keys.p256dh is no point of the curve P-256")]
    Key,
    /// The random source of the machine failed.
    #[error("the machine has no random numbers")]
    Random,
}

/// Length of derived bytes, as the derivation asks for it.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

/// Encrypts a message for a browser. Returns the body to post with `content-encoding: aes128gcm`. Each call takes a new
/// key and a new salt, so that the same message never gives the same bytes.
pub fn encrypt(subscription: &WebSubscription, plain: &[u8]) -> Result<Vec<u8>, EncryptError> {
    if plain.len() > PLAIN_BYTES_MAX {
        return Err(EncryptError::TooLong(plain.len()));
    }
    let random = SystemRandom::new();
    let mut salt = [0; 16];
    random.fill(&mut salt).map_err(|Unspecified| EncryptError::Random)?;
    let private =
        EphemeralPrivateKey::generate(&ECDH_P256, &random).map_err(|Unspecified| EncryptError::Random)?;
    let public = private.compute_public_key().map_err(|Unspecified| EncryptError::Random)?;
    let browser = UnparsedPublicKey::new(&ECDH_P256, subscription.public);
    let secret = agree_ephemeral(private, &browser, |shared| {
        let info = [&b"WebPush: info\0"[..], &subscription.public, public.as_ref()];
        derive::<32>(&subscription.auth, shared, &info)
    });
    let secret = secret.map_err(|Unspecified| EncryptError::Key)?;

    let mut body = Vec::with_capacity(HEADER_BYTES + plain.len() + 17);
    body.extend(salt);
    body.extend(RECORD_BYTES.to_be_bytes());
    body.push(65);
    body.extend(public.as_ref());
    let mut record = plain.to_vec();
    record.push(LAST_RECORD);
    let (key, nonce) = (
        derive::<16>(&salt, &secret, &[b"Content-Encoding: aes128gcm\0"]),
        derive::<12>(&salt, &secret, &[b"Content-Encoding: nonce\0"]),
    );
    // The lengths are those of the cipher.
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).map_err(|Unspecified| EncryptError::Key)?);
    let sealed = key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record);
    sealed.map_err(|Unspecified| EncryptError::Key)?;
    body.extend(record);
    Ok(body)
}

/// HKDF with SHA-256: extracts with a salt, and expands by `info` to `N` bytes.
fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut derived = [0; N];
    let key = Salt::new(HKDF_SHA256, salt).extract(secret);
    let filled = key.expand(info, Bytes(N)).and_then(|okm| okm.fill(&mut derived));
    filled.expect("a length below 255 times that of the hash is always derived");
    derived
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    fn subscription(public: &[u8]) -> WebSubscription {
        let keys = serde_json::json!({
            "p256dh": BASE64_URL_SAFE_NO_PAD.encode(public),
            "auth": BASE64_URL_SAFE_NO_PAD.encode([7; 16]),
        });
        let given = serde_json::json!({ "endpoint": "https://push.example/x", "keys": keys });
        WebSubscription::parse(&given.to_string()).unwrap()
    }

    #[test]
    fn derivation_is_that_of_the_example_of_rfc_8291() {
        let bytes = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let browser =
            bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let sender =
            bytes("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
        let shared = bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let info = [&b"WebPush: info\0"[..], &browser, &sender];
        let secret = derive::<32>(&bytes("BTBZMqHH6r4Tts7J_aSIgg"), &shared, &info);
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(secret), "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg");
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw");
        let key = derive::<16>(&salt, &secret, &[b"Content-Encoding: aes128gcm\0"]);
        let nonce = derive::<12>(&salt, &secret, &[b"Content-Encoding: nonce\0"]);
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(key), "oIhVW04MRdy2XN9CiKLxTg");
        assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(nonce), "4h_95klXJ5E_qnoN");
    }

    #[test]
    fn body_has_the_size_of_the_form_and_never_repeats() {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        let to = subscription(private.compute_public_key().unwrap().as_ref());
        let body = encrypt(&to, &[b'x'; PLAIN_BYTES_MAX]).unwrap();
        assert_eq!(body.len(), 4_096);
        assert_eq!((&body[16..20], body[20], body[21]), (&[0, 0, 16, 0][..], 65, 4));
        assert_ne!(encrypt(&to, b"x").unwrap(), encrypt(&to, b"x").unwrap());
        assert_eq!(encrypt(&to, &[0; PLAIN_BYTES_MAX + 1]), Err(EncryptError::TooLong(3_994)));
    }

    #[test]
    fn point_that_is_not_on_the_curve_is_refused() {
        let mut point = [1; 65];
        point[0] = 4;
        assert_eq!(encrypt(&subscription(&point), b"x"), Err(EncryptError::Key));
    }
}
