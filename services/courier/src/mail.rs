//! Live mail: tells attached users of changes that were committed.
//!
//! [`Mailer`] is the task with the queues and clocks. Everything that it decides is in [`desk::Desk`], which has
//! no I/O. Mail may be lost at any step: a loss is noticed by the numbers of envelopes, and users then synchronise.

mod attached;
mod chains;
mod desk;
mod frames;
mod groups;
mod mailer;
mod queue;
mod told;

pub use mailer::Mailer;
pub use queue::MailQueue;
