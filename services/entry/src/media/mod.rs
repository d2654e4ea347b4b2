//! Media hosts for a client, and the size of the pieces that it uploads in. Pure.

mod config;
mod hosts;
mod pieces;

pub use config::{MediaHost, MediaHostsConfig, media_problems};
pub(crate) use hosts::hosts;
pub(crate) use pieces::piece_bytes;
