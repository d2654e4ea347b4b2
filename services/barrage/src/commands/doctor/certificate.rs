//! Checks of the public listeners' certificate: key, end, chain and names.

use std::path::Path;

use barrage_bus::nats::{Finding, Level};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use super::finding::finding;
use crate::config::Config;

const DAY_SECS: i64 = 86_400;
/// Days before the end at which a renewal is due.
const RENEW_DAYS: i64 = 30;
/// Days before the end at which a renewal has failed.
const LATE_DAYS: i64 = 7;

/// Runs the checks; none where no certificate is configured. A certificate that cannot be used is a
/// mistake of the configuration, which another check reports.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let Some(file) = &config.http.tls_cert_file else { return Vec::new() };
    if !matches!(barrage_http::Tls::load(&config.http), Ok(Some(_))) {
        return Vec::new();
    }
    let now_secs = i64::try_from(barrage_clock::since_unix_epoch().as_secs()).unwrap_or(i64::MAX);
    let urls: Vec<_> = [&config.gateway.base_urls, &config.uplink.base_urls].into_iter().flatten().collect();
    let mut found = vec![finding(Level::Good, format!("certificate: {} matches its key", file.display()))];
    found.extend(of_file(file, now_secs, &urls));
    found
}

/// Checks end, chain and names of the certificates in a file.
fn of_file(file: &Path, now_secs: i64, urls: &[&String]) -> Vec<Finding> {
    let certificates = CertificateDer::pem_file_iter(file).map(|read| read.flatten().collect::<Vec<_>>());
    let Ok(certificates) = certificates else { return Vec::new() };
    let mut found: Vec<_> =
        certificates.iter().enumerate().filter_map(|(at, it)| end(at, it, now_secs)).collect();
    found.extend(chain(&certificates));
    if let Some(leaf) = certificates.first() {
        found.extend(urls.iter().filter_map(|url| name(leaf, url)));
    }
    found
}

fn end(at: usize, certificate: &CertificateDer<'_>, now_secs: i64) -> Option<Finding> {
    let left_secs = barrage_http::certificate_end(certificate)? - now_secs;
    let days = left_secs.div_euclid(DAY_SECS);
    let which =
        if at == 0 { "certificate".to_owned() } else { format!("certificate {} of the chain", at + 1) };
    Some(match days {
        ..0 => finding(Level::Bad, format!("{which}: it has ended; clients refuse the connection: renew it")),
        0..LATE_DAYS => finding(
            Level::Bad,
            format!("{which}: it ends in {days} days; the renewal has failed: renew it by hand"),
        ),
        LATE_DAYS..RENEW_DAYS => {
            finding(Level::Risk, format!("{which}: it ends in {days} days; check the renewal"))
        }
        _ => finding(Level::Good, format!("{which}: it ends in {days} days")),
    })
}

/// Checks that each certificate is issued by the next one in the file.
fn chain(certificates: &[CertificateDer<'_>]) -> Option<Finding> {
    let broken = certificates
        .windows(2)
        .position(|pair| barrage_http::is_issued_by(&pair[0], &pair[1]) == Some(false))?;
    let text = format!(
        "certificate: the file has certificate {} after one that it did not issue: put the server's certificate first, \
         and then each authority after the certificate that it issued",
        broken + 2
    );
    Some(finding(Level::Bad, text))
}

/// Checks that the certificate is for the host of a URL that clients use.
fn name(leaf: &CertificateDer<'_>, url: &str) -> Option<Finding> {
    let url = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "https" | "wss"))?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    let server = ServerName::try_from(host.clone()).ok()?;
    let text =
        format!("certificate: it is not for {host}, where clients connect ({url}): add the name to it");
    verify_server_name(&parsed, &server).is_err().then(|| finding(Level::Bad, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_chain_and_names_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        barrage_testkit::certificates::make(folder.path());
        let file = folder.path().join("cert.pem");
        let end = barrage_http::certificate_end(&CertificateDer::from_pem_file(&file).unwrap()).unwrap();
        let level = |days: i64| of_file(&file, end - days * DAY_SECS, &[])[0].level;
        assert_eq!([level(40), level(20), level(3)], [Level::Good, Level::Risk, Level::Bad]);
        let ended = of_file(&file, end + 1, &[]);
        assert!(ended[0].text.contains("has ended"), "{}", ended[0].text);
        let (good, bad) = ("https://localhost:8443".to_owned(), "https://live.example".to_owned());
        assert_eq!(of_file(&file, end, &[&good]).len(), 1);
        let named = of_file(&file, end, &[&bad]);
        assert!(named[1].text.contains("not for live.example"), "{}", named[1].text);
        let both = |first: &str, second: &str| {
            let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
            let file = folder.path().join("both.pem");
            std::fs::write(&file, read(first) + &read(second)).unwrap();
            of_file(&file, end - 40 * DAY_SECS, &[])
        };
        assert!(both("cert.pem", "ca.pem").iter().all(|found| found.level == Level::Good));
        let swapped = both("cert.pem", "cert.pem");
        assert!(swapped.iter().any(|found| found.text.contains("did not issue")), "a leaf issued nothing");
    }
}
