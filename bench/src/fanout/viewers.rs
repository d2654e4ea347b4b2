//! Thousands of viewers' connections in one thread. All are read. Of a sample, every message is
//! parsed, and the sample is read first. A message has arrived at the time of the kernel's stamp,
//! not at the time of the read.

use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barrage_protocol::frame::{SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON};
use clap::Args;
use mio::{Events, Interest, Poll, Token};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::json;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

/// Handshakes in progress at the same time.
const AT_ONCE: usize = 128;
/// Delays kept between two marks; later ones are dropped.
const DELAYS_MAX: usize = 4_000_000;
/// The frame of `{"type":"join"}`, masked with zeros so that it stays readable.
const JOIN: &[u8] = b"\x81\x8f\0\0\0\0{\"type\":\"join\"}";
/// Other connections read between two reads of the sample.
const OTHERS_MAX: usize = 128;
/// Pause after a poll without events. No thread waits in the kernel, so that no measured send pays
/// for waking this process: real viewers run on other machines.
const IDLE_PAUSE: Duration = Duration::from_micros(500);
/// Longest wait in the kernel of a reader that waits there, so that it sees its marks.
const IDLE_WAIT: Duration = Duration::from_millis(5);
/// Fields that a browser sends with a handshake, beside those that the handshake needs.
const BROWSER: &str = "Pragma: no-cache\r\nCache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
    Safari/537.36\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,zh-CN;q=0.8\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
/// Lets the kernel discard received bytes without a copy.
const MSG_TRUNC: i32 = 0x20;

#[derive(Args)]
pub(crate) struct Viewers {
    /// Address of the gateway.
    #[arg(long)]
    address: SocketAddr,
    /// Room that all viewers join.
    #[arg(long, default_value = "bench")]
    room: String,
    /// Connections to open in this process.
    #[arg(long)]
    viewers: usize,
    /// Sample: one connection in this many is parsed.
    #[arg(long, default_value_t = 50)]
    one_in: usize,
    /// Text before the send time in a message, in microseconds.
    #[arg(long, default_value = "\"t\":")]
    time_key: String,
    /// Waits for bytes in the kernel, so that each send to a reader that has caught up pays for waking it.
    #[arg(long)]
    waits: bool,
    /// Token to join with; guests join without one.
    #[arg(long)]
    token: Option<String>,
    /// Joins to open a second, none of which waits for another one. Without it, 128 at a time.
    #[arg(long)]
    per_s: Option<f64>,
    /// Asks for the deflated encoding; no message is parsed then.
    #[arg(long)]
    deflate: bool,
    /// PEM file of the authority that signed the server's certificate. With it, viewers use TLS, and
    /// no message is parsed.
    #[arg(long)]
    tls_ca: Option<PathBuf>,
}

#[derive(Default)]
struct Sums {
    bytes: u64,
    messages: u64,
    delays_us: Vec<u64>,
}

/// Connection whose messages are parsed, to measure their delays.
struct Sampled {
    stream: mio::net::TcpStream,
    /// Bytes of a message that has not arrived whole.
    rest: Vec<u8>,
}

/// A connection after its handshake, with its TLS session.
type Connected = (TcpStream, Option<ClientConnection>);

