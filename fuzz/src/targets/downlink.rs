//! Frames of the protocol: a client's, a server's, and the server's lines.

use barrage_protocol::RoomId;
use barrage_protocol::deflate::deflate;
use barrage_protocol::frame::{CLIENT_FRAME_BYTES_MAX, ClientFrame, ServerFrame};
use barrage_protocol::lines::{JSON_FRAME, LineReader};

/// Bytes that the reader of lines may return for one frame.
const LINES_BYTES_MAX: usize = 256 * 1_024;

/// Parses a client's frame; what is written of it is read as the same frame.
pub(super) fn client_frame(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(CLIENT_FRAME_BYTES_MAX)];
    let Ok(frame) = serde_json::from_slice::<ClientFrame>(bytes) else { return };
    let json = serde_json::to_string(&frame).expect("frames are plain data");
    assert_eq!(serde_json::from_str::<ClientFrame>(&json).expect("it was just written"), frame);
}

/// Parses a server's frame; what is written of it is written again the same way.
pub(super) fn server_frame(bytes: &[u8]) {
    let Ok(frame) = ServerFrame::parse(bytes) else { return };
    let json = serde_json::to_vec(&frame).expect("frames are plain data");
    let again = ServerFrame::parse(&json).expect("it was just written");
    assert_eq!(serde_json::to_vec(&again).expect("frames are plain data"), json);
}

/// Reads a connection's binary frames: the input as it is, as JSON, and as the text of lines.
pub(super) fn lines(bytes: &[u8]) {
    let room = RoomId::parse("demo").expect("the id is valid");
    let mut reader = LineReader::default();
    let mut read = |frame: &[u8], text_bytes: usize| {
        let Ok(json) = reader.read(frame, &room, LINES_BYTES_MAX) else { return };
        let bound = LINES_BYTES_MAX + 2 * text_bytes.max(LINES_BYTES_MAX) + 128;
        assert!(json.len() <= bound, "{} bytes of {text_bytes}", json.len());
        let is_text = frame.first() == Some(&JSON_FRAME) || std::str::from_utf8(&json).is_ok();
        assert!(is_text, "lines are texts");
    };
    read(bytes, 0);
    read(&[&[JSON_FRAME][..], &deflate(bytes, 1)].concat(), bytes.len());
    for text in bytes.split(|byte| *byte == 0xff) {
        read(&[&[0][..], &check(text), &deflate(text, 1)].concat(), text.len());
    }
}

/// Check of a frame of lines, as the protocol's reference describes it.
fn check(text: &[u8]) -> [u8; 3] {
    let hash =
        text.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let [_, check @ ..] = ((hash >> 24) ^ (hash & 0x00ff_ffff)).to_be_bytes();
    check
}
