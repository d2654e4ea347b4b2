use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{CLIENT_FRAME_BYTES_MAX, ClientFrame};
use barrage_protocol::{ClientFacts, Code, Sequence};
use barrage_ws::Violation;
use barrage_ws::server::{self, Incoming};

/// Client's frame, or the reason why it is refused.
pub(super) type Parsed = Result<ClientFrame, Refusal>;

/// Input of a client, cut from the bytes of its connection.
#[derive(Debug)]
pub(super) enum Input<'a> {
    Frame(Parsed),
    /// Payload of a WebSocket ping, which the pong repeats.
    Ping(&'a [u8]),
    Pong,
    Close,
}

/// Cuts one input from the front of `buffer`; returns it with the bytes that it takes. `None`
/// while the input is incomplete, a refusal when the connection must end.
pub(super) fn next(buffer: &mut [u8]) -> Result<Option<(Input<'_>, usize)>, Refusal> {
    let Some((incoming, used)) = server::read(buffer, CLIENT_FRAME_BYTES_MAX).map_err(refusal)? else {
        return Ok(None);
    };
    let input = match incoming {
        Incoming::Text(text) => Input::Frame(parse(text)),
        Incoming::Ping(payload) => Input::Ping(payload),
        Incoming::Pong => Input::Pong,
        Incoming::Close => Input::Close,
    };
    Ok(Some((input, used)))
}

fn parse(text: &str) -> Parsed {
    serde_json::from_str(text)
        .map_err(|error| Refusal::new(Code::BadFrame, format!("not a frame of this protocol: {error}")))
}

fn refusal(violation: Violation) -> Refusal {
    let (code, message) = match violation {
        Violation::TooLarge => (Code::TooLarge, "client frames may have 16384 bytes"),
        Violation::InvalidUtf8 => (Code::InvalidUtf8, "text frames must be UTF-8"),
        Violation::Binary => {
            (Code::UnsupportedFrame, "send JSON in text frames; this gateway takes no binary frames")
        }
        Violation::Malformed => {
            (Code::ProtocolViolation, "frames must be masked, whole, and free of reserved bits")
        }
    };
    Refusal::new(code, message)
}

/// Join by a frame, of a client whose handshake had no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JoinFrame {
    pub(super) token: Option<String>,
    pub(super) after: Option<Sequence>,
    pub(super) client: Option<Box<ClientFacts>>,
}

/// Reads the first frame of a connection without a token in its handshake: it must be a `join`.
pub(super) fn join(frame: Parsed) -> Result<JoinFrame, Refusal> {
    match frame? {
        ClientFrame::Join { token, after, client } => Ok(JoinFrame { token, after, client }),
        ClientFrame::Ping { .. }
        | ClientFrame::Ack { .. }
        | ClientFrame::Repair { .. }
        | ClientFrame::Visibility { .. }
        | ClientFrame::Traces {}
        | ClientFrame::Traced { .. }
        | ClientFrame::Attach { .. }
        | ClientFrame::Detach {}
        | ClientFrame::Switch { .. } => Err(Refusal::new(Code::BadFrame, "the first frame must be a `join`")),
    }
}

#[cfg(test)]
mod tests {
    use barrage_ws::client::{Mask, raw_frame};

    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        raw_frame(first, payload, Mask::Bytes([1, 2, 3, 4]))
    }

    #[test]
    fn inputs_are_cut_one_by_one() {
        let mut bytes =
            [masked(0x81, br#"{"type":"ping"}"#), masked(0x89, b"p"), masked(0x81, b"{}")].concat();
        let (first, used) = next(&mut bytes).unwrap().unwrap();
        assert!(matches!(first, Input::Frame(frame) if matches!(frame, Ok(ClientFrame::Ping { .. }))));
        bytes.drain(..used);
        let (second, used) = next(&mut bytes).unwrap().unwrap();
        assert!(matches!(second, Input::Ping(b"p")));
        bytes.drain(..used);
        let (third, _) = next(&mut bytes).unwrap().unwrap();
        assert!(matches!(third, Input::Frame(frame) if frame.is_err()), "no frame of the protocol");
        bytes.pop();
        assert!(next(&mut bytes).unwrap().is_none(), "incomplete");
    }

    #[test]
    fn violations_end_the_connection_with_their_codes() {
        let code = |mut bytes: Vec<u8>| next(&mut bytes).unwrap_err().code;
        assert_eq!(code(masked(0x01, b"part")), Code::ProtocolViolation);
        assert_eq!(code(masked(0x82, b"bin")), Code::UnsupportedFrame);
        assert_eq!(code(masked(0x81, &[0xff])), Code::InvalidUtf8);
        assert_eq!(code(masked(0x81, &vec![b'x'; CLIENT_FRAME_BYTES_MAX + 1])), Code::TooLarge);
    }

    #[test]
    fn the_first_frame_must_be_a_join() {
        let joined = join(parse(r#"{"type":"join","token":"t","after":7}"#)).unwrap();
        let wanted = JoinFrame { token: Some("t".into()), after: Some(Sequence(7)), client: None };
        assert_eq!(joined, wanted);
        assert_eq!(join(parse(r#"{"type":"ping"}"#)).unwrap_err().code, Code::BadFrame);
        assert_eq!(join(parse("{}")).unwrap_err().code, Code::BadFrame);
    }
}
