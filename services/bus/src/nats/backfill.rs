//! Bringing into memory what a topic held before this process followed it, once for all
//! who ask: after the death of a gateway its viewers resume on others, all at the same
//! time and from nearly the same position.

use std::ops::ControlFlow;
use std::sync::Arc;

use barrage_protocol::{Message, Sequence};

use super::followed::{Followed, Kept};
use super::reader::Reader;
use crate::bus::BusError;
use crate::clock::steady_ms;
use crate::config::BusConfig;
use crate::embedded::lock;
use crate::embedded::topic_log::{self, TopicLog};

/// Positions of the stream that are read beyond what was asked for: others stopped a
/// little earlier. A second or two of a busy cluster.
const EXTRA_POSITIONS: u64 = 2_000;

/// So near to the stream's first position replicas may differ.
const EDGE_POSITIONS: u64 = 20_000;

/// Reads what lies between a position and what memory holds; false where that cannot be
/// kept: it is too much, has left the stream in part, or memory is full already.
pub(crate) async fn backfill(
    followed: &Followed,
    reader: &Reader,
    input: &str,
    after: Sequence,
    messages_max: usize,
    limits: &BusConfig,
) -> Result<bool, BusError> {
    let base = {
        let kept = lock(&followed.kept);
        if kept.log.has_evicted_since(kept.base) || after >= kept.base {
            return Ok(false);
        }
        kept.base
    };
    // Replicas do not drop what is old in the same moment: near that end only the leader's
    // word counts.
    let first = reader.first().await?.map_or(u64::MAX, |first| first.0);
    if first > 1 && after.0 < first.saturating_add(EDGE_POSITIONS) {
        return Ok(false);
    }
    let from = Sequence(after.0.saturating_sub(EXTRA_POSITIONS));
    let (mut older, mut is_too_much) = (Vec::new(), false);
    let visit = |message: Message| {
        is_too_much = older.len() >= messages_max;
        if is_too_much || message.sequence > base {
            return ControlFlow::Break(());
        }
        older.push(Arc::new(message));
        ControlFlow::Continue(())
    };
    reader.scan(input, from, base, visit).await?;
    let mut kept = lock(&followed.kept);
    if is_too_much || kept.base != base || kept.log.has_evicted_since(base) {
        return Ok(false);
    }
    let mut log = TopicLog::starting_at(from);
    let newer = kept.log.messages();
    // Times never fall along the chain.
    let kept_at_ms = newer.first().map_or_else(steady_ms, |kept| kept.kept_at_ms);
    let older = older.into_iter().map(|message| topic_log::Kept { kept_at_ms, message });
    for topic_log::Kept { kept_at_ms, message } in older.chain(newer) {
        log.push(message, 0, kept_at_ms, limits);
    }
    *kept = Kept { base: from, log };
    Ok(true)
}
