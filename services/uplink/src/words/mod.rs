//! The words of rooms: rules that hosts and moderators edit live, compiled once for each change.

mod control;
mod form;

pub(crate) use control::{WordsControl, WordsParts};
