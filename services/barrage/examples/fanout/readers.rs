//! Thousands of connections in one thread. All are read; of some, every message is
//! looked at.

use std::io::{ErrorKind, Read as _, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barrage_protocol::frame::{SUBPROTOCOL_DEFLATE, SUBPROTOCOL_JSON};
use clap::Args;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;
use socket2::{Domain, SockAddr, Socket, Type};

/// Handshakes under way at once.
const AT_ONCE: usize = 128;
/// Messages carry their time after this.
const TIME: &[u8] = b"\"t\":";
/// Times kept between two marks; beyond, the rest is not kept.
const TIMES_MAX: usize = 4_000_000;

#[derive(Args)]
pub(crate) struct Read {
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
}

/// What was read since the last mark.
#[derive(Default)]
struct Sums {
    bytes: u64,
    messages: u64,
    delays_us: Vec<u64>,
}

struct Viewer {
    stream: mio::net::TcpStream,
    /// What is not a whole message yet, where messages are looked at.
    rest: Option<Vec<u8>>,
}

impl Read {
    pub(crate) fn run(self) {
        let started = Instant::now();
        let streams = self.connect();
        println!("{}", json!({ "viewers": streams.len(), "secs": started.elapsed().as_secs_f64() }));
        let (marks_in, marks) = mpsc::channel();
        super::on_line(move || marks_in.send(()).unwrap_or_default());
        let mut poll = Poll::new().unwrap();
        let mut viewers = self.registered(&poll, streams);
        let looked_at = viewers.iter().filter(|viewer| viewer.rest.is_some()).count();
        let (mut events, mut buffer) = (Events::with_capacity(4_096), vec![0; 1 << 20]);
        let (mut sums, mut since) = (Sums::default(), Instant::now());
        loop {
            poll.poll(&mut events, Some(Duration::from_millis(100))).unwrap();
            for event in &events {
                viewers[event.token().0].read(&mut buffer, &mut sums);
            }
            if marks.try_recv().is_ok() {
                println!("{}", sums.line(looked_at, since.elapsed()));
                (sums, since) = (Sums::default(), Instant::now());
            }
        }
    }

    fn connect(&self) -> Vec<TcpStream> {
        let mut streams: Vec<TcpStream> = Vec::with_capacity(self.viewers);
        while streams.len() < self.viewers {
            let from = streams.len();
            let to = (from + AT_ONCE).min(self.viewers);
            streams.extend((from..to).map(|n| self.ask(n)));
            streams[from..].iter_mut().for_each(until_hello);
        }
        streams
    }

    /// Connects and sends the handshake.
    fn ask(&self, n: usize) -> TcpStream {
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
        stream.write_all(request.as_bytes()).unwrap();
        if self.token.is_none() {
            // `{"type":"join"}`, masked with zeros.
            stream.write_all(b"\x81\x8f\0\0\0\0{\"type\":\"join\"}").unwrap();
        }
        stream
    }

    fn registered(&self, poll: &Poll, streams: Vec<TcpStream>) -> Vec<Viewer> {
        let register = |(n, stream): (usize, TcpStream)| {
            stream.set_nonblocking(true).unwrap();
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(n), Interest::READABLE).unwrap();
            Viewer { stream, rest: (!self.deflate && n.is_multiple_of(self.one_in)).then(Vec::new) }
        };
        streams.into_iter().enumerate().map(register).collect()
    }
}

/// Reads the answer and the first frame behind it.
fn until_hello(stream: &mut TcpStream) {
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

impl Viewer {
    fn read(&mut self, buffer: &mut [u8], sums: &mut Sums) {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => panic!("a connection was closed by the server"),
                Ok(read) => {
                    sums.bytes += read as u64;
                    if let Some(rest) = &mut self.rest {
                        rest.extend_from_slice(&buffer[..read]);
                        sums.look(rest);
                    }
                    if read < buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Sums {
    /// Counts the messages by their times, and keeps what follows the last.
    fn look(&mut self, text: &mut Vec<u8>) {
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64;
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
                self.delays_us.push(now_us.saturating_sub(sent_us));
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
