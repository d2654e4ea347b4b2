//! The limit of a fan-out: one non-blocking send per connection and frame, in a plain loop. Under TLS
//! each frame is encrypted for each connection by rustls before.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use serde_json::json;

/// Size of the kernel's send buffer, equal to the gateway's.
const SEND_BUFFER_BYTES: usize = 65_536;
const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02{}";

#[derive(Args)]
pub(crate) struct Limit {
    /// Connections that must be open before the first send.
    #[arg(long)]
    viewers: usize,
    /// Bytes of one frame, with its header.
    #[arg(long)]
    frame_bytes: usize,
    /// Frames per second to each connection.
    #[arg(long)]
    frames_per_s: f64,
    /// PEM file of a certificate. With it, connections use TLS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's key.
    #[arg(long)]
    tls_key: Option<PathBuf>,
}

/// A connection after its handshake.
struct Upgraded {
    stream: TcpStream,
    tls: Option<ServerConnection>,
}

impl Limit {
    pub(crate) fn run(self) {
        let listener = TcpListener::bind(super::loopback()).unwrap();
        println!("{}", json!({ "address": listener.local_addr().unwrap().to_string() }));
        let tls = self.tls();
        let mut viewers: Vec<Upgraded> =
            (0..self.viewers).map(|_| upgraded(listener.accept().unwrap().0, tls.as_ref())).collect();
        let sends = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sends);
        super::on_line(move || println!("{}", json!({ "sends": counted.load(Ordering::Relaxed) })));
        let frame = frame(self.frame_bytes);
        let period = Duration::from_secs_f64(1.0 / self.frames_per_s);
        let mut due = Instant::now();
        loop {
            let mut whole = 0;
            for viewer in &mut viewers {
                let Some(is_whole) = viewer.send(&frame) else { return };
                whole += u64::from(is_whole);
            }
            sends.fetch_add(whole, Ordering::Relaxed);
            due += period;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

impl Limit {
    fn tls(&self) -> Option<Arc<ServerConfig>> {
        let (cert, key) = (self.tls_cert.as_ref()?, self.tls_key.as_ref()?);
        let certificates = vec![CertificateDer::from_pem_file(cert).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let builder = ServerConfig::builder().with_no_client_auth();
        Some(Arc::new(builder.with_single_cert(certificates, key).unwrap()))
    }
}

impl Upgraded {
    /// Sends a frame; returns whether the kernel took all of it, `None` at the end of the connection.
    fn send(&mut self, frame: &[u8]) -> Option<bool> {
        let Some(tls) = &mut self.tls else {
            return match rustix::net::send(&self.stream, frame, SendFlags::NOSIGNAL) {
                Ok(taken) => Some(taken == frame.len()),
                Err(Errno::AGAIN) => Some(false),
                Err(_) => None,
            };
        };
        if !tls.wants_write() {
            tls.writer().write_all(frame).unwrap();
        }
        match tls.write_tls(&mut self.stream) {
            Ok(_) => Some(!tls.wants_write()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Some(false),
            Err(_) => None,
        }
    }
}

/// Answers a WebSocket handshake; a join in the same packet is read and ignored.
fn upgraded(mut stream: TcpStream, config: Option<&Arc<ServerConfig>>) -> Upgraded {
    stream.set_nodelay(true).unwrap();
    socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES).unwrap();
    let mut tls = config.map(|config| ServerConnection::new(Arc::clone(config)).unwrap());
    match &mut tls {
        Some(tls) => answer(&mut rustls::Stream::new(tls, &mut stream)),
        None => answer(&mut stream),
    }
    stream.set_nonblocking(true).unwrap();
    Upgraded { stream, tls }
}

fn answer(stream: &mut (impl Read + Write)) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4_096]);
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the connection ended during its handshake");
        request.extend_from_slice(&buffer[..read]);
    }
    stream.write_all(ANSWER).unwrap();
    stream.flush().unwrap();
}

/// Returns a WebSocket text frame of a total length in bytes.
fn frame(bytes: usize) -> Vec<u8> {
    let header = |payload: usize| match payload {
        0..126 => vec![0x81, payload as u8],
        126..65_536 => [&[0x81, 126][..], &(payload as u16).to_be_bytes()].concat(),
        _ => [&[0x81, 127][..], &(payload as u64).to_be_bytes()].concat(),
    };
    let mut frame = header(bytes.saturating_sub(header(bytes).len()));
    frame.resize(bytes.max(frame.len()), b'x');
    frame
}
