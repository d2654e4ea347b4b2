//! Opens a connection: asks entry, then tries the endpoints of one transport after the other, as the
//! ladder says.

mod entry;
mod first;
mod race;
mod round;

use std::time::Duration;

use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};
use barrage_protocol::{Code, Sequence};

use self::first::Join;
use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::{HttpPool, from_ms};
use crate::ladder::{FailureCause, LadderEvent};
use crate::link::Link;

pub(crate) use self::entry::{Purpose, ask};
pub(crate) use self::race::measure_uplinks;
pub(crate) use self::round::Round;

/// Returns the wait until the slot of the ticket; `None` without a queue.
pub(crate) fn wait_for_slot(answer: &EntryAnswer) -> Option<Duration> {
    answer.ticket.as_ref().map(|ticket| from_ms(ticket.wait_ms))
}

/// Asks entry, waits for the slot of a ticket, and connects.
pub(crate) async fn by_entry(
    pool: &HttpPool,
    config: &ViewerConfig,
    after: Option<Sequence>,
    round: &mut Round,
) -> Result<Link, ConnectError> {
    let answer = entry::ask(pool, config, Purpose::Watch).await?;
    if let Some(wait) = wait_for_slot(&answer) {
        tokio::time::sleep(wait).await;
    }
    by_answer(pool, config, &answer, after, round).await
}

/// Connects to an endpoint of an answer. A ticket that is early by the clock of the gateway is shown a
/// second time; it keeps its slot.
pub(crate) async fn by_answer(
    pool: &HttpPool,
    config: &ViewerConfig,
    answer: &EntryAnswer,
    after: Option<Sequence>,
    round: &mut Round,
) -> Result<Link, ConnectError> {
    let join = Join { pool, config, after, answer: Some(answer) };
    match round.open(&join, &answer.downlinks).await {
        Err(ConnectError::Refused(refusal)) if refusal.code == Code::TooEarly => {
            tokio::time::sleep(from_ms(refusal.retry_after_ms.unwrap_or(1_000))).await;
            round.open(&join, &answer.downlinks).await
        }
        connected => connected,
    }
}

/// Connects to an endpoint of a `reconnect` frame; `None` when none of them is open.
pub(crate) async fn to_named(
    pool: &HttpPool,
    config: &ViewerConfig,
    named: &[Endpoint],
    after: Option<Sequence>,
    round: &mut Round,
) -> Option<Link> {
    if named.is_empty() {
        return None;
    }
    round.open(&Join { pool, config, after, answer: None }, named).await.ok()
}

/// Opens a connection of one transport beside the one that carries, and returns it with the event for the
/// ladder. Takes no slot of the join queue, because the viewer has its place.
pub(crate) async fn probe(
    pool: &HttpPool,
    config: &ViewerConfig,
    rung: Transport,
    after: Option<Sequence>,
) -> (Option<Link>, LadderEvent<Transport>) {
    // Without endpoints nothing shows whether the network passes this transport.
    let postponed = (None, LadderEvent::Failed { rung, cause: FailureCause::Refused });
    let Ok(answer) = entry::ask(pool, config, Purpose::Send).await else { return postponed };
    let join = Join { pool, config, after, answer: None };
    match first::of(&join, &entry::of(&answer.downlinks, rung)).await {
        Ok(Some(link)) => (Some(link), LadderEvent::Opened { rung }),
        Ok(None) => postponed,
        Err(error) => (None, LadderEvent::Failed { rung, cause: round::cause(&error) }),
    }
}

/// Whether a code may be the effect of a proxy that does not pass the whole request on.
fn is_misunderstood(code: Code) -> bool {
    matches!(code, Code::BadRequest | Code::NotFound | Code::MethodNotAllowed | Code::UpgradeRequired)
}
