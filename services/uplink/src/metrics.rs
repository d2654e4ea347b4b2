//! The Prometheus metrics of an uplink: outcomes, refusals and durations of posts.

use barrage_exposition::{Exemplars, TracedHistogram};
use barrage_protocol::action::Action;
use barrage_protocol::post::Outcome;
use barrage_protocol::review::ReviewDecision;
use barrage_protocol::{Class, Code};
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::limits_config::RULES;

/// Name of the histogram of posts.
const REQUEST_DURATION: &str = "barrage_uplink_request_duration_seconds";
/// Upper ends of the buckets of history times, in seconds. A call of the store may take 10 s.
const HISTORY_BUCKETS_S: [f64; 13] =
    [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Classes that a post may have.
const CLASSES: [Class; 3] = [Class::Gift, Class::Chat, Class::Pulse];
/// Results of accepted posts.
const OUTCOMES: [Outcome; 3] = [Outcome::Broadcast, Outcome::Held, Outcome::Duplicate];

/// The actions of moderators, as [`Action::label`] names them, and the changes of attributes.
const ACTIONS: [&str; 24] = [
    "recall",
    "purge",
    "clear",
    "mute",
    "unmute",
    "kick",
    "ban",
    "unban",
    "slow_mode",
    "mute_all",
    "pin",
    "unpin",
    "announce",
    "warn",
    "role",
    "attribute_rules",
    "speak",
    "shield",
    "shield_bundle",
    "moderation_delay",
    "super_chat_read",
    "reactions",
    "set_attribute",
    "remove_attribute",
];

/// Values of the label `outcome` of votes.
const VOTES: [&str; 5] = ["counted", "duplicate", "closed", "unknown", "failed"];

/// What happened to a review or a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReviewEvent {
    Queued,
    Overflowed,
    Reported,
    Taken,
    Approved,
    Denied,
    DeniedAndMuted,
    FallbackApproved,
    FallbackDenied,
}

impl ReviewEvent {
    const ALL: [ReviewEvent; 9] = [
        ReviewEvent::Queued,
        ReviewEvent::Overflowed,
        ReviewEvent::Reported,
        ReviewEvent::Taken,
        ReviewEvent::Approved,
        ReviewEvent::Denied,
        ReviewEvent::DeniedAndMuted,
        ReviewEvent::FallbackApproved,
        ReviewEvent::FallbackDenied,
    ];

    const fn label(self) -> &'static str {
        match self {
            ReviewEvent::Queued => "queued",
            ReviewEvent::Overflowed => "overflowed",
            ReviewEvent::Reported => "reported",
            ReviewEvent::Taken => "taken",
            ReviewEvent::Approved => "approved",
            ReviewEvent::Denied => "denied",
            ReviewEvent::DeniedAndMuted => "denied_and_muted",
            ReviewEvent::FallbackApproved => "fallback_approved",
            ReviewEvent::FallbackDenied => "fallback_denied",
        }
    }
}

/// Where pages of histories came from.
#[derive(Debug, Clone)]
pub(crate) struct HistoryReads {
    /// Out of the memory of this uplink.
    pub(crate) memory: IntCounter,
    /// Of another uplink, by Redis: read once for all that ask within a second.
    pub(crate) shared: IntCounter,
    /// Of the store, once for all that ask within a second.
    pub(crate) store: IntCounter,
    /// Of the store, for one reader.
    pub(crate) direct: IntCounter,
}

impl HistoryReads {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Pages of histories by where they came from: memory, another uplink (shared), the store for \
                    all readers (store), the store for one (direct).";
        let reads = IntCounterVec::new(Opts::new("barrage_uplink_history_reads_total", help), &["from"])?;
        registry.register(Box::new(reads.clone()))?;
        let of = |from| reads.with_label_values(&[from]);
        Ok(HistoryReads {
            memory: of("memory"),
            shared: of("shared"),
            store: of("store"),
            direct: of("direct"),
        })
    }
}

