//! Uploads as values: what requests ask for, and what each is answered. No I/O and no clock.

mod checksum;
mod form;
mod head;
mod metadata;
mod patch;
mod rate_floor;
mod streams;

pub(crate) use checksum::{Algorithm, Checksum, Running};
pub(crate) use form::{Concat, Creation, creation, number, one};
pub(crate) use head::{Stage, UploadHead, UploadId};
#[cfg(test)]
pub(crate) use metadata::Metadata;
pub(crate) use patch::{Received, check_length, check_patch};
pub(crate) use rate_floor::{Pace, RateFloor};
pub(crate) use streams::{StreamKind, Streams};
