//! The role push: sends notifications to devices of users who do not look.
//!
//! The courier writes what waits in the transaction of the letter. `queue` takes rows that are due, under a lease, so that
//! several processes share them and a killed one loses none. `barrage-push` decides what becomes of a row and makes the
//! messages; `sender` puts them into requests for each service, and `exchange` has one HTTP/2 connection for each of its
//! hosts, with a deadline, a breaker and a bound. `campaign` tells the followers of a host who is live, at the pace at
//! which the entry admits viewers.

mod badges;
mod campaign;
mod config;
mod dispatch;
mod error;
mod exchange;
mod metrics;
mod note;
mod pace;
mod presence;
mod queue;
mod run;
mod sender;

pub use config::{ApnsConfig, FcmConfig, LiveConfig, PushConfig, VendorConfig};
pub use error::NotifierError;
pub use metrics::NotifierMetrics;
pub use presence::{Announced, Presence, Unknown};
pub use run::{Parts, Report, run};
