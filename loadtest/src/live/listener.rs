//! The HTTP listener for scrapes: every path answers with all metrics.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use barrage_exposition::Format;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::Live;
use crate::error::LoadtestError;

/// Scrapers that may be connected at the same time; further ones wait in the backlog.
const CONNECTIONS_MAX: usize = 8;
/// Longest wait for a request.
const REQUEST_MAX: Duration = Duration::from_secs(10);

/// Serves scrapes in the background until it is dropped.
#[derive(Debug)]
pub struct Listener {
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds an address and serves the metrics of a run there.
    pub async fn start(address: SocketAddr, live: Live) -> Result<Listener, LoadtestError> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            LoadtestError::cannot_run(format!("--metrics-listen cannot listen on {address}"), error)
        })?;
        Ok(Listener { task: tokio::spawn(accept(listener, live)) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, live: Live) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, live.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, live: Live) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
        let format = Format::of(accept.unwrap_or_default());
        let body = Full::new(Bytes::from(live.text(format)));
        let answer = Response::builder().header(CONTENT_TYPE, format.content_type()).body(body);
        async move { Ok::<_, Infallible>(answer.expect("constant header")) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(REQUEST_MAX);
    // A scraper that goes away is no error of the run.
    drop(server.serve_connection(TokioIo::new(stream), answer).await);
}
