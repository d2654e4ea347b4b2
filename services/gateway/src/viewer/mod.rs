//! One viewer: its place in the chain, its queue, its limits, and its notices.

mod allowance;
mod audience;
mod close_frames;
mod deadlines;
#[cfg(test)]
pub(crate) mod defect;
mod flushed;
mod heartbeat;
mod held_batches;
mod held_lines;
mod marks;
mod notices;
mod outbox;
mod repair_debt;
#[allow(clippy::module_inception, reason = "the room's main type lives in the file of its name")]
mod viewer;
mod waits;

pub(crate) use allowance::FrameKind;
pub(crate) use audience::Audience;
pub(crate) use heartbeat::HeartbeatTerms;
pub(crate) use notices::{Ack, NoticeBook, frame_of};
pub(crate) use outbox::Outbox;
#[cfg(test)]
pub(crate) use viewer::tests::test_viewer;
pub(crate) use viewer::{Viewer, address};
pub(crate) use waits::{closed, writable};
