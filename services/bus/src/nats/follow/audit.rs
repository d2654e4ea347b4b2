//! Finds messages that were lost unnoticed.
//!
//! When a link between two servers fails, a stored message may never be republished to this
//! process. In a room that then stays quiet no later message would show the gap.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Sequence;

use super::followed::Followed;
use super::source::Source;
use super::topics::FollowedTopics;
use crate::error::BusError;
use crate::nats::stream::reader::Reader;
use crate::settings::room_place::{Chain, Segment};

/// Time between two rounds. A message that is missing in both was lost, not in flight.
const ROUND_EVERY: Duration = Duration::from_secs(1);
/// Maximum number of topics in one round; a process with more needs several rounds for all.
const TOPICS_MAX: usize = 256;

/// A topic to compare with its stream.
struct Audited {
    input: String,
    chain: Chain,
    followed: Arc<Followed>,
}

/// Audits until its task is aborted. A partition whose servers do not answer is left out of that round.
pub(crate) async fn run(source: Arc<Source>, followed_topics: Arc<FollowedTopics>) {
    let mut ticks = tokio::time::interval(ROUND_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut place = 0;
    let mut expected: Vec<(Arc<Followed>, Sequence)> = Vec::new();
    loop {
        ticks.tick().await;
        // A round is long enough for messages that were in flight.
        for (followed, newest) in expected.drain(..) {
            if followed.last() < newest {
                followed.expect(newest);
            }
        }
        let mut by_partition: BTreeMap<u16, Vec<Audited>> = BTreeMap::new();
        let (names, places) = (&source.streams.names, &source.streams.places);
        for (topic, followed) in followed_topics.some(&mut place, TOPICS_MAX) {
            let Segment { partition, chain, .. } = places.current(&topic);
            let audited = Audited { input: names.input(partition, &topic), chain, followed };
            by_partition.entry(partition).or_default().push(audited);
        }
        for (partition, topics) in by_partition {
            match newer(source.streams.reader(partition), topics).await {
                Ok(newer) => expected.extend(newer),
                Err(error) => tracing::debug!(%error, "topics could not be audited"),
            }
        }
    }
}

/// Returns the topics, all in one stream, of which the stream holds newer messages.
async fn newer(reader: &Reader, topics: Vec<Audited>) -> Result<Vec<(Arc<Followed>, Sequence)>, BusError> {
    let inputs: Vec<_> = topics.iter().map(|audited| audited.input.as_str()).collect();
    let lasts = reader.lasts(&inputs).await?;
    // A room whose place this process does not know yet is left out of this round.
    let newest = topics.into_iter().filter_map(|Audited { input, chain, followed }| {
        let last = lasts.get(&input).copied().unwrap_or_default();
        Some((followed, last.position(chain).ok()?))
    });
    Ok(newest.filter(|(followed, newest)| followed.last() < *newest).collect())
}
