//! Delivery: signed addresses, ranges, and the header fields of an answer. No I/O but the reading of keys.

mod address;
mod conditions;
mod headers;

pub use address::AddressKeys;
pub(crate) use address::{AddressQuery, SignedPath};
pub(crate) use conditions::{Conditions, Wanted, wanted};
pub(crate) use headers::{Described, describe};
