//! The streams of messages: their names, and reads of what they hold.

pub(crate) mod batch;
pub(crate) mod envelope;
pub(crate) mod gate;
pub(crate) mod last;
pub(crate) mod names;
pub(crate) mod partition;
pub(crate) mod places;
pub(crate) mod reader;
pub(crate) mod ring;
pub(crate) mod streams;
pub(crate) mod tail;
