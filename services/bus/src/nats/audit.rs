//! Looks for what was lost without a sign: when a link between two servers fails, a
//! stored message may never be republished to this process, and in a room that then
//! stays quiet no later one would show the hole.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::Sequence;

use super::followed::Followed;
use super::follower::Follower;

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
                followed.doubt();
            }
        }
        let topics = follower.some_followed(&mut place, TOPICS_MAX);
        if topics.is_empty() {
            continue;
        }
        let inputs: Vec<_> = topics.iter().map(|(input, _)| input.as_str()).collect();
        match follower.reader.lasts(&inputs).await {
            Ok(lasts) => {
                let newest = topics
                    .into_iter()
                    .filter_map(|(input, followed)| lasts.get(&input).map(|newest| (followed, *newest)));
                expected.extend(newest.filter(|(followed, newest)| followed.last() < *newest));
            }
            Err(error) => tracing::debug!(%error, "topics cannot be audited now"),
        }
    }
}
