//! The end of a certificate's validity, read from its DER form.

use simple_asn1::ASN1Block;

/// Place of the validity in the signed part, without the optional version: after the serial number,
/// the algorithm and the issuer (RFC 5280, 4.1).
const VALIDITY_AT: usize = 3;

/// Returns the Unix time in seconds at which a certificate ends (`notAfter`). Returns `None` for bytes
/// that are not a certificate.
#[must_use]
pub fn certificate_end(der: &[u8]) -> Option<i64> {
    let blocks = simple_asn1::from_der(der).ok()?;
    let signed = sequence(sequence(blocks.first()?)?.first()?)?;
    let version = usize::from(matches!(signed.first()?, ASN1Block::Explicit(..)));
    let [_, end] = sequence(signed.get(version + VALIDITY_AT)?)? else { return None };
    match end {
        ASN1Block::UTCTime(_, time) | ASN1Block::GeneralizedTime(_, time) => {
            Some(time.assume_utc().unix_timestamp())
        }
        _ => None,
    }
}

/// Returns whether one certificate names another one's subject as its issuer. Returns `None` for
/// bytes that are not a certificate. The signature is not verified.
#[must_use]
pub fn is_issued_by(der: &[u8], issuer: &[u8]) -> Option<bool> {
    Some(name(der, VALIDITY_AT - 1)? == name(issuer, VALIDITY_AT + 1)?)
}

/// Returns the DER form of the name at a place of the signed part.
fn name(der: &[u8], at: usize) -> Option<Vec<u8>> {
    let blocks = simple_asn1::from_der(der).ok()?;
    let signed = sequence(sequence(blocks.first()?)?.first()?)?;
    let version = usize::from(matches!(signed.first()?, ASN1Block::Explicit(..)));
    simple_asn1::to_der(signed.get(version + at)?).ok()
}

fn sequence(block: &ASN1Block) -> Option<&[ASN1Block]> {
    match block {
        ASN1Block::Sequence(_, blocks) => Some(blocks),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn the_end_of_a_certificate_of_two_days_is_in_two_days() {
        let folder = tempfile::tempdir().unwrap();
        barrage_testkit::certificates::make(folder.path());
        let certificate = CertificateDer::from_pem_file(folder.path().join("cert.pem")).unwrap();
        let end = Duration::from_secs(u64::try_from(certificate_end(&certificate).unwrap()).unwrap());
        let left = end.checked_sub(barrage_clock::since_unix_epoch()).unwrap();
        assert!((47..=48).contains(&(left.as_secs() / 3_600)), "{left:?}");
    }

    #[test]
    fn bytes_that_are_no_certificate_have_no_end() {
        for bytes in [&b""[..], b"\x30\x00", b"\x30\x02\x30\x00", b"nonsense"] {
            assert_eq!(certificate_end(bytes), None);
        }
    }
}
