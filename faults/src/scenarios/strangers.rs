//! Rows 6, 14 and 15: slow readers, hostile frames, and slow heads and bodies beside honest viewers.

use std::net::SocketAddr;
use std::time::Duration;

use barrage_testkit::{RawSocket, masked};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::limits::send;
use crate::crowd::{Drill, Load, gauge, play};
use crate::figure::{Bound, Figure};
use crate::run::Run;
use crate::site::{EMBEDDED, Site, SiteOptions};
use crate::vitals::Vitals;

/// Longest life of a slow connection that a scenario waits for.
const CLOSED_MAX: Duration = Duration::from_secs(20);

/// Handshake of a viewer of a room, without its first frame.
fn handshake(address: SocketAddr, room: usize) -> String {
    format!(
        "GET /v1/rooms/{}/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        Load::room(room)
    )
}

/// Joins a room with a small receive buffer and reads nothing behind the answer to its handshake.
pub(super) async fn silent_viewer(address: SocketAddr, room: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    send(&mut stream, &handshake(address, room)).await;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 101", "the handshake was refused");
    drop(stream.write_all(&masked(0x81, br#"{"type":"join"}"#)).await);
    stream
}

/// Reads one byte a second until the server closes.
async fn sip(mut stream: TcpStream) {
    let mut byte = [0];
    while let Ok(1) = stream.read(&mut byte).await {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Row 6: some viewers read nothing, and some a byte a second. The others notice nothing.
pub(super) async fn readers(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::embedded()).await;
    let (process, address) = (site.process(EMBEDDED).id(), site.process(EMBEDDED).recipe.address);
    let admin = site.admins[0].1;
    let slow = run.pick(40, 100);
    let (mut closed, mut grown, mut base, mut during, mut last_s) = (0.0, 0.0_f64, 0..0, 0..0, f64::NAN);
    let mut load = Load::new(1, run.viewers(100, 1_000), run.secs(28, 60)).rates(10, run.pick(100, 60));
    // Long texts fill the buffers of kernel and gateway within seconds.
    load.padding = 120;
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        drill.rest(4.0).await;
        base = 1_000..drill.records.now_ms();
        let before = Vitals::of(process);
        let (began, from_ms) = (barrage_clock::now(), drill.records.now_ms());
        let mut silent = Vec::new();
        for n in 0..slow {
            let stream = silent_viewer(address, 0).await;
            if n % 2 == 0 {
                silent.push(stream);
            } else {
                tokio::spawn(sip(stream));
            }
        }
        let code = "barrage_gateway_closes_total{code=\"slow_viewer\"}";
        while closed < slow as f64 && drill.is_posting() {
            closed = gauge(admin, code).await.unwrap_or(0.0);
            grown = grown.max(Vitals::of(process).resident_bytes - before.resident_bytes);
            drill.rest(0.2).await;
        }
        if closed >= slow as f64 {
            last_s = began.elapsed().as_secs_f64();
        }
        during = from_ms..drill.records.now_ms();
        drop(silent);
    })
    .await;
    let p99_ms = |span: std::ops::Range<u32>| f64::from(played.chat_delay_ms(span, 0.99));
    let (base_ms, during_ms) = (p99_ms(base), p99_ms(during));
    let mut figures = vec![
        Figure::new("slow viewers closed", closed, "", Bound::Exactly(slow as f64)),
        // 15 s behind, after the time in which the buffers of kernel and gateway fill.
        Figure::new("all slow viewers closed", last_s, "s", Bound::AtMost(25.0)),
        Figure::new(
            "memory for each slow viewer",
            grown / slow as f64 / 1_024.0,
            "KiB",
            Bound::AtMost(run.pick(512.0, 256.0)),
        ),
        Figure::new("chat delay p99 before", base_ms, "ms", Bound::Free),
        Figure::new("chat delay p99 beside them", during_ms, "ms", Bound::AtMost(base_ms * 1.1 + 100.0)),
        Figure::none("connections of others that ended", played.breaks()),
    ];
    figures.extend(played.figures());
    figures
}

/// One hostile byte sequence, and the close code with which the server answers it.
struct Attack {
    name: &'static str,
    bytes: Vec<u8>,
    close: u16,
}

fn attacks() -> Vec<Attack> {
    let attack = |name, bytes, close| Attack { name, bytes, close };
    // A masked text frame that claims 64 MiB, and one that claims 2^63 bytes.
    let claim = |length: u64| {
        let mut bytes = vec![0x81, 0xFF];
        bytes.extend(length.to_be_bytes());
        bytes.extend([7, 1, 9, 3]);
        bytes
    };
    vec![
        attack("a claim of 64 MiB", claim((64 << 20) - 1), 4002),
        attack("16 KiB and a byte", masked(0x81, &vec![b'x'; 16 * 1024 + 1]), 4002),
        attack("text that is not UTF-8", masked(0x81, &[0xff, 0xfe, 0x80]), 4003),
        attack("a surrogate in UTF-8", masked(0x81, &[0xed, 0xa0, 0x80]), 4003),
        attack("binary", masked(0x82, b"{}"), 4004),
        attack("unmasked", b"\x81\x0f{\"type\":\"ping\"}".to_vec(), 4006),
        attack("a first fragment", masked(0x01, b"{"), 4006),
        attack("fragments of a byte without end", masked(0x01, b"x").repeat(10_000), 4006),
        attack("a continuation of nothing", masked(0x80, b"}"), 4006),
        attack("reserved bits", masked(0xF1, b"{}"), 4006),
        attack("compressed without an agreement", masked(0xC1, b"{}"), 4006),
        attack("reserved opcode 3", masked(0x83, b"{}"), 4006),
        attack("reserved opcode 15", masked(0x8F, b"{}"), 4006),
        attack("a fragmented ping", masked(0x09, b"x"), 4006),
        attack("a ping of 126 bytes", masked(0x89, &[b'x'; 126]), 4006),
        attack("a length in more bytes than needed", vec![0x81, 0xFE, 0, 1, 7, 1, 9, 3, 0x66], 4006),
        attack("a claim of 2^63 bytes", claim(1 << 63), 4002),
        attack("a flood of pings", masked(0x89, b"x").repeat(1_000), 4005),
        attack("a flood of frames", masked(0x81, br#"{"type":"ping"}"#).repeat(1_000), 4100),
    ]
}

/// Row 14: each attack has its exact answer, costs little memory and reaches no other viewer.
pub(super) async fn hostile(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::embedded()).await;
    let (process, address) = (site.process(EMBEDDED).id(), site.process(EMBEDDED).recipe.address);
    let (mut wrong, mut cases, mut grown) = (Vec::new(), 0, 0.0_f64);
    let (mut base, mut during) = (0..0, 0..0);
    let load = Load::new(1, run.viewers(50, 300), run.secs(16, 60));
    let room = Load::room(0).to_string();
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        drill.rest(4.0).await;
        base = 500..drill.records.now_ms();
        let (rounds, from_ms) = (run.pick(2, 10), drill.records.now_ms());
        for _ in 0..rounds {
            for attack in attacks() {
                let before = Vitals::of(process).resident_bytes;
                let mut socket = RawSocket::joined(address, &room).await;
                socket.send_raw(&attack.bytes).await;
                let (_, close) = socket.until_closed().await;
                cases += 1;
                if close != Some(attack.close) {
                    wrong.push(format!("{}: {close:?}, not {}", attack.name, attack.close));
                }
                grown = grown.max(Vitals::of(process).resident_bytes - before);
            }
        }
        during = from_ms..drill.records.now_ms();
    })
    .await;
    assert!(wrong.is_empty(), "{}", wrong.join("; "));
    let p99_ms = |span: std::ops::Range<u32>| f64::from(played.chat_delay_ms(span, 0.99));
    let (base_ms, during_ms) = (p99_ms(base), p99_ms(during));
    let mut figures = vec![
        Figure::some("attacks with the exact answer", cases),
        Figure::new("memory of the costliest attack", grown / 1_048_576.0, "MiB", Bound::AtMost(8.0)),
        Figure::new("chat delay p99 before", base_ms, "ms", Bound::Free),
        Figure::new("chat delay p99 beside them", during_ms, "ms", Bound::AtMost(base_ms * 1.1 + 100.0)),
        Figure::none("connections of others that ended", played.breaks()),
    ];
    figures.extend(played.figures());
    figures
}

/// Part of a request that a stranger sends slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    Head,
    Body,
    FirstFrame,
}

