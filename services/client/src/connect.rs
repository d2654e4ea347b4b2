//! From a wish to watch to an open connection: entry, race, then every endpoint in
//! turn, by transport.

use barrage_protocol::code::Advice;
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::{Code, Sequence};

use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::link::Link;
use crate::{endpoints, poll, race, sse, ws};

/// Asks entry, races, and connects; the answer comes along for its backoff.
pub(crate) async fn by_entry(
    http: &reqwest::Client,
    config: &ViewerConfig,
    after: Option<Sequence>,
) -> Result<(Link, EntryAnswer), ConnectError> {
    let answer = endpoints::ask(http, config).await?;
    let mut last = ConnectError::Failed("entry named no endpoint".into());
    for transport in &config.transports {
        let mut list = endpoints::of(&answer.downlinks, *transport);
        if *transport == Transport::Ws && config.race {
            list = race::run(http, &config.entry_url, &answer, list).await;
        }
        match first_of(http, config, &list, after).await {
            Ok(Some(link)) => return Ok((link, answer)),
            Ok(None) => {}
            Err(error) if is_final(&error) => return Err(error),
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
        if let Ok(Some(link)) = first_of(http, config, &list, after).await {
            return Some(link);
        }
    }
    None
}

/// The first endpoint that can be connected; `None` when the list is empty.
async fn first_of(
    http: &reqwest::Client,
    config: &ViewerConfig,
    list: &[Endpoint],
    after: Option<Sequence>,
) -> Result<Option<Link>, ConnectError> {
    let mut last = Ok(None);
    for endpoint in list {
        let connected = match endpoint.transport {
            Transport::Ws => ws::connect(endpoint, config, after).await,
            Transport::Sse => sse::connect(http, endpoint, config, after).await,
            Transport::Poll => poll::connect(http, endpoint, config, after).await,
        };
        match connected {
            Ok(link) => return Ok(Some(link)),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, transport = ?endpoint.transport, "an endpoint could not be connected");
                last = Err(error);
            }
        }
    }
    last
}

/// Whether no other endpoint would say otherwise.
fn is_final(error: &ConnectError) -> bool {
    let ConnectError::Refused(refusal) = error else { return false };
    refusal.code.advice() == Advice::Never
        && !matches!(refusal.code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed)
}
