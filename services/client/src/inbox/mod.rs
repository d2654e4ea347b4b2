//! The inbox of a user: what arrives by mail, and what a client knows by it.
//!
//! A [`crate::Viewer`] whose configuration has `inbox` attaches to the mail of its token's user, and delivers
//! [`InboxNews`]. [`InboxBook`] keeps versions, unread numbers and what is missing; it has no I/O.

mod book;
#[cfg(test)]
mod vectors;

use barrage_protocol::mail::{Bell, Mail};

pub use book::{InboxBook, InboxStep};

/// News of the inbox on a viewer's connection.
#[derive(Debug, Clone)]
pub enum InboxNews {
    /// The connection is attached: ask for what came before.
    Attached,
    /// Changes of the inbox.
    Mail(Box<Mail>),
    /// The inbox has changed: ask for the changes.
    Bell(Bell),
}
