//! Connections to a host by its addresses, then by DNS, each under the host's name.

use std::net::IpAddr;
use std::time::Duration;

use barrage_tls::{ClientStream, ClientTls};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::book::Book;
use crate::error::ConnectError;

/// Silence of an address after which the next one is tried beside it: more than the round trips of TCP
/// and TLS on most paths, less than a viewer notices.
const NEXT_AFTER: Duration = Duration::from_millis(300);
/// Longest attempt at one address, with the TLS handshake.
const ATTEMPT_MAX: Duration = Duration::from_secs(5);

/// Host to connect to, and the name that its certificate must have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Whether TLS is spoken, with the host's name for SNI and the check of the certificate.
    pub(crate) is_encrypted: bool,
}

/// Connects to the first address that answers with the host's certificate: the addresses of the book in
/// order, then those of DNS. An address that fails is passed over by the next connections.
pub(crate) async fn dial(
    tls: &ClientTls,
    book: &Book,
    target: Target<'_>,
) -> Result<ClientStream, ConnectError> {
    let known = book.candidates(target.host, Instant::now());
    let mut rest = known.into_iter().map(Some).chain([None]).collect::<Vec<_>>().into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = ConnectError::Timeout;
    attempts.extend(rest.next().map(|address| attempt(tls, target, address)));
    loop {
        let silence = tokio::time::sleep(NEXT_AFTER);
        tokio::select! {
            done = attempts.next() => match done {
                None => return Err(last),
                Some((_, Ok(stream))) => return Ok(stream),
                Some((address, Err(error))) => {
                    if let Some(address) = address {
                        tracing::debug!(%error, %address, host = target.host, "an address of a host failed");
                        book.failed(target.host, address, Instant::now());
                    }
                    last = error;
                }
            },
            () = silence, if rest.len() > 0 => {}
        }
        attempts.extend(rest.next().map(|address| attempt(tls, target, address)));
    }
}

/// Connects to one address; `None` stands for those of DNS.
async fn attempt(
    tls: &ClientTls,
    target: Target<'_>,
    address: Option<IpAddr>,
) -> (Option<IpAddr>, Result<ClientStream, ConnectError>) {
    let connecting = async {
        let stream = match address {
            Some(address) => TcpStream::connect((address, target.port)).await,
            None => TcpStream::connect((target.host.trim_matches(['[', ']']), target.port)).await,
        };
        let stream = stream.map_err(ConnectError::failed)?;
        stream.set_nodelay(true).map_err(ConnectError::failed)?;
        match target.is_encrypted {
            true => tls.connect(target.host, stream).await.map_err(ConnectError::failed),
            false => Ok(ClientStream::Plain(stream)),
        }
    };
    let connected = tokio::time::timeout(ATTEMPT_MAX, connecting).await;
    (address, connected.unwrap_or(Err(ConnectError::Timeout)))
}
