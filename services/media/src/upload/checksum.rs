//! The field Upload-Checksum: the hash of the body of one request.

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use ring::digest;

use super::form::one;

/// Hash functions that the server computes, by their names in tus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Value of the field Tus-Checksum-Algorithm.
    pub(crate) const ALL: &'static str = "sha1,sha256";
}

/// The hash that the body of a request must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    wanted: Vec<u8>,
}

impl Checksum {
    /// Reads the field; `None` without it.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(text) = one(headers, "upload-checksum")? else { return Ok(None) };
        let bad = |message: &str| Refusal::new(Code::BadRequest, message);
        let (algorithm, value) = text.split_once(' ').unwrap_or((text, ""));
        let (algorithm, bytes) = match algorithm {
            "sha1" => (Algorithm::Sha1, 20),
            "sha256" => (Algorithm::Sha256, 32),
            _ => return Err(bad("Upload-Checksum takes the algorithms sha1 and sha256")),
        };
        let wanted = STANDARD.decode(value.trim()).ok().filter(|wanted| wanted.len() == bytes);
        let wanted = wanted
            .ok_or_else(|| bad("Upload-Checksum must be an algorithm, a blank and the hash in Base64"))?;
        Ok(Some(Checksum { algorithm, wanted }))
    }
}

/// A hash over the bytes that have arrived.
pub(crate) struct Running(digest::Context);

impl Running {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Running(digest::Context::new(match algorithm {
            // tus names SHA-1 as the one that every client knows; it guards against accidents alone.
            Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => &digest::SHA256,
        }))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Whether the bytes have the wanted hash.
    pub(crate) fn agrees(self, checksum: &Checksum) -> bool {
        self.0.finish().as_ref() == checksum.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Checksum>, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert("upload-checksum", text.parse().unwrap());
        Checksum::read(&headers)
    }

    #[test]
    fn checksum_agrees_with_its_bytes_alone() {
        // SHA-1 of "abc", from RFC 3174.
        let checksum = read("sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=").unwrap().unwrap();
        let agrees = |bytes: &[u8]| {
            let mut running = Running::new(checksum.algorithm);
            bytes.iter().for_each(|byte| running.update(&[*byte]));
            running.agrees(&checksum)
        };
        assert!(agrees(b"abc") && !agrees(b"abd") && !agrees(b""));
    }

    #[test]
    fn other_algorithms_and_lengths_are_refused() {
        assert_eq!(Checksum::read(&HeaderMap::new()).unwrap(), None);
        let short = STANDARD.encode([0; 19]);
        for bad in [
            "md5 1B2M2Y8AsgTpgAmy7PhCfg==",
            "crc32 AAAA",
            "sha1",
            "sha1 ",
            "sha1 !",
            &format!("sha1 {short}"),
            "",
        ] {
            assert_eq!(read(bad).unwrap_err().code, Code::BadRequest, "{bad}");
        }
    }
}
