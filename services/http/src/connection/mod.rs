//! One connection: its socket, its deadlines, and HTTP/1.1 or HTTP/2 over it.

mod activity;
mod answer_body;
mod context;
mod direct;
mod exchange;
mod frame_meter;
mod guard;
mod http1;
mod http2;
mod log_bound;
mod serve;
mod span;
mod tls_session;
mod tls_stream;
mod transport;

pub(crate) use activity::Activities;
pub(crate) use context::ConnectionContext;
pub use direct::{DirectAnswer, DirectRequest, DirectRoute};
pub use frame_meter::meter_frames;
pub use guard::{ConnectionPermit, GuardedStream};
pub(crate) use log_bound::LogBound;
pub(crate) use serve::serve;
pub(crate) use span::record_route;
pub use span::record_trace;
pub use tls_session::{RECORD_BYTES_MAX, TlsSession};
pub use tls_stream::TlsStream;
pub use transport::Transport;
