//! Delivery: ranges, and the header fields of an answer. Pure.

mod conditions;
mod headers;

pub(crate) use conditions::{Conditions, Wanted, wanted};
pub(crate) use headers::{Described, describe};
