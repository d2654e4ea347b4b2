//! Texts that people wrote: cleaning for viewers, and escaping for an operator's terminal.

mod clean;
mod printable;
mod timestamp;

#[doc(hidden)]
pub use clean::clean_text;
pub(crate) use clean::{CleanText, TextError};
pub(crate) use printable::{printable, printable_owned};
pub(crate) use timestamp::rfc3339;
