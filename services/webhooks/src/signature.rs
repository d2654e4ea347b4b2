//! Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// Beginning of every secret.
const PREFIX: &str = "whsec_";
/// Bytes that a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Maximum number of secrets in a file: the new ones and the old ones of a rotation.
const SECRETS_MAX: usize = 4;

/// Why a file has no usable secrets; the text has nothing of its contents.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file does not exist or may not be read.
    #[error("the file {} cannot be read: {reason}", .path.display())]
    Unreadable {
        /// Path of the file, as configured.
        path: PathBuf,
        /// Reason of the operating system.
        reason: std::io::ErrorKind,
    },
    /// A line is no secret, or the file has too few or too many.
    #[error(
        "the file {} needs 1 to {SECRETS_MAX} lines, each `{PREFIX}` and 24 to 64 bytes in base64; line {line} \
         is something else",
        .path.display()
    )]
    Malformed {
        /// Path of the file, as configured.
        path: PathBuf,
        /// Number of the line, from 1; the last one where lines are missing.
        line: usize,
    },
}

/// Secrets of one receiver; each signs. Shows nothing of itself.
pub struct Secrets(Vec<hmac::Key>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Reads the secrets of a file, one a line.
    ///
    /// # Errors
    /// When the file cannot be read, or has something else.
    pub fn read(path: &Path) -> Result<Secrets, SecretsError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SecretsError::Unreadable { path: path.to_owned(), reason: error.kind() })?;
        Secrets::parse(&text).map_err(|line| SecretsError::Malformed { path: path.to_owned(), line })
    }

    /// Parses secrets; fails with the number of the wrong line.
    fn parse(text: &str) -> Result<Secrets, usize> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let bytes = line.trim().strip_prefix(PREFIX).and_then(|encoded| STANDARD.decode(encoded).ok());
            match bytes.filter(|bytes| BYTES.contains(&bytes.len())) {
                Some(bytes) if keys.len() < SECRETS_MAX => {
                    keys.push(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
                }
                _ => return Err(index + 1),
            }
        }
        if keys.is_empty() { Err(1) } else { Ok(Secrets(keys)) }
    }

    /// Returns the value of `webhook-signature`: one signature for each secret.
    pub(crate) fn sign(&self, id: &str, timestamp_secs: u64, body: &str) -> String {
        let signed = format!("{id}.{timestamp_secs}.{body}");
        let one = |key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_that_of_the_specification() {
        // Vector of the libraries of Standard Webhooks.
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature =
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_of_a_rotation_signs() {
        let (new, old) = (format!("whsec_{}", "B".repeat(32)), format!("whsec_{}", "C".repeat(32)));
        let both = Secrets::parse(&format!("{new}\n\n  {old}  \n")).unwrap().sign("i", 1, "b");
        let one = |secret: &str| Secrets::parse(secret).unwrap().sign("i", 1, "b");
        assert_eq!(both, format!("{} {}", one(&new), one(&old)));
    }

    #[test]
    fn malformed_secrets_are_refused_with_their_line() {
        let good = format!("whsec_{}", "A".repeat(32));
        let long = format!("whsec_{}", "A".repeat(88));
        for (text, line) in [
            ("", 1),
            ("whsec_", 1),
            ("whsec_AAAA", 1),
            (&long, 1),
            (&good[6..], 1),
            (&format!("{good}\nwhsec_$$$"), 2),
            (&[good.as_str(); 5].join("\n"), 5),
        ] {
            assert_eq!(Secrets::parse(text).unwrap_err(), line, "{text}");
        }
    }
}
