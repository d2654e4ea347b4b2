//! The server: listeners, the accept loop, TLS, and the layer in front of the router.

mod accept;
mod certificate;
mod crowd;
mod edge;
mod greeter;
mod listen;
mod listener;
mod refused;
mod serve;
mod tls;

pub use certificate::{certificate_end, is_issued_by};
pub use greeter::{Arrived, Greeted, Greeter};
pub use listen::{BACKLOG, listen};
pub use serve::{Front, ServeError, serve, serve_public};
pub use tls::{Tls, TlsError};
