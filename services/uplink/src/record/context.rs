//! The context of one post: where its ledger entry, checks and record come together.

use std::sync::Arc;

use barrage_ledger::{Fate, Ledger};
use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Outcome, Post, PostAnswer};
use barrage_protocol::{Class, RoomId, TraceId, UserId};
use barrage_recorder::Recorder;

use super::in_flight::{InFlight, InFlightPost};
use super::post_checks::{CheckLog, PostChecks};
use super::post_record::{PostRecord, text_bytes};
use crate::limits_config::RULES;
use crate::metrics::UplinkMetrics;

/// A room whose offered rate is this many times its display quota is flooded: the flight recorder
/// writes a file.
const FLOOD_FACTOR: u64 = 4;

/// Everything that an uplink records of posts.
pub(crate) struct PostRecords {
    in_flight: InFlight,
    check_log: Arc<CheckLog>,
    recorder: Arc<Recorder<PostRecord>>,
    metrics: UplinkMetrics,
}

impl PostRecords {
    pub(crate) fn new(
        ledger: &Ledger,
        check_log: Arc<CheckLog>,
        recorder: Arc<Recorder<PostRecord>>,
        metrics: UplinkMetrics,
    ) -> Self {
        PostRecords { in_flight: InFlight::new(ledger), check_log, recorder, metrics }
    }

    /// Starts the context of one post that was read.
    pub(crate) fn begin(
        &self,
        room: &RoomId,
        user: &UserId,
        post: &Post,
        trace: Option<TraceId>,
    ) -> PostContext<'_> {
        let class = post.class();
        PostContext {
            records: self,
            class,
            in_flight: self.in_flight.begin(class),
            text_bytes: text_bytes(post),
            checks: PostChecks::new(room, user, post, barrage_clock::unix_ms(), trace),
        }
    }

    /// Records a post that was refused before its body was read.
    pub(crate) fn refused_early(&self, room: &RoomId, user: &UserId, refusal: &Refusal) {
        let limit = refusal.limit.as_ref();
        let rule = limit.and_then(|limit| RULES.into_iter().find(|rule| *rule == limit.rule));
        let record = PostRecord {
            class: None,
            bytes: 0,
            user: self.recorder.hash(user.as_str()),
            outcome: refusal.code.label(),
            rule: rule.unwrap_or_default(),
        };
        self.recorder.push(room, barrage_clock::unix_ms(), record);
    }

    /// Compares the sums of the conservation ledger. Called every second.
    pub(crate) fn settle(&self) {
        self.in_flight.settle();
    }

    fn record(&self, checks: &PostChecks, bytes: u32, result: &Result<PostAnswer, Refusal>) {
        let record = PostRecord {
            class: Some(checks.class()),
            bytes,
            user: self.recorder.hash(checks.user().as_str()),
            outcome: checks.outcome(),
            rule: checks.rule(),
        };
        self.recorder.push(checks.room(), checks.at_ms(), record);
        let Ok(PostAnswer { outcome: Outcome::Held, limit: Some(limit), .. }) = result else { return };
        if limit.offered.is_some_and(|offered| offered >= limit.limit.saturating_mul(FLOOD_FACTOR)) {
            self.recorder.alert(checks.room(), "flood", barrage_clock::unix_ms());
        }
    }
}

/// One post in flight. A context that is dropped before its end counts the post as dropped.
pub(crate) struct PostContext<'a> {
    records: &'a PostRecords,
    class: Class,
    in_flight: InFlightPost<'a>,
    text_bytes: u32,
    /// The results of the checks so far.
    pub(crate) checks: PostChecks,
}

impl PostContext<'_> {
    /// Counts the answer, settles the ledger entry, and keeps the checks and the record.
    pub(crate) fn end(mut self, result: &Result<PostAnswer, Refusal>) {
        let mut fate = Fate::LeftOut;
        if let Ok(answer) = result {
            self.records.metrics.answered(self.class, answer.outcome);
            if answer.outcome == Outcome::Broadcast {
                fate = Fate::PassedOn;
            }
        }
        self.in_flight.end(fate);
        self.checks.end(result);
        self.records.record(&self.checks, self.text_bytes, result);
        self.records.check_log.push(self.checks);
    }
}