/// Prometheus handles of an uplink, registered once per process.
#[derive(Debug, Clone)]
pub struct UplinkMetrics {
    /// By class and outcome, resolved once.
    outcomes: [[IntCounter; OUTCOMES.len()]; CLASSES.len()],
    refusals: IntCounterVec,
    actions: IntCounterVec,
    votes: IntCounterVec,
    polls: IntCounterVec,
    reviews: IntCounterVec,
    reviews_waiting: IntGauge,
    pub(crate) duration: TracedHistogram,
    pub(crate) history_duration: Histogram,
    pub(crate) history_reads: HistoryReads,
    pub(crate) shadowed: IntCounterVec,
    pub(crate) audit_lost: IntCounter,
    pub(crate) names_unchecked: IntCounter,
}

impl UplinkMetrics {
    /// Registers the metrics on `registry`. Every label value exists from the start, so that the
    /// first increase is visible.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let outcomes = IntCounterVec::new(
            Opts::new("barrage_uplink_posts_total", "Posts answered, by class and outcome."),
            &["class", "outcome"],
        )?;
        let refusals = IntCounterVec::new(
            Opts::new("barrage_uplink_refusals_total", "Requests refused, by code."),
            &["code"],
        )?;
        let actions = IntCounterVec::new(
            Opts::new(
                "barrage_uplink_actions_total",
                "Actions of moderators and hosts answered, by action and by whether they were new.",
            ),
            &["action", "outcome"],
        )?;
        let votes = IntCounterVec::new(
            Opts::new("barrage_uplink_votes_total", "Votes that reached the store, by outcome."),
            &["outcome"],
        )?;
        let polls = IntCounterVec::new(
            Opts::new("barrage_uplink_polls_total", "Polls that this uplink opened or closed, by event."),
            &["event"],
        )?;
        let bounds = prometheus::exponential_buckets(0.000_25, 2.0, 16)?;
        let duration = Histogram::with_opts(
            HistogramOpts::new(REQUEST_DURATION, "Time from the header of a post to its answer.")
                .buckets(bounds.clone()),
        )?;
        let history_duration = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_uplink_history_duration_seconds",
                "Time from the header of a request for history to its answer.",
            )
            .buckets(HISTORY_BUCKETS_S.to_vec()),
        )?;
        let shadowed = IntCounterVec::new(
            Opts::new(
                "barrage_uplink_shadow_total",
                "Posts that rules in shadow mode would have refused or held.",
            ),
            &["rule"],
        )?;
        let audit_lost = IntCounter::new(
            "barrage_uplink_audit_lost_total",
            "Lines of the audit log that were lost because its queue was full.",
        )?;
        let names_unchecked = IntCounter::new(
            "barrage_uplink_names_unchecked_total",
            "Names of senders that were not compared with those of accounts, because the store did not answer in time.",
        )?;
        let reviews = IntCounterVec::new(
            Opts::new(
                "barrage_uplink_reviews_total",
                "Posts sent to review, reports of viewers, and decisions about them, by event.",
            ),
            &["event"],
        )?;
        let reviews_waiting = IntGauge::new(
            "barrage_uplink_reviews_waiting",
            "Posts and reports that wait for a moderator, of all rooms; every uplink shows the same.",
        )?;
        for event in ReviewEvent::ALL {
            reviews.with_label_values(&[event.label()]);
        }
        registry.register(Box::new(reviews.clone()))?;
        registry.register(Box::new(reviews_waiting.clone()))?;
        let by_outcome = CLASSES.map(|class| {
            OUTCOMES.map(|outcome| outcomes.with_label_values(&[class.label(), outcome.label()]))
        });
        for action in ACTIONS {
            for outcome in ["done", "duplicate"] {
                actions.with_label_values(&[action, outcome]);
            }
        }
        for outcome in VOTES {
            votes.with_label_values(&[outcome]);
        }
        for event in ["opened", "closed"] {
            polls.with_label_values(&[event]);
        }
        for code in Code::ALL {
            refusals.with_label_values(&[code.label()]);
        }
        for rule in RULES {
            shadowed.with_label_values(&[rule]);
        }
        registry.register(Box::new(shadowed.clone()))?;
        registry.register(Box::new(audit_lost.clone()))?;
        registry.register(Box::new(names_unchecked.clone()))?;
        registry.register(Box::new(outcomes.clone()))?;
        registry.register(Box::new(refusals.clone()))?;
        registry.register(Box::new(actions.clone()))?;
        registry.register(Box::new(votes.clone()))?;
        registry.register(Box::new(polls.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(history_duration.clone()))?;
        let duration = TracedHistogram::new(duration, &bounds);
        Ok(UplinkMetrics {
            outcomes: by_outcome,
            refusals,
            actions,
            reviews,
            reviews_waiting,
            votes,
            polls,
            duration,
            history_duration,
            history_reads: HistoryReads::new(registry)?,
            shadowed,
            audit_lost,
            names_unchecked,
        })
    }

    /// Shows the times of traced posts as exemplars.
    #[must_use]
    pub fn with_exemplars(self, exemplars: &Exemplars) -> Self {
        self.duration.show_in(exemplars, REQUEST_DURATION, &[]);
        self
    }

    pub(crate) fn answered(&self, class: Class, outcome: Outcome) {
        let of_class = CLASSES.iter().zip(&self.outcomes).find(|(known, _)| **known == class);
        let counter = of_class
            .and_then(|(_, counters)| OUTCOMES.iter().zip(counters).find(|(known, _)| **known == outcome));
        // A signal is no post.
        if let Some((_, counter)) = counter {
            counter.inc();
        }
    }

    /// Counts an action that was answered.
    pub(crate) fn acted(&self, action: &Action, is_duplicate: bool) {
        self.count_action(action.label(), is_duplicate);
    }

    /// Counts a change of an attribute that was answered.
    pub(crate) fn changed_attribute(&self, is_removal: bool, is_duplicate: bool) {
        self.count_action(if is_removal { "remove_attribute" } else { "set_attribute" }, is_duplicate);
    }

    fn count_action(&self, action: &'static str, is_duplicate: bool) {
        let outcome = if is_duplicate { "duplicate" } else { "done" };
        self.actions.with_label_values(&[action, outcome]).inc();
    }

    /// Counts votes with the same outcome.
    pub(crate) fn voted(&self, outcome: &'static str, votes: u64) {
        self.votes.with_label_values(&[outcome]).inc_by(votes);
    }

    /// Counts a poll that this uplink opened or closed.
    pub(crate) fn polled(&self, event: &'static str) {
        self.polls.with_label_values(&[event]).inc();
    }

    pub(crate) fn reviewed(&self, event: ReviewEvent) {
        self.reviews.with_label_values(&[event.label()]).inc();
    }

    /// Counts a moderator's decision, once.
    pub(crate) fn decided(&self, decision: ReviewDecision, is_duplicate: bool) {
        let event = match decision {
            ReviewDecision::Approve => ReviewEvent::Approved,
            ReviewDecision::Deny => ReviewEvent::Denied,
            ReviewDecision::DenyAndMute => ReviewEvent::DeniedAndMuted,
            ReviewDecision::Take | ReviewDecision::Release => return,
        };
        if !is_duplicate {
            self.reviewed(event);
        }
    }

    pub(crate) fn reviews_waiting(&self, count: usize) {
        self.reviews_waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn refused(&self, code: Code) {
        self.refusals.with_label_values(&[code.label()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_exist_at_zero_from_the_start() {
        let registry = Registry::new();
        UplinkMetrics::new(&registry).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            r#"barrage_uplink_refusals_total{code="muted"} 0"#,
            r#"barrage_uplink_actions_total{action="purge",outcome="duplicate"} 0"#,
            r#"barrage_uplink_posts_total{class="gift",outcome="held"} 0"#,
            r#"barrage_uplink_shadow_total{rule="slow_mode"} 0"#,
            "barrage_uplink_audit_lost_total 0",
            "barrage_uplink_history_duration_seconds_count 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}");
        }
    }
}
