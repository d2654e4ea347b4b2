//! CA files that cannot be used.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use barrage_tls::{CaFileError, ClientTls};

fn load(folder: &Path, text: &str) -> Result<ClientTls, CaFileError> {
    let file = folder.join("ca.pem");
    std::fs::write(&file, text).unwrap();
    ClientTls::load(Some(&file))
}

#[test]
fn every_defect_of_a_ca_file_is_an_error_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let missing = ClientTls::load(Some(&folder.path().join("none.pem"))).unwrap_err();
    assert!(matches!(missing, CaFileError::Unreadable { .. }), "{missing}");
    assert!(missing.to_string().contains("none.pem"), "{missing}");
    let empty = load(folder.path(), "no PEM\n").unwrap_err();
    assert!(matches!(empty, CaFileError::Empty { .. }), "{empty}");
    let cut = load(folder.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap_err();
    assert!(matches!(cut, CaFileError::Unreadable { .. }), "{cut}");
    let broken =
        load(folder.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap_err();
    assert!(matches!(broken, CaFileError::Broken { number: 1, .. }), "{broken}");
}

#[test]
fn client_without_a_ca_file_trusts_the_system_alone() {
    assert!(ClientTls::load(None).is_ok());
}
