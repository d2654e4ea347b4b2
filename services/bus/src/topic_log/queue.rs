//! Queues of a topic, which take no more memory than they need: most rooms are quiet.

use std::collections::VecDeque;

/// Queues up to this length grow by one entry at a time.
const EXACT_MAX: usize = 4;

/// Adds an entry to a queue. A short queue gets memory for this entry alone, and no spare places.
pub(super) fn push<T>(queue: &mut VecDeque<T>, entry: T) {
    if queue.len() == queue.capacity() && queue.len() < EXACT_MAX {
        queue.reserve_exact(1);
    }
    queue.push_back(entry);
}

/// Frees capacity of a queue that was long and has become short, so that a room that was hot once
/// does not keep its memory.
pub(super) fn free_unused<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > 8 * queue.len().max(8) {
        queue.shrink_to(2 * queue.len());
    }
}
