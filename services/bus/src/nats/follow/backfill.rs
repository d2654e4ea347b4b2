//! Reads messages from before this process followed a topic into memory, once for all that ask.
//!
//! After the death of a gateway its viewers resume on others, all at the same time and from nearly
//! the same position.

use std::ops::ControlFlow;
use std::sync::Arc;

use barrage_protocol::{Message, Sequence};

use super::followed::{Followed, Kept};
use crate::config::BusConfig;
use crate::error::BusError;
use crate::nats::stream::reader::Reader;
use crate::settings::room_place::Chain;
use crate::topic_log::{self, TopicLog};
use barrage_clock::steady_ms;

/// Positions of the stream that are read in addition, because other viewers stopped a little
/// earlier. A second or two of a busy cluster.
const EXTRA_POSITIONS: u64 = 2_000;

/// Distance from the stream's first position within which replicas may differ.
const EDGE_POSITIONS: u64 = 20_000;

/// Reads the messages between a position and those in memory. Returns false when memory cannot hold
/// them: they are too many, have left the stream in part, or memory is full already.
pub(crate) async fn backfill(
    followed: &Followed,
    reader: &Reader,
    input: &str,
    chain: Chain,
    after: Sequence,
    messages_max: usize,
    limits: &BusConfig,
) -> Result<bool, BusError> {
    let base = {
        let kept = followed.kept.lock();
        // Earlier stays of the room are in other streams.
        if kept.log.has_evicted_since(kept.base) || after >= kept.base || after < chain.above {
            return Ok(false);
        }
        kept.base
    };
    // Replicas do not drop old messages at the same moment: near that end only the leader's answer
    // counts.
    let first = reader.first().await?.map_or(u64::MAX, |first| first.0);
    if first > 1 && chain.stored(after).0 < first.saturating_add(EDGE_POSITIONS) {
        return Ok(false);
    }
    let from = Sequence(after.0.saturating_sub(EXTRA_POSITIONS)).max(chain.above);
    let (mut older, mut is_too_much) = (Vec::new(), false);
    let visit = |message: Arc<Message>| {
        is_too_much = older.len() >= messages_max;
        if is_too_much || message.sequence > base {
            return ControlFlow::Break(());
        }
        older.push(message);
        ControlFlow::Continue(())
    };
    reader.scan(input, chain.stored(from), chain.stored(base), visit).await?;
    let mut kept = followed.kept.lock();
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
