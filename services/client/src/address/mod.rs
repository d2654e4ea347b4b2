//! Connections to hosts by addresses that entry named, before DNS is asked.

mod book;
mod connector;
mod dial;

pub(crate) use self::book::{Addresses, Book};
pub(crate) use self::connector::builder;
pub(crate) use self::dial::{Target, dial};
