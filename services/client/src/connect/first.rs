//! The first endpoint of one transport that opens a connection.

use std::time::Duration;

use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::{Code, Sequence};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::{is_misunderstood, race};
use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::HttpPool;
use crate::link::{JoinRequest, Link, poll, sse, ws};

/// Silence of an endpoint after which the next one is tried as well: a gateway that waits for the bus
/// must not cost the viewer the whole timeout.
const NEXT_ENDPOINT_AFTER: Duration = Duration::from_millis(1_000);

/// Parameters that all attempts of a round share.
pub(super) struct Join<'a> {
    pub(super) pool: &'a HttpPool,
    pub(super) config: &'a ViewerConfig,
    pub(super) after: Option<Sequence>,
    /// Answer of entry, for its ticket and its race; `None` for endpoints of a `reconnect` frame.
    pub(super) answer: Option<&'a EntryAnswer>,
}

impl Join<'_> {
    /// Returns the endpoints in the order of their race, if there is one.
    pub(super) async fn raced(&self, list: Vec<Endpoint>) -> Vec<Endpoint> {
        match self.answer {
            Some(answer) if self.config.race => {
                race::run(&self.pool.http, &self.config.entry_url, answer, list).await
            }
            _ => list,
        }
    }

    fn request(&self) -> JoinRequest<'_> {
        let ticket = self.answer.and_then(|answer| answer.ticket.as_ref());
        JoinRequest { after: self.after, ticket: ticket.map(|ticket| ticket.token.as_str()) }
    }
}

/// Connects to the first endpoint that succeeds. The next endpoint is tried when one fails or is silent
/// for a while; a silent one may still succeed. Returns `None` for an empty list.
pub(super) async fn of(join: &Join<'_>, list: &[Endpoint]) -> Result<Option<Link>, ConnectError> {
    let mut rest = list.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = Ok(None);
    attempts.extend(rest.next().map(|endpoint| connect(join, endpoint)));
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
        attempts.extend(rest.next().map(|endpoint| connect(join, endpoint)));
    }
}

async fn connect(join: &Join<'_>, endpoint: &Endpoint) -> Result<Link, ConnectError> {
    let began = Instant::now();
    let Join { pool, config, .. } = join;
    let connected = match endpoint.transport {
        Transport::Ws => ws::connect(&pool.dialer, endpoint, config, join.request()).await,
        Transport::Sse => sse::connect(pool, endpoint, config, join.request()).await,
        Transport::Poll => poll::connect(pool, endpoint, config, join.after).await,
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
