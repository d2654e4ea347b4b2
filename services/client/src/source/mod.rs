//! Where a client learns its endpoints: entry by address, entry by name, the stored answer, the
//! embedded list. Each source is bounded in time, and one that is silent does not delay the next.

mod config;
mod judge;
mod order;
mod stored;
#[cfg(test)]
mod vectors;

use std::net::SocketAddr;
use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::entry::EntryAnswer;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

pub use self::config::SourceConfig;
pub(crate) use self::judge::Purpose;
use self::judge::{Verdict, judge};
use self::order::{Dials, EmbeddedFacts, Known, Source};
use self::stored::Stored;
use crate::error::ConnectError;
use crate::http::HttpPool;

/// Longest wait for an answer of one source.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Silence of a source after which the next one is asked beside it. A question may take a slot in the join
/// queue, so that it is not asked twice without need.
const NEXT_SOURCE_AFTER: Duration = Duration::from_millis(1_000);
/// Maximum bytes of an answer; a longer one is not of entry.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A question of a client to its sources.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// Base URL of the first entry.
    pub(crate) entry_url: &'a str,
    pub(crate) config: &'a SourceConfig,
    /// List that was built into the client.
    pub(crate) embedded: Option<&'a EntryAnswer>,
    /// Room to ask for; `None` asks for the endpoints of any room, with `{room}` in their URLs.
    pub(crate) room: Option<&'a RoomId>,
    pub(crate) purpose: Purpose,
}

/// Cause for which a source gave no answer.
enum Failure {
    /// Entry refuses, which no other source changes.
    Final(ConnectError),
    /// The answer is too old; it is used when no other source has one.
    TooOld(Box<EntryAnswer>),
    Next(ConnectError),
}

/// Asks the sources in order. Returns the first good answer. A refusal of entry is final.
pub(crate) async fn ask(pool: &HttpPool, question: Question<'_>) -> Result<EntryAnswer, ConnectError> {
    let stored = read_stored(question).await;
    let now_ms = (question.config.unix_ms)();
    let known = known(pool, question, stored.as_ref(), now_ms);
    let mut rest = order::sources(&known).into_iter().peekable();
    let mut asked = FuturesUnordered::new();
    let mut spare: Option<Box<EntryAnswer>> = None;
    let mut last = ConnectError::Failed("no source of endpoints is configured".into());
    loop {
        let is_remote = |source: &Source| !matches!(source, Source::Stored | Source::Embedded);
        match rest.next_if(is_remote) {
            Some(source) => asked.push(ask_entry(pool, question, source, now_ms)),
            // What is kept replaces entry only when every entry has failed.
            None if asked.is_empty() => match (rest.next(), stored.as_ref(), spare.take(), question.embedded)
            {
                (Some(Source::Stored), Some(stored), older, _) => {
                    drop(older);
                    tracing::info!("entry does not answer; the stored answer is used");
                    return Ok(taken(pool, stored.answer(question.room)));
                }
                (_, _, Some(old), _) => return Ok(taken(pool, *old)),
                (Some(Source::Embedded), _, _, Some(embedded)) => {
                    tracing::info!("entry does not answer; the embedded list is used");
                    let answer = stored::for_room(embedded, question.room);
                    // The addresses of an old list may belong to other servers by now.
                    return Ok(if order::is_young(answer.issued_ms, now_ms) {
                        taken(pool, answer)
                    } else {
                        answer
                    });
                }
                (Some(_), ..) => continue,
                (None, ..) => return Err(last),
            },
            None => {}
        }
        let has_more = rest.peek().is_some_and(is_remote);
        let silence = tokio::time::sleep(NEXT_SOURCE_AFTER);
        tokio::select! {
            Some(answered) = asked.next() => match answered {
                Ok(answer) => {
                    keep(question, stored.as_ref(), &answer, now_ms);
                    return Ok(taken(pool, answer));
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::TooOld(answer)) => spare = Some(answer),
                Err(Failure::Next(error)) => last = error,
            },
            () = silence, if has_more => {}
        }
    }
}

/// Notes the addresses of an answer for the connections to its endpoints.
fn taken(pool: &HttpPool, answer: EntryAnswer) -> EntryAnswer {
    pool.dialer.book.learn(&answer.addresses);
    answer
}

