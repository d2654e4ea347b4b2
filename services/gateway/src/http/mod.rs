//! The gateway's HTTP: the WebSocket handshake, event streams, long polls, and the admin API.

mod admin;
mod admit;
mod explain;
mod handshake;
mod inbox;
mod operations;
mod poll;
mod request_head;
mod room_path;
mod routes;
mod sse;
mod sse_drain;
mod sse_event;
mod stream_user;

pub(crate) use handshake::HandshakeGreeter;
pub use operations::operations;
pub use request_head::parse_request_head;
pub(crate) use routes::{admin_router, router};
