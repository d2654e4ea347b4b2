//! HTTP/2 frames as they arrive: floods of frames that need no request, and frames that never end.
//!
//! The library bounds requests that are reset before it accepts them, the size of a header block and
//! the number of its frames, and small DATA frames. It answers PING and SETTINGS without a limit, and
//! a request that was accepted and then reset costs a handler. These are counted here, from the
//! headers of the frames alone.

use std::time::Duration;

use barrage_flow::{Rate, TokenBucket, Verdict};

use crate::config::Http2Config;
use crate::cut::Cut;

/// Length of the text that a client sends first (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;
/// Length of the header of a frame (RFC 9113, 4.1).
const HEADER_BYTES: usize = 9;
/// Seconds of a rate that a client may use at once: a page that is left cancels all its requests.
const BURST_SECS: u32 = 10;
/// WINDOW_UPDATE frames that a connection may send before the server has sent bytes.
const WINDOW_UPDATES_FREE: u64 = 1_000;
/// Bytes sent that allow one more WINDOW_UPDATE frame. Clients grant windows of 4 KiB and more.
const BYTES_PER_WINDOW_UPDATE: u64 = 1_024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Reads the headers of the frames of one connection, and counts them against the limits.
#[derive(Debug)]
pub(super) struct FrameMeter {
    preface_left: usize,
    /// Header of the current frame, as far as it has arrived.
    header: [u8; HEADER_BYTES],
    header_filled: usize,
    /// Kind of the frame whose payload is arriving.
    kind: u8,
    payload_left: usize,
    /// Whether a header block has begun and not ended.
    block_is_open: bool,
    has_settings: bool,
    /// Number of frames and header blocks that have arrived whole.
    units: u64,
    resets: TokenBucket,
    control_frames: TokenBucket,
    window_updates: u64,
    bytes_sent: u64,
}

impl FrameMeter {
    pub(super) fn new(config: &Http2Config, now: Duration) -> Self {
        let bucket = |per_s: u32| {
            let per_s = per_s.max(1);
            let rate = Rate::per_sec(per_s, per_s.saturating_mul(BURST_SECS)).expect("neither is zero");
            TokenBucket::full(rate, now)
        };
        FrameMeter {
            preface_left: PREFACE_BYTES,
            header: [0; HEADER_BYTES],
            header_filled: 0,
            kind: SETTINGS,
            payload_left: 0,
            block_is_open: false,
            has_settings: false,
            units: 0,
            resets: bucket(config.resets_per_s),
            control_frames: bucket(config.control_frames_per_s),
            window_updates: 0,
            bytes_sent: 0,
        }
    }

    /// Takes bytes of the client, in any pieces.
    ///
    /// # Errors
    /// The limit that the client exceeds; the connection must close.
    pub(super) fn read(&mut self, mut bytes: &[u8], now: Duration) -> Result<(), Cut> {
        let preface = self.preface_left.min(bytes.len());
        self.preface_left -= preface;
        bytes = &bytes[preface..];
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let part = self.payload_left.min(bytes.len());
                self.payload_left -= part;
                bytes = &bytes[part..];
            } else {
                let part = (HEADER_BYTES - self.header_filled).min(bytes.len());
                self.header[self.header_filled..][..part].copy_from_slice(&bytes[..part]);
                self.header_filled += part;
                bytes = &bytes[part..];
                if self.header_filled < HEADER_BYTES {
                    break;
                }
                self.header_filled = 0;
                self.begin(now)?;
            }
            if self.payload_left == 0 {
                self.end();
            }
        }
        Ok(())
    }

    /// Counts a frame by its header.
    fn begin(&mut self, now: Duration) -> Result<(), Cut> {
        let [a, b, c, kind, flags, ..] = self.header;
        self.payload_left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.kind = kind;
        let ends_block = flags & END_HEADERS != 0;
        match kind {
            DATA if self.payload_left > 0 || flags & END_STREAM != 0 => Ok(()),
            // A request: its route has limits.
            HEADERS => {
                self.block_is_open = !ends_block;
                Ok(())
            }
            RST_STREAM => take(&mut self.resets, now, Cut::Resets),
            WINDOW_UPDATE => {
                self.window_updates += 1;
                let allowed = WINDOW_UPDATES_FREE + self.bytes_sent / BYTES_PER_WINDOW_UPDATE;
                if self.window_updates > allowed { Err(Cut::WindowUpdates) } else { Ok(()) }
            }
            CONTINUATION => {
                self.block_is_open = !ends_block;
                take(&mut self.control_frames, now, Cut::ControlFrames)
            }
            // PING, SETTINGS, PRIORITY, empty DATA, and kinds that the server ignores.
            _ => take(&mut self.control_frames, now, Cut::ControlFrames),
        }
    }

    /// Ends the current frame, and the header block unless it goes on.
    fn end(&mut self) {
        self.has_settings |= self.kind == SETTINGS;
        if !self.block_is_open {
            self.units += 1;
        }
    }

    /// Counts bytes that were sent to the client.
    pub(super) const fn sent(&mut self, bytes: usize) {
        self.bytes_sent += bytes as u64;
    }

    /// Returns the number of the frame or header block that has begun and must end in time; `None`
    /// between frames, and inside of a body, which has a deadline of its own. The first is the preface
    /// with the first SETTINGS.
    pub(super) fn due(&self) -> Option<u64> {
        let is_inside = self.payload_left > 0 && self.kind != DATA;
        let is_due = !self.is_open() || self.block_is_open || self.header_filled > 0 || is_inside;
        is_due.then_some(self.units)
    }

    /// Whether the client has sent the preface and its first SETTINGS.
    pub(super) const fn is_open(&self) -> bool {
        self.preface_left == 0 && self.has_settings
    }
}

