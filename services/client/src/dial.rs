//! TCP and TLS connections for WebSockets, directly or through an HTTP proxy.

use barrage_tls::{ClientStream, ClientTls};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::address::{Book, Target, dial};
use crate::error::ConnectError;

/// Proxy that forwards plain requests, and opens tunnels with the method CONNECT.
#[derive(Clone)]
pub struct HttpProxy {
    url: reqwest::Url,
    requests: reqwest::Proxy,
}

/// The URL of a proxy that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("a proxy is a URL like http://proxy.example:3128: {0}")]
pub struct ProxyError(String);

impl HttpProxy {
    /// Parses the URL of a proxy, such as `http://proxy.example:3128`. A user name and a password in it are
    /// sent as Basic credentials.
    pub fn parse(url: &str) -> Result<Self, ProxyError> {
        let parsed = reqwest::Url::parse(url).map_err(|error| ProxyError(error.to_string()))?;
        if parsed.scheme() != "http" || !parsed.has_host() {
            return Err(ProxyError("the scheme is not http, or the host is missing".into()));
        }
        let requests = reqwest::Proxy::all(url).map_err(|error| ProxyError(error.to_string()))?;
        Ok(HttpProxy { url: parsed, requests })
    }

    pub(crate) fn for_requests(&self) -> reqwest::Proxy {
        self.requests.clone()
    }

    /// Returns the value of `Proxy-Authorization`, if the URL has a user name.
    fn authorization(&self) -> Option<String> {
        let user = self.url.username();
        let credentials = format!("{user}:{}", self.url.password().unwrap_or_default());
        (!user.is_empty()).then(|| format!("Basic {}", BASE64_STANDARD.encode(credentials)))
    }
}

impl std::fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the credentials of the URL.
        f.debug_tuple("HttpProxy").field(&self.url.host_str()).field(&self.url.port()).finish()
    }
}

/// Opens connections, with the authorities that they trust and the proxy that they go through.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    pub(crate) tls: ClientTls,
    pub(crate) proxy: Option<HttpProxy>,
    /// Addresses of hosts, as entry named them.
    pub(crate) book: Book,
}

impl Dialer {
    pub(crate) fn new(tls: ClientTls, proxy: Option<HttpProxy>) -> Self {
        Dialer { tls, proxy, book: Book::default() }
    }

    /// Whether a proxy makes the connections, and looks up the names.
    pub(crate) fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// Connects to a host, a name or an address. The caller bounds the time.
    pub(crate) async fn connect(
        &self,
        host: &str,
        port: u16,
        is_encrypted: bool,
    ) -> Result<ClientStream, ConnectError> {
        let Some(proxy) = &self.proxy else {
            return dial(&self.tls, &self.book, Target { host, port, is_encrypted }).await;
        };
        let stream = tunnel(proxy, &format!("{host}:{port}")).await?;
        match is_encrypted {
            true => self.tls.connect(host, stream).await.map_err(ConnectError::failed),
            false => Ok(ClientStream::Plain(stream)),
        }
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let stream =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(ConnectError::failed)?;
    stream.set_nodelay(true).map_err(ConnectError::failed)?;
    Ok(stream)
}

/// Asks the proxy for a tunnel to `authority`, and returns the connection once it is open.
async fn tunnel(proxy: &HttpProxy, authority: &str) -> Result<TcpStream, ConnectError> {
    let port = proxy.url.port_or_known_default().unwrap_or(80);
    let stream = tcp(proxy.url.host_str().unwrap_or_default(), port).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(ConnectError::failed)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to a proxy ended during its handshake");
        }
    });
    let mut request = Request::builder().method(Method::CONNECT).uri(authority).header("Host", authority);
    if let Some(credentials) = proxy.authorization() {
        request = request.header("Proxy-Authorization", credentials);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(ConnectError::failed)?;
    let mut response = sender.send_request(request).await.map_err(ConnectError::failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(ConnectError::Failed(format!("the proxy opens no tunnel: status {status}")));
    }
    let upgraded = hyper::upgrade::on(&mut response).await.map_err(ConnectError::failed)?;
    let parts = upgraded
        .downcast::<TokioIo<TcpStream>>()
        .map_err(|_| ConnectError::Failed("the tunnel has another stream than it began with".into()))?;
    // A server waits for the client's first bytes, on a WebSocket as well as with TLS.
    if !parts.read_buf.is_empty() {
        return Err(ConnectError::Failed("the proxy sent bytes of its own into the tunnel".into()));
    }
    Ok(parts.io.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_an_http_url_and_its_password_is_not_printed() {
        let proxy = HttpProxy::parse("http://ann:secret@proxy.example:3128").unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic YW5uOnNlY3JldA==");
        assert!(!format!("{proxy:?}").contains("secret"));
        assert!(HttpProxy::parse("http://proxy.example").unwrap().authorization().is_none());
        for wrong in ["socks5://proxy.example:1080", "proxy.example:3128", "http://"] {
            assert!(HttpProxy::parse(wrong).is_err(), "{wrong}");
        }
    }
}
