//! An open connection to a host.

use std::io;

use barrage_tls::{ClientStream, ClientTls};
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::request::{Answer, Outgoing};

/// Name of HTTP/2 in the TLS handshake.
const HTTP_2: &str = "h2";

/// Why a connection gives no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error(transparent)]
    Address(#[from] barrage_outbound::AddressError),
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error("the connection failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("the request has a header that none may have")]
    Request,
}

/// A connection that requests share, or one for a single request.
pub(super) enum Link {
    Shared(http2::SendRequest<Full<Bytes>>),
    Single(http1::SendRequest<Full<Bytes>>),
}

/// Returns TLS settings that offer HTTP/2, and HTTP/1.1 for services that have no other.
pub(super) fn offering(tls: &ClientTls) -> ClientTls {
    tls.offering(&[HTTP_2, "http/1.1"])
}

impl Link {
    /// Connects to the first address that answers, and verifies the certificate for `host`.
    pub(super) async fn open(
        addresses: &[std::net::SocketAddr],
        host: &str,
        tls: &ClientTls,
    ) -> Result<Self, LinkError> {
        let mut failed = io::Error::new(io::ErrorKind::AddrNotAvailable, "the name has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(LinkError::Connect)?;
                    let stream = tls.connect(host, stream).await.map_err(LinkError::Connect)?;
                    return Link::shake(stream).await;
                }
                Err(error) => failed = error,
            }
        }
        Err(LinkError::Connect(failed))
    }

    async fn shake(stream: ClientStream) -> Result<Self, LinkError> {
        let is_http_2 = stream.protocol() == Some(HTTP_2.as_bytes());
        let stream = TokioIo::new(stream);
        // The connection's task ends with the last sender, or with the connection.
        if is_http_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(async move { drop(connection.await) });
            return Ok(Link::Shared(sender));
        }
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(Link::Single(sender))
    }

    /// Sends a request and reads its answer.
    pub(super) async fn send(&mut self, outgoing: &Outgoing) -> Result<Answer, LinkError> {
        let mut request = outgoing.request().ok_or(LinkError::Request)?;
        let response = match self {
            Link::Shared(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Link::Single(sender) => {
                // HTTP/1.1 has the host in a header of its own, and the path alone in the first line.
                if let Some(authority) = outgoing.url.authority().and_then(|it| it.as_str().parse().ok()) {
                    request.headers_mut().insert(http::header::HOST, authority);
                }
                let path = outgoing.url.path_and_query().and_then(|path| path.as_str().parse().ok());
                *request.uri_mut() = path.unwrap_or_default();
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        Ok(Answer::read(response).await?)
    }
}
