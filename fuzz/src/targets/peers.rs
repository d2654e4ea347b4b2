//! Bytes of other programs: IRC clients, webhook receivers and moderation hooks, the bus.

use std::time::{Duration, SystemTime};

use barrage_bus::nats::read_envelope;
use barrage_irc::{parse_client_line, respell};
use barrage_moderation::parse_hook_answer;
use barrage_outbound::retry_after;
use barrage_protocol::Sequence;

/// Parameters of one line, as RFC 2812 has it.
const PARAMS_MAX: usize = 15;
/// Characters of a hook's reason that are kept.
const REASON_CHARS_MAX: usize = 200;

/// Parses a line of an IRC client, and its words as names.
pub(super) fn irc(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        for name in text.split(' ') {
            for own in respell(name).into_iter().flatten() {
                assert!(respell(&own).contains(&Some(own.clone())), "{own:?} is read as it is written");
                assert!(!own.contains([' ', ',', '\r', '\n', '\0', ':']), "{own:?}");
            }
        }
    }
    let Some((command, params)) = parse_client_line(bytes) else { return };
    assert!(!command.is_empty() && params.len() <= PARAMS_MAX, "{command:?} {}", params.len());
    assert!(command.len() + params.iter().map(String::len).sum::<usize>() <= bytes.len());
    for part in params.iter().chain([&command]) {
        assert!(!part.contains(['\r', '\n', '\0']), "{part:?}");
    }
}

/// Reads the answers of a moderation hook and of a webhook receiver.
pub(super) fn webhook_answer(bytes: &[u8]) {
    if let Some((_, Some(reason))) = parse_hook_answer(bytes) {
        assert!(reason.chars().count() <= REASON_CHARS_MAX);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    std::hint::black_box(retry_after(text, now));
}

/// Reads the envelope of a stored message: the first line is its header, the second its trace.
pub(super) fn envelope(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (header, trace) = text.split_once('\n').unwrap_or((&text, ""));
    for (stored, previous) in [(1, 0), (u64::MAX, u64::MAX - 1), (0, u64::MAX)] {
        let Some(message) = read_envelope(header, trace, Sequence(stored), Sequence(previous)) else {
            return;
        };
        assert!(message.trace.is_none() || trace.len() >= 55, "a trace is a whole traceparent");
    }
}