/// Meters a connection that sends these pieces at once, for the fuzz targets. Returns the number of the frame
/// that is due, or the label of the limit that the client exceeds.
///
/// # Errors
/// The limit, as the label of its metric.
#[doc(hidden)]
pub fn meter_frames<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    config: &Http2Config,
) -> Result<Option<u64>, &'static str> {
    let mut meter = FrameMeter::new(config, Duration::ZERO);
    for piece in pieces {
        meter.read(piece, Duration::ZERO).map_err(Cut::label)?;
    }
    Ok(meter.due())
}

fn take(bucket: &mut TokenBucket, now: Duration, cut: Cut) -> Result<(), Cut> {
    match bucket.take(1, now) {
        Verdict::Admit => Ok(()),
        Verdict::Refuse { .. } => Err(cut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER_BYTES + payload, 0);
        frame
    }

    fn open() -> FrameMeter {
        let config = Http2Config { resets_per_s: 2, control_frames_per_s: 3, ..Http2Config::default() };
        let mut meter = FrameMeter::new(&config, START);
        // The SETTINGS take one of the thirty control frames of the burst.
        meter.read(&[&[b'P'; PREFACE_BYTES][..], &frame(SETTINGS, 0, 6)].concat(), START).unwrap();
        assert!(meter.is_open() && meter.due().is_none());
        meter
    }

    /// Sends a frame until the connection is cut, and returns how many passed.
    fn flood(meter: &mut FrameMeter, frame: &[u8]) -> (u32, Cut) {
        for passed in 0..10_000 {
            if let Err(cut) = meter.read(frame, START) {
                return (passed, cut);
            }
        }
        panic!("no limit");
    }

    #[test]
    fn floods_are_cut_by_their_kind_and_requests_are_not() {
        assert_eq!(flood(&mut open(), &frame(RST_STREAM, 0, 4)), (20, Cut::Resets));
        for (kind, length) in [(SETTINGS, 0), (6, 8), (2, 5), (CONTINUATION, 0), (DATA, 0), (77, 1)] {
            assert_eq!(flood(&mut open(), &frame(kind, 0, length)), (29, Cut::ControlFrames), "{kind}");
        }
        assert_eq!(flood(&mut open(), &frame(WINDOW_UPDATE, 0, 4)), (1_000, Cut::WindowUpdates));
        let mut meter = open();
        for _ in 0..10_000 {
            let request = [frame(HEADERS, END_HEADERS, 30), frame(DATA, 0, 100), frame(DATA, END_STREAM, 0)];
            meter.read(&request.concat(), START).unwrap();
        }
    }

    #[test]
    fn limits_come_back_with_time_and_with_bytes_sent() {
        let mut meter = open();
        flood(&mut meter, &frame(RST_STREAM, 0, 4));
        assert!(meter.read(&frame(RST_STREAM, 0, 4), Duration::from_secs(1)).is_ok());
        let mut meter = open();
        meter.sent(5 * 1_024);
        assert_eq!(flood(&mut meter, &frame(WINDOW_UPDATE, 0, 4)).0, 1_005);
    }

    #[test]
    fn frames_are_the_same_in_any_pieces() {
        let bytes: Vec<u8> = [
            frame(HEADERS, 0, 10),
            frame(CONTINUATION, END_HEADERS, 3),
            frame(DATA, END_STREAM, 7),
            frame(RST_STREAM, 0, 4),
        ]
        .concat();
        for piece in 1..bytes.len() {
            let mut meter = open();
            for part in bytes.chunks(piece) {
                meter.read(part, START).unwrap();
            }
            assert_eq!((meter.units, meter.due()), (4, None), "{piece}");
            assert_eq!(flood(&mut meter, &frame(RST_STREAM, 0, 4)).0, 19, "{piece}");
        }
    }

    #[test]
    fn begun_frame_and_open_header_block_are_due_and_a_body_is_not() {
        let mut meter = open();
        meter.read(&[0], START).unwrap();
        let due = meter.due();
        assert!(due.is_some(), "one byte of a header");
        meter.read(&frame(HEADERS, 0, 1)[1..], START).unwrap();
        assert_eq!(meter.due(), due, "the block goes on");
        meter.read(&frame(CONTINUATION, 0, 1), START).unwrap();
        assert_eq!(meter.due(), due, "a frame of the block is no end");
        meter.read(&frame(CONTINUATION, END_HEADERS, 1), START).unwrap();
        assert_eq!(meter.due(), None);
        meter.read(&frame(DATA, 0, 100)[..50], START).unwrap();
        assert_eq!(meter.due(), None, "inside of a body");
        let silent = FrameMeter::new(&Http2Config::default(), START);
        assert_eq!(silent.due(), Some(0), "the preface");
    }
}
