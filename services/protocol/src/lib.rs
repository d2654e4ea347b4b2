//! Types that travel between Barrage's parts and its clients: identifiers, message classes, downlink
//! frames, uplink requests and error codes.
//!
//! No I/O, no clock, no async: all other crates depend on this one.
//! `docs/reference/protocol.md` is the human-readable form; a test parses its examples.

pub mod account;
pub mod action;
pub mod attribute;
pub mod attrs;
pub mod batch;
pub mod class;
pub mod code;
pub mod deflate;
pub mod digest;
pub mod dock;
pub mod emote;
pub mod entry;
pub mod event;
pub mod facts;
pub mod frame;
pub mod id;
pub mod inbox;
pub mod lines;
pub mod mail;
pub mod media;
pub mod message;
pub mod placement;
pub mod poll;
pub mod post;
pub mod reaction;
pub mod review;
pub mod speak;
pub mod state;
pub mod subprotocol;
pub mod super_chat;
pub mod trace;
pub mod words;

pub use attrs::{Badge, UserAttrs};
pub use batch::{BatchItem, BatchWriter};
pub use class::Class;
pub use code::{Advice, Code};
pub use digest::Digest;
pub use facts::ClientFacts;
pub use id::{MediaReference, MessageId, RoomId, Sequence, UserId};
pub use media::{MediaKind, MediaVariant, MediaView};
pub use message::Message;
pub use subprotocol::{FrameVersion, Subprotocol, WireEncoding};
pub use super_chat::{OpenSuperChat, SuperChatTier};
pub use trace::{SpanId, TraceContext, TraceId, Traceparent};
