//! Certificates for tests of TLS, made with `openssl`.

use std::path::Path;
use std::process::Command;

/// Writes `ca.pem`, and `cert.pem` with `key.pem` that this authority signed for the name
/// `localhost` alone. Needs `openssl` on PATH.
pub fn make(folder: &Path) {
    make_for(folder, "DNS:localhost");
}

/// Writes the same files, with a certificate for `names`, such as `DNS:localhost,IP:127.0.0.1`.
pub fn make_for(folder: &Path, names: &str) {
    openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
    );
    add(folder, "cert", "key", names);
}

/// Writes `CERT.pem` with `KEY.pem` for `names`, signed by the authority that [`make_for`] wrote into the
/// folder.
pub fn add(folder: &Path, cert: &str, key: &str, names: &str) {
    std::fs::write(folder.join("names"), format!("subjectAltName={names}")).unwrap();
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout {key}.pem -out request.pem"
        ),
    );
    openssl(
        folder,
        &format!(
            "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out {cert}.pem"
        ),
    );
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
    let output = output.expect("`openssl`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
