//! One connection: its socket, its deadlines, and HTTP/1.1 over it.

mod activity;
mod context;
mod guard;
mod http1;
mod log_bound;
mod span;
mod transport;

pub(crate) use activity::Activities;
pub(crate) use context::ConnectionContext;
pub use guard::{ConnectionPermit, GuardedStream};
pub(crate) use http1::serve;
pub(crate) use log_bound::LogBound;
pub(crate) use span::record_route;
pub use transport::{Counted, Transport};
