//! Opens a connection: asks entry, races endpoints, then tries each endpoint, one transport after the
//! other.

mod entry;
mod race;

use std::time::Duration;

use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::{Code, Sequence};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::from_ms;
use crate::link::{JoinRequest, Link, poll, sse, ws};

pub(crate) use self::entry::ask;

/// Silence of an endpoint after which the next one is tried as well: a gateway that waits for the bus
/// must not cost the viewer the whole timeout.
const NEXT_ENDPOINT_AFTER: Duration = Duration::from_millis(1_000);

/// Returns the wait until the slot of the ticket; `None` without a queue.
pub(crate) fn wait_for_slot(answer: &EntryAnswer) -> Option<Duration> {
    answer.ticket.as_ref().map(|ticket| from_ms(ticket.wait_ms))
}

/// Asks entry, waits for the slot of a ticket, and connects.
pub(crate) async fn by_entry(
    http: &reqwest::Client,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let answer = entry::ask(http, config).await?;
    if let Some(wait) = wait_for_slot(&answer) {
        tokio::time::sleep(wait).await;
    }
    by_answer(http, config, &answer, after).await
}

/// Connects to an endpoint of an answer. A ticket that is early by the clock of the gateway is shown a
/// second time; it keeps its slot.
pub(crate) async fn by_answer(
    http: &reqwest::Client,
    config: &ViewerConfig,
    answer: &EntryAnswer,
    after: Option<Sequence>,
) -> Result<Link, ConnectError> {
    let ticket = answer.ticket.as_ref().map(|ticket| ticket.token.as_str());
    let join = JoinRequest { after, ticket };
    match race_and_connect(http, config, answer, join).await {
        Err(ConnectError::Refused(refusal)) if refusal.code == Code::TooEarly => {
            tokio::time::sleep(from_ms(refusal.retry_after_ms.unwrap_or(1_000))).await;
            race_and_connect(http, config, answer, join).await
        }
        connected => connected,
    }
}

async fn race_and_connect(
    http: &reqwest::Client,
    config: &ViewerConfig,
    answer: &EntryAnswer,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let mut last = ConnectError::Failed("entry named no endpoint".into());
    for transport in &config.transports {
        let mut list = entry::of(&answer.downlinks, *transport);
        if *transport == Transport::Ws && config.race {
            list = race::run(http, &config.entry_url, answer, list).await;
        }
        match first_of(http, config, &list, join).await {
            Ok(Some(link)) => return Ok(link),
            Ok(None) => {}
            // The server was reached, and would refuse another transport too.
            Err(ConnectError::Refused(refusal)) if !is_misunderstood(refusal.code) => {
                return Err(ConnectError::Refused(refusal));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Connects to an endpoint of a `reconnect` frame; `None` when none of them is open.
pub(crate) async fn to_named(
    http: &reqwest::Client,
    config: &ViewerConfig,
    named: &[Endpoint],
    after: Option<Sequence>,
) -> Option<Link> {
    for transport in &config.transports {
        let list = entry::of(named, *transport);
        let join = JoinRequest { after, ticket: None };
        if let Ok(Some(link)) = first_of(http, config, &list, join).await {
            return Some(link);
        }
    }
    None
}

/// Connects to the first endpoint that succeeds. The next endpoint is tried when one fails or is silent
/// for a while; a silent one may still succeed. Returns `None` for an empty list.
async fn first_of(
    http: &reqwest::Client,
    config: &ViewerConfig,
    list: &[Endpoint],
    join: JoinRequest<'_>,
) -> Result<Option<Link>, ConnectError> {
    let mut rest = list.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = Ok(None);
    attempts.extend(rest.next().map(|endpoint| connect(http, config, endpoint, join)));
    loop {
        let silence = tokio::time::sleep(NEXT_ENDPOINT_AFTER);
        tokio::select! {
            connected = attempts.next() => match connected {
                None => return last,
                Some(Ok(link)) => return Ok(Some(link)),
                Some(Err(error)) if is_final(&error) => return Err(error),
                // A refusal is more specific than an endpoint that does not answer.
                Some(Err(_)) if matches!(last, Err(ConnectError::Refused(_))) => {}
                Some(Err(error)) => last = Err(error),
            },
            () = silence, if rest.len() > 0 => {}
        }
        attempts.extend(rest.next().map(|endpoint| connect(http, config, endpoint, join)));
    }
}

async fn connect(
    http: &reqwest::Client,
    config: &ViewerConfig,
    endpoint: &Endpoint,
    join: JoinRequest<'_>,
) -> Result<Link, ConnectError> {
    let began = Instant::now();
    let connected = match endpoint.transport {
        Transport::Ws => ws::connect(endpoint, config, join).await,
        Transport::Sse => sse::connect(http, endpoint, config, join).await,
        Transport::Poll => poll::connect(http, endpoint, config, join.after).await,
    };
    connected.inspect_err(|error| {
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(%error, url = endpoint.url, ms, "a connect to an endpoint failed");
    })
}

/// Whether every other endpoint would refuse as well.
fn is_final(error: &ConnectError) -> bool {
    let ConnectError::Refused(refusal) = error else { return false };
    match refusal.code {
        Code::TooEarly | Code::TicketExpired | Code::BadTicket => true,
        code => code.advice() == Advice::Never && !is_misunderstood(code),
    }
}

/// Whether a code may be the effect of a proxy that does not pass the whole request on.
fn is_misunderstood(code: Code) -> bool {
    matches!(code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed)
}
