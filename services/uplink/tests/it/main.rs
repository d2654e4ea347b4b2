//! The uplink through its router and a listener, over the embedded bus.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts;
mod actions;
mod admin;
mod emote_pictures;
mod guests;
mod history;
mod media;
mod polls;
mod posts;
mod reviews;
mod site;
mod speak;
mod super_chats;
mod tokens;
mod tunnel;
