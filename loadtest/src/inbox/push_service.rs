//! The push service of browsers that a run plays: HTTP/2 with TLS, on one address.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Moment;
use crate::error::LoadtestError;
use crate::run::PushService;

/// Largest body that browsers' services take.
const BODY_BYTES_MAX: usize = 4_096;
/// Notifications that the run has not looked at. Beyond, the service answers 503, and the server sends again.
const PENDING_MAX: usize = 16_384;

/// Notification of a device, by its number, and the time of its arrival.
pub(super) type Pushed = (u32, Moment);

/// A running service, which ends when the value is dropped.
#[derive(Debug)]
pub(super) struct Service {
    /// Address of a device is this and its number.
    base: String,
    pub(super) pushed: mpsc::Receiver<Pushed>,
    serving: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Service {
    /// Starts the service with a certificate for its host.
    pub(super) async fn start(options: &PushService) -> Result<Service, LoadtestError> {
        let (PushService { cert: Some(cert), key: Some(key), .. }, tls) = (options, ServerConfig::builder())
        else {
            return Err(LoadtestError::Usage(
                "a host who goes live needs --push-cert and --push-key: the push service that the run plays speaks https, \
                 and the server must trust its certificate (BARRAGE_CA_FILE)"
                    .into(),
            ));
        };
        let wrong = |path: &Path, error: &dyn std::fmt::Display| {
            LoadtestError::cannot(format!("{}: {error}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| wrong(cert, &error))?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
        let tls = tls.with_no_client_auth().with_single_cert(chain, secret);
        let mut tls = tls.map_err(|error| wrong(cert, &error))?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let cannot = |error| LoadtestError::cannot_run("the push service of the run cannot listen", error);
        let listener = TcpListener::bind(options.listen).await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        let (sender, pushed) = mpsc::channel(PENDING_MAX);
        let serving = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), sender));
        Ok(Service { base: format!("https://{}:{port}/push/", options.host), pushed, serving })
    }

    /// Returns the address of a device, for its registration.
    pub(super) fn endpoint(&self, device: u32) -> String {
        format!("{}{device}", self.base)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, sender: mpsc::Sender<Pushed>) {
    // Connections end with this task. The server opens one for each process.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = hyper::service::service_fn(move |request| take(request, sender.clone()));
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            // A connection that breaks is opened again by the server.
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn take(
    request: Request<Incoming>,
    sender: mpsc::Sender<Pushed>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let now = Moment::now();
    let (head, body) = request.into_parts();
    let is_whole = Limited::new(body, BODY_BYTES_MAX).collect().await.is_ok();
    let device = head.uri.path().strip_prefix("/push/").and_then(|device| device.parse().ok());
    let status = match device {
        _ if !is_whole => StatusCode::PAYLOAD_TOO_LARGE,
        None => StatusCode::NOT_FOUND,
        Some(device) => match sender.try_send((device, now)) {
            Ok(()) => StatusCode::CREATED,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        },
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}
