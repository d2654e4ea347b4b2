//! Removes items that are older than the configuration keeps them, a few conversations at a time.

use std::time::{Duration, Instant};

use barrage_bus::lane_of;
use barrage_inbox::{ConversationNumber, Kind};
use barrage_protocol::Sequence;
use barrage_store::{InboxError, InboxStore, TRIM_MAX};

use crate::config::CourierConfig;
use crate::metrics::CourierMetrics;

/// Conversations that one step looks at.
const LOOKED_AT: usize = 200;
/// Conversations that one step removes items of. Letters wait for as long.
const TRIMMED: usize = 20;
const DAY_MS: u64 = 86_400_000;

/// The walk of one lane over all conversations.
pub(crate) struct Retention {
    lane: u16,
    lanes: u16,
    direct_ms: u64,
    group_ms: u64,
    reports_ms: u64,
    interval: Duration,
    at: ConversationNumber,
    last: Instant,
}

impl Retention {
    pub(crate) fn new(lane: u16, lanes: u16, config: &CourierConfig) -> Self {
        let days = |days: u64| days.saturating_mul(DAY_MS);
        Retention {
            lane,
            lanes,
            direct_ms: days(config.direct_days),
            group_ms: days(config.group_days),
            reports_ms: days(config.report_days),
            interval: Duration::from_secs(config.trim_interval_secs),
            at: ConversationNumber(0),
            last: barrage_clock::now(),
        }
    }

    /// Removes old items of some conversations when it is time for it. `position` is that of the lane: a courier
    /// that has lost its lane removes nothing.
    pub(crate) async fn step(
        &mut self,
        store: &dyn InboxStore,
        position: Sequence,
        metrics: &CourierMetrics,
    ) -> Result<(), InboxError> {
        if self.last.elapsed() < self.interval {
            return Ok(());
        }
        self.last = barrage_clock::now();
        let now_ms = barrage_clock::unix_ms();
        let found = store.oldest(self.at, LOOKED_AT).await?;
        let is_last = found.len() < LOOKED_AT;
        let mut trimmed = 0;
        for conversation in found {
            let keep_ms = match conversation.id.kind() {
                Kind::Direct => self.direct_ms,
                Kind::Group => self.group_ms,
            };
            let before_ms = now_ms.saturating_sub(keep_ms);
            let is_old = conversation.at_ms.is_some_and(|at_ms| at_ms < before_ms);
            if is_old && lane_of(conversation.id.as_str(), self.lanes) == self.lane {
                let removed = store.trim(self.lane, position, conversation.number, before_ms).await?;
                metrics.trimmed.inc_by(removed);
                trimmed += 1;
                if removed == TRIM_MAX || trimmed == TRIMMED {
                    // The next step goes on here: this conversation may have more.
                    return Ok(());
                }
            }
            self.at = conversation.number;
        }
        if is_last {
            self.at = ConversationNumber(0);
            if self.lane == 0 {
                store.forget_reports(now_ms.saturating_sub(self.reports_ms)).await?;
            }
        }
        Ok(())
    }
}
