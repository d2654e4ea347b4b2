use std::io::{Read, Write};
use std::path::Path;

use barrage_testkit::certificates;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::{HttpConfig, Tls};

/// A session before its handshake, with a certificate that is made in a folder.
fn session(folder: &Path) -> TlsSession {
    certificates::make(folder);
    let config = HttpConfig {
        tls_cert_file: Some(folder.join("cert.pem")),
        tls_key_file: Some(folder.join("key.pem")),
        ..HttpConfig::default()
    };
    TlsSession::new(Tls::load(&config).unwrap().unwrap().server_config()).unwrap()
}

/// A session after its handshake, and its client.
fn pair(step: usize) -> (TlsSession, ClientConnection) {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    while client.is_handshaking() || session.is_handshaking() {
        to_session(&mut client, &mut session, step).unwrap();
        to_client(&mut session, &mut client);
    }
    (session, client)
}

fn to_session(client: &mut ClientConnection, session: &mut TlsSession, step: usize) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes.chunks_mut(step).try_for_each(|part| session.receive(part))
}

/// Gives the client all that the session sends; returns what the client then has read.
fn to_client(session: &mut TlsSession, client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !session.unsent().is_empty() {
        let read = client.read_tls(&mut session.unsent()).unwrap();
        session.sent(read);
        client.process_new_packets().unwrap();
        // Ends with `WouldBlock`, or with the end of the stream; the bytes before are kept.
        drop(client.reader().read_to_end(&mut bytes));
    }
    bytes
}

#[test]
fn bytes_travel_both_ways_in_any_pieces() {
    for step in [1, 7, 5_000] {
        let (mut session, mut client) = pair(step);
        client.writer().write_all(b"hello").unwrap();
        to_session(&mut client, &mut session, step).unwrap();
        let mut part = [0; 2];
        assert_eq!((session.read(&mut part), &part), (2, b"he"));
        assert_eq!(session.read_all(), b"llo");
        session.encrypt(b"answer").unwrap();
        session.encrypt(&[7; 40_000]).unwrap();
        let read = to_client(&mut session, &mut client);
        assert!(read.starts_with(b"answer") && read.len() == 40_006, "{}", read.len());
    }
}

#[test]
fn an_idle_session_keeps_no_buffer() {
    let (mut session, mut client) = pair(100);
    client.writer().write_all(&[1; 10_000]).unwrap();
    to_session(&mut client, &mut session, 1_000).unwrap();
    session.read_all();
    session.encrypt(&[2; 10_000]).unwrap();
    to_client(&mut session, &mut client);
    let buffers = [&session.incoming, &session.plain.bytes, &session.outgoing.bytes];
    assert_eq!(buffers.map(Vec::capacity), [0, 0, 0]);
}

#[test]
fn new_keys_of_the_client_are_followed_and_answered() {
    let (mut session, mut client) = pair(5_000);
    client.refresh_traffic_keys().unwrap();
    client.writer().write_all(b"under new keys").unwrap();
    to_session(&mut client, &mut session, 9).unwrap();
    assert_eq!(session.read_all(), b"under new keys");
    session.encrypt(b"answer").unwrap();
    assert_eq!(to_client(&mut session, &mut client), b"answer");
}

#[test]
fn each_side_sees_the_end_of_the_other() {
    let (mut session, mut client) = pair(5_000);
    client.writer().write_all(b"last").unwrap();
    client.send_close_notify();
    to_session(&mut client, &mut session, 5_000).unwrap();
    assert!(!session.is_at_end(), "the last bytes were not read");
    assert_eq!((session.read_all(), session.is_at_end()), (b"last".to_vec(), true));
    session.encrypt(b"still").unwrap();
    session.close().unwrap();
    session.close().unwrap();
    assert_eq!(to_client(&mut session, &mut client), b"still");
    assert!(client.process_new_packets().unwrap().peer_has_closed(), "one notice");
}

#[test]
fn a_client_that_speaks_no_tls_gets_an_alert() {
    let (mut session, mut client) = pair(5_000);
    assert!(session.encrypt(b"fine").is_ok());
    to_client(&mut session, &mut client);
    assert!(session.receive(&mut b"GET / HTTP/1.1\r\n\r\n".to_vec()).is_err());
    assert!(!session.unsent().is_empty(), "an alert");
}

/// Before the handshake, where a test can write the records by hand; a client sends the same under its keys.
#[test]
fn a_session_that_failed_inside_of_a_message_refuses_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = session(folder.path());
    // A record with the first bytes of a handshake's message, and one with data where the rest is due.
    assert!(session.receive(&mut [22, 3, 1, 0, 3, 1, 0, 0, 23, 3, 3, 0, 1, 0]).is_err());
    assert!(session.encrypt(b"answer").is_err());
    assert!(session.receive(&mut [22]).is_err());
    assert_eq!(session.close(), Ok(()));
}
