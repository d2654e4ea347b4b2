//! The topics that this process follows, each with one task for all of its subscribers.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::followed::Followed;
use crate::log::{Subscription, Topic};

/// All followed topics. A subscriber joins and the last one leaves under the same lock.
#[derive(Default)]
pub(crate) struct FollowedTopics(Mutex<HashMap<Topic, Arc<Followed>>>);

impl FollowedTopics {
    pub(crate) fn get(&self, topic: &Topic) -> Option<Arc<Followed>> {
        self.0.lock().get(topic).cloned()
    }

    /// Subscribes to a topic that is followed already.
    pub(crate) fn join(&self, topic: &Topic) -> Option<Subscription> {
        self.0.lock().get(topic).map(|followed| followed.subscribe())
    }

    /// Adds a topic, unless another subscriber of this process has added it first: then the
    /// subscription to that one is returned.
    pub(crate) fn insert(&self, topic: &Topic, followed: &Arc<Followed>) -> Option<Subscription> {
        let mut all = self.0.lock();
        if let Some(earlier) = all.get(topic) {
            return Some(earlier.subscribe());
        }
        all.insert(topic.clone(), Arc::clone(followed));
        None
    }

    /// Removes a topic that has no subscriber; returns whether it was removed.
    pub(crate) fn leave(&self, topic: &Topic) -> bool {
        let mut all = self.0.lock();
        let is_unused = all.get(topic).is_some_and(|followed| followed.events.receiver_count() == 0);
        if is_unused {
            all.remove(topic);
        }
        is_unused
    }

    /// Removes a topic whose messages no longer arrive.
    pub(crate) fn remove(&self, topic: &Topic) {
        self.0.lock().remove(topic);
    }

    /// Returns up to `count` topics from `place` on, and advances `place` around all of them.
    pub(crate) fn some(&self, place: &mut usize, count: usize) -> Vec<(Topic, Arc<Followed>)> {
        let all = self.0.lock();
        let from = if *place < all.len() { *place } else { 0 };
        *place = from + count;
        let some = all.iter().skip(from).take(count);
        some.map(|(topic, followed)| (topic.clone(), Arc::clone(followed))).collect()
    }
}
