//! Looks for what was lost without a sign: when a link between two servers fails, a
//! stored message may never be republished to this process, and in a room that then
//! stays quiet no later one would show the hole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Sequence;

use super::followed::Followed;
use super::follower::Follower;
use super::reader::Reader;
use crate::bus::BusError;

/// How often some topics are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Topics looked at in one go; a process with more takes longer to see each.
const TOPICS_MAX: usize = 256;

/// Audits until its task is ended.
pub(crate) async fn run(follower: Arc<Follower>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut place = 0;
    let mut expected: Vec<(Arc<Followed>, Sequence)> = Vec::new();
    loop {
        ticks.tick().await;
        // A round's time was enough for whatever was on its way.
        for (followed, newest) in expected.drain(..) {
            if followed.last() < newest {
                followed.expect(newest);
            }
        }
        let mut by_partition: BTreeMap<u16, Vec<(String, Arc<Followed>)>> = BTreeMap::new();
        let names = &follower.streams.names;
        for (topic, followed) in follower.some_followed(&mut place, TOPICS_MAX) {
            by_partition.entry(names.partition(&topic)).or_default().push((names.input(&topic), followed));
        }
        for (partition, topics) in by_partition {
            match newer(follower.streams.reader(partition), topics).await {
                Ok(newer) => expected.extend(newer),
                Err(error) => tracing::debug!(%error, "topics cannot be audited now"),
            }
        }
    }
}

/// Those of the topics, all in one stream, that it holds newer messages of.
async fn newer(
    reader: &Reader,
    topics: Vec<(String, Arc<Followed>)>,
) -> Result<Vec<(Arc<Followed>, Sequence)>, BusError> {
    let inputs: Vec<_> = topics.iter().map(|(input, _)| input.as_str()).collect();
    let lasts = reader.lasts(&inputs).await?;
    let newest = topics
        .into_iter()
        .filter_map(|(input, followed)| lasts.get(&input).map(|newest| (followed, *newest)));
    Ok(newest.filter(|(followed, newest)| followed.last() < *newest).collect())
}
