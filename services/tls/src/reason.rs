//! Texts of failed TLS connections.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Returns the texts of an error and its sources, from the outermost on, and a remedy when the
/// server's certificate was refused.
#[must_use]
pub fn reason(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut remedy = None;
    let mut next = Some(error);
    while let Some(cause) = next {
        next = cause.source();
        let text = cause.to_string();
        // An error that shows its source as its own text adds nothing.
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
        remedy =
            remedy.or_else(|| refused(cause)).or_else(|| cause.downcast_ref::<io::Error>().and_then(inner));
    }
    let text = texts.join(": ");
    remedy.map_or(text.clone(), |remedy| format!("{text}; {remedy}"))
}

/// Looks into an I/O error: its content is not among its sources, and may be an I/O error again.
fn inner(error: &io::Error) -> Option<&'static str> {
    let content = error.get_ref()?;
    refused(content).or_else(|| content.downcast_ref().and_then(inner))
}

fn refused(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let rustls::Error::InvalidCertificate(refused) = error.downcast_ref()? else { return None };
    Some(match refused {
        CertificateError::UnknownIssuer => {
            "the authority of the server's certificate is not trusted: name its certificate with --ca-file, \
             `ca_file` or BARRAGE_CA_FILE"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another name: use a URL with a name of the certificate"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: renew it, or check the clock"
        }
        _ => "the server's certificate cannot be trusted",
    })
}
