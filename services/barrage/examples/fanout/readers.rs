//! Thousands of connections in one thread. All are read; of some, every message is
//! looked at, and those come first: a message has arrived when the kernel has stamped it,
//! not when this thread has got round to it.

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

/// Handshakes under way at once.
const AT_ONCE: usize = 128;
/// Messages carry their time after this.
const TIME: &[u8] = b"\"t\":";
/// Times kept between two marks; beyond, the rest is not kept.
const TIMES_MAX: usize = 4_000_000;
/// `{"type":"join"}`, masked with zeros.
const JOIN: &[u8] = b"\x81\x8f\0\0\0\0{\"type\":\"join\"}";
/// Others read between two looks at those that are looked at.
const OTHERS_MAX: usize = 128;
/// Between two looks that find nothing. Nobody waits in the kernel, so that no send pays for
/// waking this thread: viewers are elsewhere, and who wakes them is not the server.
const NAP: Duration = Duration::from_micros(500);
/// The kernel throws away what it is asked for, and copies nothing.
const MSG_TRUNC: i32 = 0x20;

#[derive(Args)]
pub(crate) struct Crowd {
    /// Where.
    #[arg(long)]
    address: SocketAddr,
    /// Which room.
    #[arg(long, default_value = "bench")]
    room: String,
    /// How many.
    #[arg(long)]
    viewers: usize,
    /// Looked at: one in so many.
    #[arg(long, default_value_t = 50)]
    one_in: usize,
    /// Joins as somebody.
    #[arg(long)]
    token: Option<String>,
    /// Asks for the deflated encoding; then no message is looked at.
    #[arg(long)]
    deflate: bool,
    /// Speaks TLS with a server that this authority vouches for (PEM), joins, and reads no
    /// further.
    #[arg(long)]
    tls_ca: Option<PathBuf>,
}

/// What was read since the last mark.
#[derive(Default)]
struct Sums {
    bytes: u64,
    messages: u64,
    delays_us: Vec<u64>,
}

/// One that is looked at.
struct Viewer {
    stream: mio::net::TcpStream,
    /// What is not a whole message yet.
    rest: Vec<u8>,
}

/// A connection after its handshake.
type Connected = (TcpStream, Option<ClientConnection>);

