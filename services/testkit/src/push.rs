//! Plays push services: Web Push, APNs and FCM, over HTTP/2 with TLS on one address.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use barrage_tls::ClientTls;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Longest age of a token of APNs, in seconds.
const APNS_TOKEN_SECS: u64 = 3_600;

/// A request as the service got it.
#[derive(Debug, Clone)]
pub struct PushRequest {
    /// Path with its query.
    pub path: String,
    /// Headers in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body as it came.
    pub body: Bytes,
    /// Unix time of its arrival in milliseconds.
    pub at_ms: u64,
}

/// What the service answers.
#[derive(Debug, Clone, Default)]
pub struct PushAnswer {
    /// HTTP status of the answer.
    pub status: u16,
    /// Value of `retry-after`, if any.
    pub retry_after: Option<String>,
    /// Body of the answer.
    pub body: String,
    /// Time before the answer.
    pub after: Duration,
}

type Rule = Box<dyn Fn(&PushRequest) -> Option<PushAnswer> + Send>;

/// A service on a free port of this machine, which ends when the value is dropped. Its certificate is one of
/// [`crate::certificates`].
pub struct PushServices {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<PushRequest>>,
    connections: AtomicUsize,
    rule: Mutex<Option<Rule>>,
}

impl fmt::Debug for PushServices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushServices").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for PushServices {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl PushAnswer {
    /// An answer without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        PushAnswer { status, ..PushAnswer::default() }
    }

    /// An answer of APNs with a reason.
    #[must_use]
    pub fn reason(status: u16, reason: &str) -> Self {
        PushAnswer { status, body: format!("{{\"reason\":\"{reason}\"}}"), ..PushAnswer::default() }
    }
}

impl PushServices {
    /// Starts the services with `cert.pem` and `key.pem` of a folder, which name `localhost`.
    pub async fn start(folder: &Path) -> PushServices {
        ClientTls::make_ring_default();
        let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let mut tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let serving = tokio::spawn(serve(listener, acceptor, Arc::clone(&state)));
        PushServices { address, state, serving }
    }

    /// Returns the base URL of the services.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Returns the requests that came so far.
    #[must_use]
    pub fn requests(&self) -> Vec<PushRequest> {
        self.state.requests.lock().clone()
    }

    /// Returns the number of connections that were made so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Lets a rule answer requests from now on; those that it leaves open are answered as the services do.
    pub fn answer(&self, rule: impl Fn(&PushRequest) -> Option<PushAnswer> + Send + 'static) {
        *self.state.rule.lock() = Some(Box::new(rule));
    }

    /// Answers all requests as the services do.
    pub fn answer_as_usual(&self) {
        *self.state.rule.lock() = None;
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<State>) {
    // Connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            state.connections.fetch_add(1, Ordering::Relaxed);
            let service = hyper::service::service_fn(move |request| take(request, Arc::clone(&state)));
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            drop(builder.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn take(request: Request<Incoming>, state: Arc<State>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers = head.headers.iter();
    let headers = headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let request = PushRequest {
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: headers.collect(),
        body,
        at_ms: barrage_clock::unix_ms(),
    };
    // APNs names each notification in its answer: with the sender's id, or one of its own.
    let own_id = || "123e4567-e89b-12d3-a456-426655440000".to_owned();
    let is_apns = request.path.starts_with("/3/device/");
    let apns_id = is_apns.then(|| request.headers.get("apns-id").cloned().unwrap_or_else(own_id));
    let ruled = state.rule.lock().as_ref().and_then(|rule| rule(&request));
    let answer = ruled.unwrap_or_else(|| usual(&request));
    state.requests.lock().push(request);
    tokio::time::sleep(answer.after).await;
    let mut response = Response::builder().status(answer.status);
    if let Some(id) = apns_id {
        response = response.header("apns-id", id);
    }
    if let Some(wait) = answer.retry_after {
        response = response.header("retry-after", wait);
    }
    Ok(response.body(Full::new(answer.body.into())).unwrap())
}

/// Answers as the services do, with their checks of a request's form.
fn usual(request: &PushRequest) -> PushAnswer {
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    if request.path == "/token" {
        let body = r#"{"access_token":"access","expires_in":3599,"token_type":"Bearer"}"#.to_owned();
        return PushAnswer { status: 200, body, ..PushAnswer::default() };
    }
    if request.path.starts_with("/v1/projects/") {
        return match header("authorization") {
            "Bearer access" => PushAnswer::status(200),
            _ => PushAnswer::status(401),
        };
    }
    if let Some(token) = request.path.strip_prefix("/3/device/") {
        return apns(request, token);
    }
    if request.path.starts_with("/vendor/") {
        let is_json = serde_json::from_slice::<serde_json::Value>(&request.body).is_ok();
        return match (header("authorization"), is_json) {
            ("", _) => PushAnswer::status(401),
            (_, true) => PushAnswer::status(200),
            (_, false) => PushAnswer::status(400),
        };
    }
    // Web Push: RFC 8030 requires a time to live, RFC 8188 names the coding, and RFC 8292 the sender.
    let is_signed = header("authorization").starts_with("vapid t=");
    if header("ttl").parse::<u32>().is_err() || header("content-encoding") != "aes128gcm" {
        PushAnswer::status(400)
    } else if is_signed {
        PushAnswer::status(201)
    } else {
        PushAnswer::status(401)
    }
}

/// Answers as Apple's page "Handling notification responses from APNs" lists the statuses and reasons.
fn apns(request: &PushRequest, token: &str) -> PushAnswer {
    let header = |name: &str| request.headers.get(name).map_or("", String::as_str);
    let Some(signed) = header("authorization").strip_prefix("bearer ") else {
        return PushAnswer::reason(403, "MissingProviderToken");
    };
    let Some(claims) = claims(signed).filter(|claims| claims["iss"].is_string()) else {
        return PushAnswer::reason(403, "InvalidProviderToken");
    };
    let issued_secs = claims["iat"].as_u64().unwrap_or(0);
    if issued_secs.abs_diff(barrage_clock::unix_ms() / 1_000) > APNS_TOKEN_SECS {
        return PushAnswer::reason(403, "ExpiredProviderToken");
    }
    let is_token = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_json = serde_json::from_slice::<serde_json::Value>(&request.body).is_ok_and(|it| it.is_object());
    let expires = header("apns-expiration");
    match () {
        () if token.is_empty() => PushAnswer::reason(400, "MissingDeviceToken"),
        () if header("apns-topic").is_empty() => PushAnswer::reason(400, "MissingTopic"),
        () if header("apns-collapse-id").len() > 64 => PushAnswer::reason(400, "BadCollapseId"),
        () if !["", "1", "5", "10"].contains(&header("apns-priority")) => {
            PushAnswer::reason(400, "BadPriority")
        }
        () if !["", "alert", "background"].contains(&header("apns-push-type")) => {
            PushAnswer::reason(400, "InvalidPushType")
        }
        () if !expires.is_empty() && expires.parse::<u64>().is_err() => {
            PushAnswer::reason(400, "BadExpirationDate")
        }
        () if !is_token => PushAnswer::reason(400, "BadDeviceToken"),
        () if request.body.is_empty() || !is_json => PushAnswer::reason(400, "PayloadEmpty"),
        () if request.body.len() > 4_096 => PushAnswer::reason(413, "PayloadTooLarge"),
        () => PushAnswer::status(200),
    }
}

/// Returns the claims of a signed token, which is not verified here.
fn claims(jwt: &str) -> Option<serde_json::Value> {
    use base64::Engine;
    let part = jwt.split('.').nth(1)?;
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
