//! Bytes of a new connection: WebSocket frames, the handshake, HTTP/2 frames.

use barrage_gateway::parse_request_head;
use barrage_http::{Http2Config, meter_frames};
use barrage_ws::client::{self, Mask};
use barrage_ws::server::{self, Incoming};
use barrage_ws::{Opcode, Violation};

/// Longest payload of a client's frame, as the gateway has it.
const CLIENT_BYTES_MAX: usize = 16 * 1_024;
/// Longest frame of a client: the longest payload behind the longest header.
const FRAME_BYTES_MAX: usize = CLIENT_BYTES_MAX + 14;
/// Longest payload of a server's frame that the client in Rust takes.
const SERVER_BYTES_MAX: usize = 1 << 20;

/// Reads a client's frames one after the other, as a shard does.
pub(super) fn server(bytes: &[u8]) {
    let mut buffer = bytes.to_vec();
    let mut at = 0;
    while at < buffer.len() {
        let whole = buffer[at..buffer.len().min(at + FRAME_BYTES_MAX)].to_vec();
        let Ok(Some((incoming, used))) = server::read(&mut buffer[at..], CLIENT_BYTES_MAX) else { break };
        assert!((6..=whole.len()).contains(&used), "a masked frame has at least six bytes");
        let payload = match incoming {
            Incoming::Text(text) => Some((Opcode::Text, text.as_bytes())),
            Incoming::Ping(payload) => Some((Opcode::Ping, payload)),
            Incoming::Pong | Incoming::Close => None,
        };
        if let Some((opcode, payload)) = payload {
            assert!(payload.len() <= CLIENT_BYTES_MAX && payload.len() < used, "the payload is in the frame");
            let mut again = client::frame(opcode, payload, Mask::Bytes([1, 2, 3, 4]));
            assert_eq!(again.len(), used, "lengths are minimal");
            assert_eq!(server::read(&mut again, CLIENT_BYTES_MAX), Ok(Some((incoming, used))));
        }
        for cut in [used - 1, used / 2, 1] {
            let part = server::read(&mut whole[..cut].to_vec(), CLIENT_BYTES_MAX).map(|read| read.is_some());
            assert_eq!(part, Ok(false), "a part of a good frame is incomplete");
        }
        at += used;
    }
}

/// Reads a server's frames one after the other, as the client in Rust does.
pub(super) fn client(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let frame = match client::read(rest, SERVER_BYTES_MAX) {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(violation) => {
                assert_ne!(violation, Violation::Binary, "a server may send binary frames");
                break;
            }
        };
        let payload = frame.payload_in(rest);
        assert_eq!(&server::frame(frame.opcode, payload)[..], &rest[..frame.bytes()], "lengths are minimal");
        assert_eq!(client::read(&rest[..frame.bytes() - 1], SERVER_BYTES_MAX), Ok(None));
        if frame.opcode == Opcode::Close {
            let code = client::close_code(payload);
            assert!(!payload.is_empty() || code == 1005);
        }
        rest = &rest[frame.bytes()..];
    }
}

/// Parses the head of a handshake.
pub(super) fn handshake(bytes: &[u8]) {
    let Some((room, used)) = parse_request_head(bytes) else { return };
    assert!(used <= bytes.len() && bytes[..used].ends_with(b"\n"), "the head ends with its line");
    assert!(!room.contains(['/', '%', '?', '#', ' ', '\r', '\n']), "{room:?}");
    assert_eq!(parse_request_head(&bytes[..used]), Some((room, used)), "what follows the head has no effect");
    assert_eq!(parse_request_head(&bytes[..used - 1]), None, "a part of a head is none");
}

/// Meters HTTP/2 frames: whole, in two pieces and byte by byte.
pub(super) fn http2(bytes: &[u8]) {
    let config = Http2Config { resets_per_s: 2, control_frames_per_s: 3, ..Http2Config::default() };
    let whole = meter_frames([bytes], &config);
    let (first, second) = bytes.split_at(bytes.len() / 3);
    assert_eq!(meter_frames([first, second], &config), whole);
    if bytes.len() <= 4_096 {
        assert_eq!(meter_frames(bytes.chunks(1), &config), whole);
    }
}
