//! The upgrade request and its answer, around `fastwebsockets` and hyper.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper::upgrade::{OnUpgrade, Upgraded};

/// The request is no handshake: its key is missing, or its version is not 13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no WebSocket handshake: send Sec-WebSocket-Key, and Sec-WebSocket-Version: 13")]
pub struct NotAHandshake;

/// Connection that changes from HTTP to WebSocket once its answer is sent.
#[derive(Debug)]
pub struct Upgrade(OnUpgrade);

impl Upgrade {
    /// Waits until hyper has sent the answer. Returns the stream behind it, with the bytes that
    /// came early; an error when the connection failed before.
    pub async fn stream(self) -> hyper::Result<Upgraded> {
        self.0.await
    }
}

/// Answers a handshake: the 101 answer, and the connection that it upgrades.
///
/// The caller checks `Origin`, `Connection` and `Upgrade` before, and adds
/// `Sec-WebSocket-Protocol` to the answer.
pub fn accept<B>(request: &mut Request<B>) -> Result<(Response<Empty<Bytes>>, Upgrade), NotAHandshake> {
    let upgrade = Upgrade(hyper::upgrade::on(&mut *request));
    let (answer, _) = fastwebsockets::upgrade::upgrade(&mut *request).map_err(|_| NotAHandshake)?;
    Ok((answer, upgrade))
}

/// Header fields of the 101 answer to a handshake that no HTTP server has read.
pub fn answer_headers(headers: HeaderMap) -> Result<HeaderMap, NotAHandshake> {
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let (answer, _) = fastwebsockets::upgrade::upgrade(&mut request).map_err(|_| NotAHandshake)?;
    Ok(answer.into_parts().0.headers)
}

/// Makes a random `Sec-WebSocket-Key` for a client's handshake.
#[must_use]
pub fn generate_key() -> String {
    fastwebsockets::handshake::generate_key()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_gets_its_answer() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-version", "13".parse().unwrap());
        assert_eq!(answer_headers(headers.clone()).unwrap_err(), NotAHandshake);
        headers.insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        let answer = answer_headers(headers).unwrap();
        assert_eq!(answer["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(
            (&answer["connection"], &answer["upgrade"]),
            (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
        );
    }
}
