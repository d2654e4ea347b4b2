//! The courier: takes events of the lanes into the tables of the inbox, in order, each once.
//!
//! An accepted letter is durable in its lane, so that it waits while the courier or the database is down. The
//! position of a lane moves in the transaction that writes the rows: a crash loses no event and takes none
//! twice, and two couriers of one lane are harmless.

mod audit;
mod config;
mod courier;
mod error;
mod lane;
mod mail;
mod metrics;
mod retention;
mod sink;

pub use config::CourierConfig;
pub use courier::{Parts, Report, run};
pub use error::CourierError;
pub use mail::{MailQueue, Mailer};
pub use metrics::CourierMetrics;
pub use sink::{Batch, MailSink, NoMail};
