//! The reference of the protocol against the types, and the encodings of batches.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;
mod line_vectors;
mod wire;
