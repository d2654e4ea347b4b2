//! Instant uploads: a client that has a file which is here already proves it, and sends no bytes.
//!
//! A digest is no proof: it may be known without the file. The client answers for three ranges of the file that the
//! server chooses. The server keeps answers and not the file: of a picture it has no uploaded byte.

mod answers;
mod challenge;

pub(crate) use answers::{ANSWERS, Answers};
pub(crate) use challenge::{CHALLENGES, Challenge, challenge};
