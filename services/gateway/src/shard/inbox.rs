use std::io::ErrorKind;

use barrage_clock::unix_ms;
use barrage_ws::server;
use tokio::time::Instant;

use super::client_frames::{self, Input, Parsed};
use super::session_end::SessionEnd;
use super::shard::Shard;
use crate::viewer::{FrameKind, Viewer};

/// WebSocket close code of an answered close frame.
const CLOSE_NORMAL: u16 = 1000;

/// Bytes that a client has sent, up to the end of their frame.
pub(super) struct Inbox {
    /// Bytes of an incomplete frame; empty while the viewer is idle.
    rest: Vec<u8>,
}

impl Inbox {
    /// Starts with bytes that came behind the handshake.
    pub(super) fn new(leftover: Vec<u8>) -> Self {
        Inbox { rest: leftover }
    }

    /// Reads the bytes that have arrived, behind the rest of an incomplete frame.
    pub(super) fn read(&mut self, shard: &Shard, viewer: &Viewer) -> Result<(), SessionEnd> {
        let mut scratch = shard.scratch.borrow_mut();
        match viewer.socket.read(&mut scratch) {
            Ok(0) => Err(SessionEnd::Gone),
            Ok(read) => {
                viewer.deadlines.heard_at.set(Instant::now());
                self.rest.extend_from_slice(&scratch[..read]);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(_) => Err(SessionEnd::Gone),
        }
    }

    /// Cuts whole frames from the bytes that were read, and answers WebSocket pings.
    pub(super) fn cut_frames(&mut self, shard: &Shard, viewer: &Viewer) -> Result<Vec<Parsed>, SessionEnd> {
        let context = &shard.context;
        let unix_secs = unix_ms() / 1000;
        let mut frames = Vec::new();
        let mut used = 0;
        while let Some((input, taken)) = client_frames::next(&mut self.rest[used..])? {
            used += taken;
            context.metrics.client_frames.inc();
            match input {
                Input::Frame(frame) => {
                    viewer.allowance.count(FrameKind::Text, &context.config, unix_secs)?;
                    frames.push(frame);
                }
                Input::Ping(payload) => {
                    viewer.allowance.count(FrameKind::Control, &context.config, unix_secs)?;
                    viewer.send_bytes(server::pong(payload));
                }
                Input::Pong => viewer.allowance.count(FrameKind::Control, &context.config, unix_secs)?,
                Input::Close => {
                    viewer.send_bytes(server::close(CLOSE_NORMAL, ""));
                    shard.flush(viewer).map_err(|_| SessionEnd::Gone)?;
                    return Err(SessionEnd::Gone);
                }
            }
        }
        self.rest.drain(..used);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        Ok(frames)
    }
}
