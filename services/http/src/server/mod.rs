//! The server: listeners, the accept loop, TLS, and the layer in front of the router.

mod accept;
mod edge;
mod greeter;
mod listen;
mod refused;
mod serve;
mod tls;

pub use greeter::{Arrived, Greeted, Greeter};
pub use listen::listen;
pub use serve::{Front, ServeError, serve, serve_public};
pub use tls::{Tls, TlsError};