/// Sends the slow part a byte a second. Returns the seconds until the server closed or answered.
async fn linger(address: SocketAddr, slow: Slow, token: String) -> f64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let room = Load::room(0);
    let begin = match slow {
        Slow::Head => format!("GET /v1/rooms/{room}/history HTTP/1.1\r\nHost: {address}\r\nX-Slow: "),
        Slow::Body => format!(
            "POST /v1/rooms/{room}/messages HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 1000\r\n\r\n{{"
        ),
        Slow::FirstFrame => handshake(address, 0),
    };
    let began = barrage_clock::now();
    send(&mut stream, &begin).await;
    let mut buffer = [0; 4_096];
    let mut is_upgraded = slow != Slow::FirstFrame;
    while began.elapsed() < CLOSED_MAX {
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
            Ok(Ok(1..)) if !is_upgraded => is_upgraded = true,
            Ok(_) => break,
            Err(_) if slow != Slow::FirstFrame => send(&mut stream, "x").await,
            Err(_) => {}
        }
    }
    began.elapsed().as_secs_f64()
}

/// Row 15: heads, bodies and first frames that do not end are cut at their deadlines.
pub(super) async fn slowloris(run: Run) -> Vec<Figure> {
    let mut site = Site::start(&run, &SiteOptions::embedded()).await;
    let address = site.process(EMBEDDED).recipe.address;
    let token = site.token("slow", "viewer");
    let each = run.pick(100, 1_500);
    let (mut slowest, mut connects_ms) = ([0.0_f64; 3], Vec::new());
    let load = Load::new(1, run.viewers(30, 100), run.secs(14, 45));
    let played = play(&mut site, load, async |drill: &mut Drill<'_>| {
        let mut strangers = JoinSet::new();
        for kind in 0..3 {
            for _ in 0..each {
                let (slow, token) = ([Slow::Head, Slow::Body, Slow::FirstFrame][kind], token.clone());
                strangers.spawn(async move { (kind, linger(address, slow, token).await) });
            }
        }
        drill.rest(1.0).await;
        while !strangers.is_empty() {
            let began = barrage_clock::now();
            drop(RawSocket::joined(address, &Load::room(0).to_string()).await);
            connects_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
            while let Some(Ok((kind, secs))) = strangers.try_join_next() {
                slowest[kind] = slowest[kind].max(secs);
            }
            drill.rest(0.05).await;
        }
    })
    .await;
    connects_ms.sort_by(f64::total_cmp);
    let p99_ms = connects_ms[(connects_ms.len() - 1) * 99 / 100];
    let mut figures = vec![
        Figure::new("slow heads closed", slowest[0], "s", Bound::AtMost(7.0)),
        Figure::new("slow bodies answered or closed", slowest[1], "s", Bound::AtMost(12.0)),
        Figure::new("handshakes without a first frame closed", slowest[2], "s", Bound::AtMost(7.0)),
        Figure::new("join p99 of honest viewers", p99_ms, "ms", Bound::AtMost(run.pick(500.0, 50.0))),
        Figure::none("connections of others that ended", played.breaks()),
    ];
    figures.extend(played.figures());
    figures
}
