//! The limit of reads: hyper on one thread, which answers every request with the bytes of a file.

use std::convert::Infallible;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Response, header::HeaderValue};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

#[derive(Args)]
pub(crate) struct PageLimit {
    /// File with the bytes of the answer.
    #[arg(long)]
    body: PathBuf,
}

impl PageLimit {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let body = Bytes::from(std::fs::read(&self.body)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, async move {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            println!("{}", json!({ "address": listener.local_addr()?.to_string() }));
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let body = body.clone();
                let answer = service_fn(move |_| {
                    let mut response = Response::new(Full::new(body.clone()));
                    *response.headers_mut() =
                        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::task::spawn_local(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
                });
            }
        })
    }
}