fn known(pool: &HttpPool, question: Question<'_>, stored: Option<&Stored>, now_ms: u64) -> Known {
    let has_endpoints = |list: &EntryAnswer| match question.purpose {
        Purpose::Watch => !list.downlinks.is_empty(),
        Purpose::Send => !list.uplinks.is_empty(),
    };
    let embedded = question.embedded.map(|list| EmbeddedFacts {
        issued_ms: list.issued_ms,
        entries: list.entries.clone(),
        addresses: list.addresses.clone(),
        has_endpoints: has_endpoints(list),
    });
    let configured = std::iter::once(question.entry_url.to_owned());
    Known {
        now_ms,
        dials: if pool.dialer.has_proxy() { Dials::Urls } else { Dials::Addresses },
        here: None,
        entries: configured.chain(question.config.entries.iter().cloned()).collect(),
        embedded,
        stored: stored.filter(|stored| has_endpoints(stored.list())).map(Stored::facts),
    }
}

/// Asks one entry, and judges its answer.
async fn ask_entry(
    pool: &HttpPool,
    question: Question<'_>,
    source: Source,
    now_ms: u64,
) -> Result<EntryAnswer, Failure> {
    let asking = async {
        let (status, body) = fetch(pool, question, &source).await?;
        judge(status, &body, question.purpose, now_ms).map_err(|verdict| match verdict {
            Verdict::Refused(refusal) => Failure::Final(ConnectError::Refused(refusal)),
            Verdict::TooOld(answer) => Failure::TooOld(answer),
            wrong => Failure::Next(ConnectError::Failed(wrong.to_string())),
        })
    };
    let answered = tokio::time::timeout(TIMEOUT, asking).await;
    let answered = answered.unwrap_or(Err(Failure::Next(ConnectError::Timeout)));
    if let Err(Failure::Next(error)) = &answered {
        tracing::debug!(%error, %source, "a source of endpoints gave no answer");
    }
    answered
}

/// Returns status and body of the answer.
async fn fetch(pool: &HttpPool, question: Question<'_>, source: &Source) -> Result<(u16, Vec<u8>), Failure> {
    let failed = |error: reqwest::Error| Failure::Next(ConnectError::failed(error.without_url()));
    let (url, http) = match source {
        Source::Address { url, address } => {
            let host = order::host(url).unwrap_or_default();
            let one = pool.without_book().resolve(&host, SocketAddr::new(*address, 0));
            (url, one.build().map_err(failed)?)
        }
        Source::Entry { url } if pool.dialer.book.has(&order::host(url).unwrap_or_default()) => {
            (url, pool.without_book().build().map_err(failed)?)
        }
        Source::Entry { url } => (url, pool.http.clone()),
        Source::Stored | Source::Embedded => {
            return Err(Failure::Next(ConnectError::Failed("the source is not an entry".into())));
        }
    };
    let url = match (question.room, question.purpose) {
        (None, _) => format!("{url}/v1/entry/fallback"),
        (Some(room), Purpose::Watch) => format!("{url}/v1/entry?room={room}"),
        (Some(room), Purpose::Send) => format!("{url}/v1/entry?room={room}&purpose=send"),
    };
    let mut response = http.get(url).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err(Failure::Next(ConnectError::Failed("the answer is larger than 256 KiB".into())));
        }
    }
    Ok((status, body))
}

async fn read_stored(question: Question<'_>) -> Option<Stored> {
    let path = question.config.keep_file.clone()?;
    let entry = question.entry_url.to_owned();
    tokio::task::spawn_blocking(move || stored::read(&path, &entry)).await.ok().flatten()
}

/// Stores a good answer in the background. A failed write costs nothing but the stored answer.
fn keep(question: Question<'_>, old: Option<&Stored>, answer: &EntryAnswer, now_ms: u64) {
    let Some(path) = question.config.keep_file.clone() else { return };
    if !old.is_none_or(|old| old.is_replaced_at(now_ms)) {
        return;
    }
    let stored = Stored::new(question.entry_url, question.room, answer, now_ms);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = stored::write(&path, &stored) {
            tracing::warn!(%error, path = %path.display(), "the answer of entry cannot be stored");
        }
    });
}