impl Viewers {
    pub(crate) fn run(self) {
        let started = Instant::now();
        let connected = self.connect();
        println!("{}", json!({ "viewers": connected.len(), "secs": started.elapsed().as_secs_f64() }));
        let (marks_in, marks) = mpsc::sync_channel(1);
        super::on_line(move || marks_in.send(()).unwrap_or_default());
        let streams = connected.into_iter().map(|(stream, _)| stream).enumerate();
        // What arrives under TLS is discarded as it is: decrypting is the work of real viewers' machines.
        let is_parsed = !self.deflate && self.tls_ca.is_none();
        let is_sampled = |n: &usize| is_parsed && n.is_multiple_of(self.one_in);
        let (sampled, others): (Vec<_>, Vec<_>) = streams.partition(|(n, _)| is_sampled(n));
        let (mut first, mut then) = (Poll::new().unwrap(), Poll::new().unwrap());
        let register = |poll: &Poll, (n, (_, stream)): (usize, (usize, TcpStream))| {
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(n), Interest::READABLE).unwrap();
            stream
        };
        let others: Vec<_> = others.into_iter().enumerate().map(|one| register(&then, one)).collect();
        let sample = |one| {
            let stream = register(&first, one);
            setsockopt(&stream, sockopt::ReceiveTimestampns, &true).unwrap();
            Sampled { stream, rest: Vec::new() }
        };
        let mut sampled: Vec<_> = sampled.into_iter().enumerate().map(sample).collect();
        let (mut events, mut buffer) = (Events::with_capacity(OTHERS_MAX), vec![0; 1 << 20]);
        let mut discarded = vec![MaybeUninit::uninit(); 1 << 20];
        let (mut sums, mut since) = (Sums::default(), Instant::now());
        loop {
            first.poll(&mut events, Some(Duration::ZERO)).unwrap();
            let mut is_idle = events.is_empty();
            for event in &events {
                sampled[event.token().0].read(&mut buffer, self.time_key.as_bytes(), &mut sums);
            }
            let wait = if is_idle && self.waits { IDLE_WAIT } else { Duration::ZERO };
            then.poll(&mut events, Some(wait)).unwrap();
            is_idle &= events.is_empty();
            for event in &events {
                sums.bytes += discard(&others[event.token().0], &mut discarded);
            }
            if is_idle && !self.waits {
                std::thread::sleep(IDLE_PAUSE);
            }
            if marks.try_recv().is_ok() {
                println!("{}", sums.line(sampled.len(), since.elapsed()));
                (sums, since) = (Sums::default(), Instant::now());
            }
        }
    }

    fn connect(&self) -> Vec<Connected> {
        let tls = self.tls_ca.as_ref().map(|file| {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
            Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
        });
        let started = Instant::now();
        let mut connected: Vec<Connected> = Vec::with_capacity(self.viewers);
        while connected.len() < self.viewers {
            let from = connected.len();
            let at_once = if self.per_s.is_some() { self.viewers } else { AT_ONCE };
            let to = (from + at_once).min(self.viewers);
            connected.extend((from..to).map(|n| {
                if let Some(per_s) = self.per_s {
                    let due = Duration::from_secs_f64(n as f64 / per_s);
                    std::thread::sleep(due.saturating_sub(started.elapsed()));
                }
                self.open(n, tls.as_ref())
            }));
            for (stream, tls) in &mut connected[from..] {
                match tls {
                    Some(tls) => until_hello(&mut rustls::Stream::new(tls, stream)),
                    None => until_hello(stream),
                }
            }
        }
        connected
    }

    /// Connects from an address of its own and sends the handshake.
    fn open(&self, n: usize, tls: Option<&Arc<ClientConfig>>) -> Connected {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let source = Ipv4Addr::new(127, 9, (n / 250) as u8, 1 + (n % 250) as u8);
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0)))).unwrap();
        socket.connect(&SockAddr::from(self.address)).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let protocol = if self.deflate { SUBPROTOCOL_DEFLATE } else { SUBPROTOCOL_JSON };
        let token = self.token.iter().map(|token| format!(", barrage.token.{token}")).collect::<String>();
        let request = format!(
            "GET /v1/rooms/{0}/ws HTTP/1.1\r\nHost: {1}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Origin: http://{1}\r\n{BROWSER}Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocol}{token}\r\n\r\n",
            self.room, self.address
        );
        let request = [request.as_bytes(), if self.token.is_none() { JOIN } else { b"" }].concat();
        let Some(config) = tls else {
            stream.write_all(&request).unwrap();
            return (stream, None);
        };
        let mut tls = ClientConnection::new(Arc::clone(config), "localhost".try_into().unwrap()).unwrap();
        rustls::Stream::new(&mut tls, &mut stream).write_all(&request).unwrap();
        (stream, Some(tls))
    }
}

/// Reads the response and the first frame after it.
fn until_hello(stream: &mut impl Read) {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "handshake refused: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some_and(|head| answer.len() > head + 4) {
            assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
            return;
        }
    }
}

/// Empties a socket and returns the number of bytes discarded.
fn discard(stream: &mio::net::TcpStream, into: &mut [MaybeUninit<u8>]) -> u64 {
    let mut bytes = 0;
    loop {
        match SockRef::from(stream).recv_with_flags(into, MSG_TRUNC) {
            Ok(0) => panic!("the server closed a connection"),
            Ok(read) => bytes += read as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Sampled {
    fn read(&mut self, buffer: &mut [u8], time_key: &[u8], sums: &mut Sums) {
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        loop {
            let mut into = [IoSliceMut::new(buffer)];
            let fd = self.stream.as_raw_fd();
            let received = recvmsg::<()>(fd, &mut into, Some(&mut control), MsgFlags::empty());
            let (read, stamp) = match received {
                Ok(received) => {
                    let stamps = received.cmsgs().unwrap().filter_map(|message| match message {
                        ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
                        _ => None,
                    });
                    (received.bytes, stamps.last())
                }
                Err(nix::errno::Errno::EAGAIN) => return,
                Err(error) => panic!("{error}"),
            };
            assert!(read > 0, "the server closed a connection");
            sums.bytes += read as u64;
            self.rest.extend_from_slice(&buffer[..read]);
            // Bytes that arrived before the socket option was set have no stamp.
            let at = stamp.map_or_else(now, Duration::from);
            sums.count(&mut self.rest, time_key, at.as_micros() as u64);
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

impl Sums {
    /// Counts messages and their delays, and keeps the bytes after the last one.
    fn count(&mut self, text: &mut Vec<u8>, time_key: &[u8], at_us: u64) {
        let mut used = text.len().saturating_sub(time_key.len() + 20);
        let mut from = 0;
        while let Some(at) = text[from..].windows(time_key.len()).position(|some| some == time_key) {
            let digits = from + at + time_key.len();
            let Some(len) = text[digits..].iter().position(|byte| !byte.is_ascii_digit()) else {
                used = from + at;
                break;
            };
            let sent_us: u64 = std::str::from_utf8(&text[digits..digits + len]).unwrap().parse().unwrap();
            self.messages += 1;
            if self.delays_us.len() < DELAYS_MAX {
                self.delays_us.push(at_us.saturating_sub(sent_us));
            }
            from = digits + len;
            used = used.max(from);
        }
        text.drain(..used);
    }

    fn line(&mut self, sampled: usize, elapsed: Duration) -> serde_json::Value {
        self.delays_us.sort_unstable();
        let at = |share: f64| {
            let index = (self.delays_us.len() as f64 * share) as usize;
            self.delays_us.get(index).map(|us| *us as f64 / 1_000.0)
        };
        json!({ "bytes": self.bytes, "messages": self.messages, "sampled": sampled,
            "secs": elapsed.as_secs_f64(), "p50_ms": at(0.5), "p99_ms": at(0.99) })
    }
}
