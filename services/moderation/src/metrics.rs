//! The Prometheus metrics of moderation: hits by rule, time of checks, failures of lists.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use crate::decision::Measure;

/// Prometheus handles, registered once per process. Labels are kinds of rules, never names of lists.
#[derive(Debug, Clone)]
pub struct ModerationMetrics {
    hits: IntCounterVec,
    pub(crate) check: Histogram,
    pub(crate) list_failures: IntCounter,
    pub(crate) room_builds: IntCounter,
}

/// The kind of a rule: the value of the label `rule_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Length,
    Repeat,
    Links,
    List,
    RoomWords,
    Hook,
    HookAway,
    Escalation,
    Name,
}

impl RuleKind {
    const ALL: [RuleKind; 9] = [
        RuleKind::Length,
        RuleKind::Repeat,
        RuleKind::Links,
        RuleKind::List,
        RuleKind::RoomWords,
        RuleKind::Hook,
        RuleKind::HookAway,
        RuleKind::Escalation,
        RuleKind::Name,
    ];

    const fn label(self) -> &'static str {
        match self {
            RuleKind::Length => "length",
            RuleKind::Repeat => "repeat",
            RuleKind::Links => "links",
            RuleKind::List => "list",
            RuleKind::RoomWords => "room_words",
            RuleKind::Hook => "hook",
            RuleKind::HookAway => "hook_away",
            RuleKind::Escalation => "escalation",
            RuleKind::Name => "name",
        }
    }
}

impl ModerationMetrics {
    /// Registers the metrics on `registry`.
    ///
    /// # Errors
    /// When `registry` has metrics of these names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let hits = IntCounterVec::new(
            Opts::new(
                "barrage_moderation_hits_total",
                "Hits of rules, by kind of rule, action and shadow mode.",
            ),
            &["rule_kind", "action", "shadow"],
        )?;
        // A rate needs a value before the first hit.
        for kind in RuleKind::ALL {
            hits.with_label_values(&[kind.label(), Measure::Hold.label(), "false"]);
        }
        let check = Histogram::with_opts(
            HistogramOpts::new(
                "barrage_moderation_check_duration_seconds",
                "Time of the checks of one text in this process, without calls of the hook.",
            )
            .buckets(vec![2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2]),
        )?;
        let list_failures = IntCounter::new(
            "barrage_moderation_list_failures_total",
            "Changed word lists that could not be read; the older words stay in force.",
        )?;
        let room_builds = IntCounter::new(
            "barrage_moderation_room_words_builds_total",
            "Compilations of the words of a room: one for each change, and one after a start.",
        )?;
        registry.register(Box::new(room_builds.clone()))?;
        registry.register(Box::new(hits.clone()))?;
        registry.register(Box::new(check.clone()))?;
        registry.register(Box::new(list_failures.clone()))?;
        Ok(ModerationMetrics { hits, check, list_failures, room_builds })
    }

    pub(crate) fn hit(&self, kind: RuleKind, measure: Measure, shadow: bool) {
        let shadow = if shadow { "true" } else { "false" };
        self.hits.with_label_values(&[kind.label(), measure.label(), shadow]).inc();
    }
}