impl Crowd {
    pub(crate) fn run(self) {
        let started = Instant::now();
        let connected = self.connect();
        println!("{}", json!({ "viewers": connected.len(), "secs": started.elapsed().as_secs_f64() }));
        let (marks_in, marks) = mpsc::channel();
        super::on_line(move || marks_in.send(()).unwrap_or_default());
        if self.tls_ca.is_some() {
            // Their memory is what they are there for.
            marks.iter().for_each(drop);
            return;
        }
        let streams = connected.into_iter().map(|(stream, _)| stream).enumerate();
        let is_looked_at = |n: &usize| !self.deflate && n.is_multiple_of(self.one_in);
        let (looked_at, others): (Vec<_>, Vec<_>) = streams.partition(|(n, _)| is_looked_at(n));
        let (mut first, mut then) = (Poll::new().unwrap(), Poll::new().unwrap());
        let register = |poll: &Poll, (n, (_, stream)): (usize, (usize, TcpStream))| {
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(n), Interest::READABLE).unwrap();
            stream
        };
        let others: Vec<_> = others.into_iter().enumerate().map(|one| register(&then, one)).collect();
        let look = |one| {
            let stream = register(&first, one);
            setsockopt(&stream, sockopt::ReceiveTimestampns, &true).unwrap();
            Viewer { stream, rest: Vec::new() }
        };
        let mut looked_at: Vec<_> = looked_at.into_iter().enumerate().map(look).collect();
        let (mut events, mut buffer) = (Events::with_capacity(OTHERS_MAX), vec![0; 1 << 20]);
        let mut nowhere = vec![MaybeUninit::uninit(); 1 << 20];
        let (mut sums, mut since) = (Sums::default(), Instant::now());
        loop {
            first.poll(&mut events, Some(Duration::ZERO)).unwrap();
            let mut is_idle = events.is_empty();
            for event in &events {
                looked_at[event.token().0].read(&mut buffer, &mut sums);
            }
            then.poll(&mut events, Some(Duration::ZERO)).unwrap();
            is_idle &= events.is_empty();
            for event in &events {
                sums.bytes += throw_away(&others[event.token().0], &mut nowhere);
            }
            if is_idle {
                std::thread::sleep(NAP);
            }
            if marks.try_recv().is_ok() {
                println!("{}", sums.line(looked_at.len(), since.elapsed()));
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
        let mut connected: Vec<Connected> = Vec::with_capacity(self.viewers);
        while connected.len() < self.viewers {
            let from = connected.len();
            let to = (from + AT_ONCE).min(self.viewers);
            connected.extend((from..to).map(|n| self.ask(n, tls.as_ref())));
            for (stream, tls) in &mut connected[from..] {
                match tls {
                    Some(tls) => until_hello(&mut rustls::Stream::new(tls, stream)),
                    None => until_hello(stream),
                }
            }
        }
        connected
    }

    /// Connects and sends the handshake.
    fn ask(&self, n: usize, tls: Option<&Arc<ClientConfig>>) -> Connected {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let source = Ipv4Addr::new(127, 9, (n / 250) as u8, 1 + (n % 250) as u8);
        socket.bind(&SockAddr::from(SocketAddr::from((source, 0)))).unwrap();
        socket.connect(&SockAddr::from(self.address)).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let protocol = if self.deflate { SUBPROTOCOL_DEFLATE } else { SUBPROTOCOL_JSON };
        let token = self.token.iter().map(|token| format!(", barrage.token.{token}")).collect::<String>();
        let request = format!(
            "GET /v1/rooms/{}/ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {protocol}{token}\r\n\r\n",
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

/// Reads the answer and the first frame behind it.
fn until_hello(stream: &mut impl Read) {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "refused: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some_and(|head| answer.len() > head + 4) {
            assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
            return;
        }
    }
}

/// Empties a socket; returns how much there was.
fn throw_away(stream: &mio::net::TcpStream, nowhere: &mut [MaybeUninit<u8>]) -> u64 {
    let mut bytes = 0;
    loop {
        match SockRef::from(stream).recv_with_flags(nowhere, MSG_TRUNC) {
            Ok(0) => panic!("a connection was closed by the server"),
            Ok(read) => bytes += read as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Viewer {
    fn read(&mut self, buffer: &mut [u8], sums: &mut Sums) {
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
            assert!(read > 0, "a connection was closed by the server");
            sums.bytes += read as u64;
            self.rest.extend_from_slice(&buffer[..read]);
            // What came before stamps were asked for has none.
            let at = stamp.map_or_else(now, Duration::from);
            sums.look(&mut self.rest, at.as_micros() as u64);
        }
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

impl Sums {
    /// Counts the messages by their times, and keeps what follows the last.
    fn look(&mut self, text: &mut Vec<u8>, at_us: u64) {
        let mut used = text.len().saturating_sub(TIME.len() + 20);
        let mut from = 0;
        while let Some(at) = text[from..].windows(TIME.len()).position(|four| four == TIME) {
            let digits = from + at + TIME.len();
            let Some(len) = text[digits..].iter().position(|byte| !byte.is_ascii_digit()) else {
                used = from + at;
                break;
            };
            let sent_us: u64 = std::str::from_utf8(&text[digits..digits + len]).unwrap().parse().unwrap();
            self.messages += 1;
            if self.delays_us.len() < TIMES_MAX {
                self.delays_us.push(at_us.saturating_sub(sent_us));
            }
            from = digits + len;
            used = used.max(from);
        }
        text.drain(..used);
    }

    fn line(&mut self, looked_at: usize, elapsed: Duration) -> serde_json::Value {
        self.delays_us.sort_unstable();
        let at = |share: f64| {
            let index = (self.delays_us.len() as f64 * share) as usize;
            self.delays_us.get(index).map(|us| *us as f64 / 1_000.0)
        };
        json!({ "bytes": self.bytes, "messages": self.messages, "looked_at": looked_at,
            "secs": elapsed.as_secs_f64(), "p50_ms": at(0.5), "p99_ms": at(0.99) })
    }
}
