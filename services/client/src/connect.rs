//! From a wish to watch to an open connection: entry, race, then every endpoint in
//! turn, by transport.

use std::time::Duration;

use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::{Code, Sequence};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::link::Link;
use crate::viewer::from_ms;
use crate::{endpoints, poll, race, sse, ws};

/// An endpoint that is silent for so long gets company: a gateway that waits for the bus
/// must not cost the viewer its whole timeout.
const NEXT_AFTER: Duration = Duration::from_millis(1_000);

/// What every endpoint of one connect is told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish<'a> {
    /// Resume after this position.
    pub(crate) after: Option<Sequence>,
    /// For the streams' URLs.
    pub(crate) ticket: Option<&'a str>,
}

/// How long to wait before connecting by entry's answer; `None` where there is no queue.
pub(crate) fn turn(answer: &EntryAnswer) -> Option<Duration> {
    answer.ticket.as_ref().map(|ticket| from_ms(ticket.wait_ms))
}

/// Asks entry, waits for its moment if there is one, and connects.
pub(crate) async fn by_entry(
    http: &reqwest::Client,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let answer = endpoints::ask(http, config).await?;
    if let Some(wait) = turn(&answer) {
        tokio::time::sleep(wait).await;
    }
    by_answer(http, config, &answer, after).await
}

/// Connects as entry said. A ticket that is early by this gateway's clock is shown once
/// more; it keeps its place.
pub(crate) async fn by_answer(
    http: &reqwest::Client,
    config: &ViewerConfig,
    answer: &EntryAnswer,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let ticket = answer.ticket.as_ref().map(|ticket| ticket.token.as_str());
    let wish = Wish { after, ticket };
    match race_and_connect(http, config, answer, wish).await {
        Err(ConnectError::Refused(refusal)) if refusal.code == Code::TooEarly => {
            tokio::time::sleep(from_ms(refusal.retry_after_ms.unwrap_or(1_000))).await;
            race_and_connect(http, config, answer, wish).await
        }
        connected => connected,
    }
}

async fn race_and_connect(
    http: &reqwest::Client,
    config: &ViewerConfig,
    answer: &EntryAnswer,
    wish: Wish<'_>,
) -> Result<Link, ConnectError> {
    let mut last = ConnectError::Failed("entry named no endpoint".into());
    for transport in &config.transports {
        let mut list = endpoints::of(&answer.downlinks, *transport);
        if *transport == Transport::Ws && config.race {
            list = race::run(http, &config.entry_url, answer, list).await;
        }
        match first_of(http, config, &list, wish).await {
            Ok(Some(link)) => return Ok(link),
            Ok(None) => {}
            // A server that refuses was reached: another transport would be refused too.
            Err(ConnectError::Refused(refusal)) if !is_misunderstood(refusal.code) => {
                return Err(ConnectError::Refused(refusal));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to one of the endpoints that a `reconnect` frame named.
pub(crate) async fn to_named(
    http: &reqwest::Client,
    config: &ViewerConfig,
    named: &[Endpoint],
    after: Option<Sequence>,
) -> Option<Link> {
    for transport in &config.transports {
        let list = endpoints::of(named, *transport);
        let wish = Wish { after, ticket: None };
        if let Ok(Some(link)) = first_of(http, config, &list, wish).await {
            return Some(link);
        }
    }
    None
}

/// The endpoint that is connected first. They are tried in turn, the next one when one
/// has failed or has not answered for a while, which is not held against it; `None` when
/// the list is empty.
async fn first_of(
    http: &reqwest::Client,
    config: &ViewerConfig,
    list: &[Endpoint],
    wish: Wish<'_>,
) -> Result<Option<Link>, ConnectError> {
    let mut rest = list.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = Ok(None);
    attempts.extend(rest.next().map(|endpoint| connect(http, config, endpoint, wish)));
    loop {
        let patience = tokio::time::sleep(NEXT_AFTER);
        tokio::select! {
            connected = attempts.next() => match connected {
                None => return last,
                Some(Ok(link)) => return Ok(Some(link)),
                Some(Err(error)) if is_final(&error) => return Err(error),
                // A refusal says more than an endpoint that is away.
                Some(Err(_)) if matches!(last, Err(ConnectError::Refused(_))) => {}
                Some(Err(error)) => last = Err(error),
            },
            () = patience, if rest.len() > 0 => {}
        }
        attempts.extend(rest.next().map(|endpoint| connect(http, config, endpoint, wish)));
    }
}

async fn connect(
    http: &reqwest::Client,
    config: &ViewerConfig,
    endpoint: &Endpoint,
    wish: Wish<'_>,
) -> Result<Link, ConnectError> {
    let began = Instant::now();
    let connected = match endpoint.transport {
        Transport::Ws => ws::connect(endpoint, config, wish).await,
        Transport::Sse => sse::connect(http, endpoint, config, wish).await,
        Transport::Poll => poll::connect(http, endpoint, config, wish.after).await,
    };
    connected.inspect_err(|error| {
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(%error, url = endpoint.url, ms, "an endpoint could not be connected");
    })
}

/// Whether no other endpoint would say otherwise.
fn is_final(error: &ConnectError) -> bool {
    let ConnectError::Refused(refusal) = error else { return false };
    match refusal.code {
        Code::TooEarly | Code::TicketExpired | Code::BadTicket => true,
        code => code.advice() == Advice::Never && !is_misunderstood(code),
    }
}

/// What a server says whom a proxy on the way has not told the whole request.
fn is_misunderstood(code: Code) -> bool {
    matches!(code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed)
}
