//! A socket of any kind.

use tokio::io::{AsyncRead, AsyncWrite};

/// A socket, with TLS or without.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}
