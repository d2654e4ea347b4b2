//! The file with additional authorities.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Cause for which a file with authorities cannot be used, and its remedy.
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// The file does not exist, may not be read, or has a broken PEM section.
    #[error(
        "the CA file {} cannot be read: {reason}; name a PEM file with the authority's certificate",
        .path.display()
    )]
    Unreadable {
        /// Path of the file, as configured.
        path: PathBuf,
        /// Reason of the operating system or of the PEM parser.
        reason: String,
    },
    /// The file is readable, and has no section `CERTIFICATE`.
    #[error(
        "the CA file {} has no certificate; it needs a section that starts with -----BEGIN CERTIFICATE-----",
        .path.display()
    )]
    Empty {
        /// Path of the file, as configured.
        path: PathBuf,
    },
    /// A section `CERTIFICATE` is no X.509 certificate.
    #[error(
        "certificate {number} of the CA file {} is broken ({reason}); export it again as PEM",
        .path.display()
    )]
    Broken {
        /// Path of the file, as configured.
        path: PathBuf,
        /// Number of the certificate in the file, from 1.
        number: usize,
        /// Reason of the parser.
        reason: rustls::Error,
    },
}

/// Adds all certificates of a PEM file to `roots`.
pub(crate) fn add(path: &Path, roots: &mut RootCertStore) -> Result<(), CaFileError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let read =
        read.map_err(|error| CaFileError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    if read.is_empty() {
        return Err(CaFileError::Empty { path: path.to_owned() });
    }
    for (index, certificate) in read.into_iter().enumerate() {
        roots.add(certificate).map_err(|reason| CaFileError::Broken {
            path: path.to_owned(),
            number: index + 1,
            reason,
        })?;
    }
    Ok(())
}
