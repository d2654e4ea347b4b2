//! The limit of an uplink: a bare hyper service that parses the same posts and answers in the same form,
//! without any check and without a log.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use barrage_protocol::Sequence;
use barrage_protocol::post::{Outcome, Post, PostAnswer};
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use crate::fanout::on_line;

#[derive(Args)]
pub(crate) struct PostLimit {}

impl PostLimit {
    /// Serves until standard input ends, on a runtime like the server's.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        on_line(|| {});
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            println!("{}", json!({ "address": listener.local_addr()?.to_string() }));
            let sequences = Arc::new(AtomicU64::new(1));
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let sequences = Arc::clone(&sequences);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, &sequences));
                    // A client that has ended is no failure.
                    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
    }
}

/// Parses a post and answers it as an uplink does.
async fn answer(
    request: Request<Incoming>,
    sequences: &AtomicU64,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let parsed = match request.into_body().collect().await {
        Ok(body) => serde_json::from_slice::<Post>(&body.to_bytes()).is_ok(),
        Err(_) => false,
    };
    if !parsed {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    }
    let answer = PostAnswer {
        outcome: Outcome::Broadcast,
        sequence: Some(Sequence(sequences.fetch_add(1, Ordering::Relaxed))),
        limit: None,
        review: None,
        trace: None,
        vote: None,
    };
    let mut response = Response::new(Full::from(serde_json::to_vec(&answer).unwrap()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
