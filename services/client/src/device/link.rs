//! One connection to `/v1/inbox/ws`, and the endpoint that opens it.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::frame::{ClientFrame, ServerFrame};
use barrage_protocol::mail::{Attached, InboxConnection};
use barrage_protocol::{UserId, WireEncoding};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use super::config::DeviceConfig;
use crate::error::ConnectError;
use crate::http::HttpPool;
use crate::link::ws::{Socket, Upgrade};
use crate::link::{Incoming, Tasks};
use crate::source::{self, Purpose, Question};

/// Endpoints that one attempt to connect tries; the others of entry's answer are left for the next attempt.
const ENDPOINTS_MAX: usize = 4;
/// Silence of an endpoint after which the next one is tried beside it.
const NEXT_ENDPOINT_AFTER: Duration = Duration::from_secs(1);

/// An open connection that is attached to the mail of its token's user.
#[derive(Debug)]
pub(super) struct DeviceLink {
    pub(super) user: UserId,
    pub(super) terms: InboxConnection,
    pub(super) incoming: mpsc::Receiver<Incoming>,
    outgoing: mpsc::Sender<ClientFrame>,
    _tasks: Tasks,
}

impl DeviceLink {
    /// Queues a frame for the server. A full queue drops the frame: the connection does not move, and its heartbeat ends
    /// it.
    pub(super) fn send(&self, frame: ClientFrame) {
        if self.outgoing.try_send(frame).is_err() {
            tracing::debug!("a frame is dropped because the connection does not move");
        }
    }
}

/// An open connection, with the answer of entry that led to it; `None` after a `reconnect` frame.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) link: DeviceLink,
    pub(super) answer: Option<EntryAnswer>,
}

/// Connects to a named endpoint if there is one, else through entry. The result borrows nothing, so that it may run beside
/// an open connection.
pub(super) async fn open(
    pool: HttpPool,
    config: Arc<DeviceConfig>,
    named: Vec<Endpoint>,
) -> Result<Found, ConnectError> {
    if !named.is_empty()
        && let Ok(link) = first(&pool, &config, &named).await
    {
        return Ok(Found { link, answer: None });
    }
    let question = Question {
        entry_url: &config.entry_url,
        config: &config.sources,
        embedded: config.fallback.as_ref(),
        room: None,
        purpose: Purpose::Watch,
    };
    let answer = source::ask(&pool, question).await?;
    let link = first(&pool, &config, &answer.downlinks).await?;
    Ok(Found { link, answer: Some(answer) })
}

/// Connects to the first endpoint that succeeds. The next one is tried when one fails or is silent.
async fn first(
    pool: &HttpPool,
    config: &DeviceConfig,
    list: &[Endpoint],
) -> Result<DeviceLink, ConnectError> {
    let mut urls = Vec::new();
    for endpoint in list {
        if endpoint.transport == Transport::Ws && urls.len() < ENDPOINTS_MAX {
            urls.push(of_inbox(&endpoint.url));
        }
    }
    let mut rest = urls.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = ConnectError::Failed("entry named no WebSocket".into());
    attempts.extend(rest.next().map(|url| connect(pool, config, url)));
    loop {
        tokio::select! {
            connected = attempts.next() => match connected {
                None => return Err(last),
                Some(Ok(link)) => return Ok(link),
                Some(Err(error)) => {
                    let is_final = matches!(&error, ConnectError::Refused(refusal) if refusal.code.advice() == Advice::Never);
                    last = error;
                    if is_final {
                        return Err(last);
                    }
                }
            },
            () = tokio::time::sleep(NEXT_ENDPOINT_AFTER), if rest.len() > 0 => {}
        }
        attempts.extend(rest.next().map(|url| connect(pool, config, url)));
    }
}

/// Returns the URL of the inbox at the gateway of an endpoint. Endpoints that a gateway named are of the inbox already.
fn of_inbox(url: &str) -> String {
    url.replacen("/rooms/{room}/", "/inbox/", 1)
}

async fn connect(pool: &HttpPool, config: &DeviceConfig, url: String) -> Result<DeviceLink, ConnectError> {
    let opening = attach(pool, config, &url);
    let opened = tokio::time::timeout(config.connect_timeout, opening).await;
    let opened = opened.unwrap_or(Err(ConnectError::Timeout));
    opened.inspect_err(|error| tracing::debug!(%error, url, "a connect to an endpoint failed"))
}

/// Connects, and waits for the first frame.
async fn attach(pool: &HttpPool, config: &DeviceConfig, url: &str) -> Result<DeviceLink, ConnectError> {
    let mut url = reqwest::Url::parse(url).map_err(ConnectError::failed)?;
    if let Some(facts) = &config.facts {
        let json = serde_json::to_string(facts).expect("facts are plain data");
        url.query_pairs_mut().append_pair("client", &json);
    }
    let upgrade = Upgrade {
        url: url.as_str(),
        encodings: &[WireEncoding::Json, WireEncoding::Deflate],
        ticket: None,
        token: Some(&config.token),
    };
    let Socket { mut incoming, outgoing, tasks, .. } = Socket::connect(&pool.dialer, upgrade).await?;
    loop {
        match incoming.recv().await {
            Some(Incoming::Frame(ServerFrame::Attached(Attached { user, connection: Some(terms) }))) => {
                return Ok(DeviceLink { user, terms, incoming, outgoing, _tasks: tasks });
            }
            Some(Incoming::Frame(ServerFrame::Error(refusal))) => return Err(ConnectError::Refused(refusal)),
            Some(Incoming::Frame(_) | Incoming::Alive) => {}
            Some(Incoming::Closed { message, .. }) => return Err(ConnectError::Failed(message)),
            None => return Err(ConnectError::Failed("the connection ended".into())),
        }
    }
}
