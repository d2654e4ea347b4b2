//! Metrics of the gateway; handles are resolved once.

use std::time::Duration;

use barrage_class::ByClass;
use barrage_exposition::{Exemplars, TracedHistogram};
use barrage_ledger::Ledger;
use barrage_protocol::frame::RepairOutcome;
use barrage_protocol::{Class, Code};
use barrage_token::TicketError;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::clients::ClientMetrics;
use crate::drain::Cause;
use crate::load::{Axis, Level, PUSH_BOUNDS_MS};
use crate::mail::MailCounts;
use crate::room::Heat;

/// Ranks of the hottest rooms that have a series each.
const TOP_RANKS: usize = 20;
/// Name of the histogram of push times.
const PUSH_SECONDS: &str = "barrage_gateway_push_seconds";
/// Class, stage and reason of dropped messages: all arguments of [`GatewayMetrics::dropped`].
const DROPPED: [(Class, &str, &str); 12] = [
    (Class::Chat, "hub", "overload"),
    (Class::Chat, "hub", "backlog"),
    (Class::Chat, "hub", "lagged"),
    (Class::Pulse, "hub", "overload"),
    (Class::Chat, "viewer", "slow"),
    (Class::Chat, "viewer", "hidden"),
    (Class::Gift, "viewer", "slow"),
    (Class::Signal, "viewer", "slow"),
    (Class::Chat, "viewer", "gone"),
    (Class::Gift, "viewer", "gone"),
    (Class::Signal, "viewer", "gone"),
    (Class::Chat, "fallback", "slow"),
];
/// Reasons of refused joins: the values of the label `reason`.
const JOIN_REFUSALS: [&str; 5] = ["overload", "joins_per_s", "overloaded", "draining", "unavailable"];

/// Prometheus handles of the gateway, registered once per process.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    pub(crate) connections: IntGauge,
    pub(crate) rooms: IntGauge,
    /// Set once per ranking of the rooms.
    pub(crate) overlays: IntGauge,
    pub(crate) joins: IntCounter,
    pub(crate) batches: IntCounter,
    pub(crate) writes: IntCounter,
    pub(crate) sent_bytes: IntCounter,
    pub(crate) backlog_bytes: IntGauge,
    pub(crate) client_frames: IntCounter,
    pub(crate) pings: IntCounter,
    pub(crate) clients: ClientMetrics,
    deliveries: [IntCounter; 4],
    dropped: IntCounterVec,
    closes: IntCounterVec,
    repairs: IntCounterVec,
    pub(crate) overload_level: IntGauge,
    overload_changes: IntCounterVec,
    joins_refused: IntCounterVec,
    tickets: IntCounterVec,
    pub(crate) draining: IntGauge,
    moved: IntCounterVec,
    heat: IntGaugeVec,
    heat_changes: IntCounterVec,
    push_seconds: ByClass<TracedHistogram>,
    top_deliveries: [Gauge; TOP_RANKS],
    pub(crate) notices_not_kept: IntCounter,
    pub(crate) attached: IntGauge,
    inbox_connections: IntGaugeVec,
    mail: IntCounterVec,
    pub(crate) bells: IntCounter,
    pub(crate) mail_losses: IntCounter,
    pub(crate) ledger: Ledger,
}

impl GatewayMetrics {
    /// Registers on `registry`. `ledger` is the process's account of messages.
    pub fn new(registry: &Registry, ledger: Ledger) -> Result<Self, prometheus::Error> {
        let new = Registrar(registry);
        Ok(GatewayMetrics {
            connections: new.gauge("barrage_gateway_connections", "Viewers now, fallbacks included.")?,
            rooms: new.gauge("barrage_gateway_rooms", "Rooms subscribed now.")?,
            overlays: new.gauge(
                "barrage_gateway_overlays",
                "Overlays among the connections, which no online count has; at most 2 s old.",
            )?,
            joins: new.counter("barrage_gateway_joins_total", "Viewers that were sent a hello.")?,
            batches: new.counter("barrage_gateway_batches_total", "Batches built.")?,
            writes: new.counter("barrage_gateway_writes_total", "Writes to viewers' sockets.")?,
            sent_bytes: new
                .counter("barrage_gateway_sent_bytes_total", "Bytes taken by viewers' sockets.")?,
            backlog_bytes: new.gauge("barrage_gateway_backlog_bytes", "Bytes queued for viewers.")?,
            client_frames: new
                .counter("barrage_gateway_client_frames_total", "Frames received from viewers.")?,
            pings: new.counter("barrage_gateway_pings_total", "Heartbeats of viewers answered.")?,
            clients: ClientMetrics::new(registry)?,
            deliveries: new.deliveries()?,
            dropped: new.counters(
                "barrage_gateway_left_out_total",
                "Messages dropped from viewers' streams.",
                &["class", "stage", "reason"],
            )?,
            closes: new.counters(
                "barrage_gateway_closes_total",
                "Connections closed by the server.",
                &["code"],
            )?,
            repairs: new.counters(
                "barrage_gateway_repairs_total",
                "Resumes and repairs answered.",
                &["outcome"],
            )?,
            overload_level: new.gauge(
                "barrage_gateway_overload_level",
                "Overload level: 0 normal, 1 coarse pulses, 2 no pulses, 3 thin chat, 4 joins refused.",
            )?,
            overload_changes: new.counters(
                "barrage_gateway_overload_changes_total",
                "Changes of the overload level, by the new level and the greatest pressure.",
                &["level", "pressure"],
            )?,
            joins_refused: new.counters(
                "barrage_gateway_joins_refused_total",
                "Joins refused.",
                &["reason"],
            )?,
            tickets: new.counters(
                "barrage_gateway_tickets_total",
                "Tickets presented, by outcome.",
                &["outcome"],
            )?,
            draining: new
                .gauge("barrage_gateway_draining", "1 while all viewers are sent to other gateways.")?,
            moved: new.counters(
                "barrage_gateway_viewers_moved_total",
                "Viewers sent to other gateways.",
                &["cause"],
            )?,
            heat: new.gauges("barrage_gateway_rooms_by_heat", "Rooms subscribed now, by heat.", &["heat"])?,
            heat_changes: new.counters(
                "barrage_gateway_heat_changes_total",
                "Changes of rooms' heat, by the new heat.",
                &["heat"],
            )?,
            push_seconds: new.push_seconds()?,
            top_deliveries: new.top_deliveries()?,
            notices_not_kept: new.counter(
                "barrage_gateway_notices_not_kept_total",
                "Notices sent once and not kept, because too many users have unacknowledged ones.",
            )?,
            attached: new
                .gauge("barrage_gateway_attached", "Viewers that are attached to the mail of their users.")?,
            inbox_connections: new.gauges(
                "barrage_gateway_inbox_connections",
                "Connections for the inbox alone, which are in no room; `barrage_gateway_connections` has them, too.",
                &["transport"],
            )?,
            mail: new.counters(
                "barrage_gateway_mail_frames_total",
                "Frames of mail for attached viewers, by fate; `took` counts all that arrived.",
                &["fate"],
            )?,
            bells: new.counter("barrage_gateway_bells_total", "Bells in the place of mail.")?,
            mail_losses: new.counter(
                "barrage_gateway_mail_losses_total",
                "Times that mail from a courier may be lost, after which all attached viewers are rung.",
            )?,
            ledger,
        }
        .with_all_series())
    }

    /// Shows traced push times as exemplars.
    #[must_use]
    pub fn with_exemplars(self, exemplars: &Exemplars) -> Self {
        for (class, seconds) in self.push_seconds.iter() {
            seconds.show_in(exemplars, PUSH_SECONDS, &[("class", class.label())]);
        }
        self
    }

    /// Creates every series at 0, so that a rate sees the first event.
    fn with_all_series(self) -> Self {
        for code in Code::ALL {
            self.closes.with_label_values(&[code.label()]);
        }
        for (class, stage, reason) in DROPPED {
            self.dropped(class, stage, reason, 0);
        }
        for transport in ["ws", "sse"] {
            self.inbox_connections.with_label_values(&[transport]);
        }
        for outcome in [RepairOutcome::Complete, RepairOutcome::Partial, RepairOutcome::Gone] {
            self.repairs.with_label_values(&[outcome.label()]);
        }
        for reason in JOIN_REFUSALS {
            self.joins_refused.with_label_values(&[reason]);
        }
        let refused = [
            TicketError::Forged,
            TicketError::WrongRoom,
            TicketError::Expired,
            TicketError::Used,
            TicketError::TooEarly { wait_ms: 0 },
        ];
        for outcome in refused.map(TicketError::label).into_iter().chain(["taken"]) {
            self.tickets.with_label_values(&[outcome]);
        }
        for level in Level::ALL {
            for axis in Axis::ALL {
                self.overload_changes.with_label_values(&[level.label(), axis.label()]);
            }
        }
        for cause in [Cause::Shutdown, Cause::Drain, Cause::GiveBack] {
            self.moved.with_label_values(&[cause.label()]);
        }
        self.mail(&MailCounts::default(), &MailCounts::default());
        for heat in Heat::ALL {
            self.heat.with_label_values(&[heat.label()]);
            self.heat_changes.with_label_values(&[heat.label()]);
        }
        self
    }

    /// Adds what one shard's mail has become since its last report.
    pub(crate) fn mail(&self, now: &MailCounts, reported: &MailCounts) {
        for (fate, now, reported) in [
            ("took", now.took, reported.took),
            ("delivered", now.delivered, reported.delivered),
            ("collapsed", now.collapsed, reported.collapsed),
            ("gone", now.gone, reported.gone),
        ] {
            self.mail.with_label_values(&[fate]).inc_by(now - reported);
        }
    }

    pub(crate) fn delivered(&self, class: Class, messages: u64) {
        self.deliveries[class as usize].inc_by(messages);
    }

    /// Counts messages that are not delivered. All drops are counted here.
    pub(crate) fn dropped(&self, class: Class, stage: &'static str, reason: &'static str, messages: u64) {
        self.dropped.with_label_values(&[class.label(), stage, reason]).inc_by(messages);
    }

    pub(crate) fn overload(&self, level: Level, axis: Axis) {
        self.overload_level.set(level as i64);
        self.overload_changes.with_label_values(&[level.label(), axis.label()]).inc();
    }

    pub(crate) fn join_refused(&self, reason: &'static str) {
        self.joins_refused.with_label_values(&[reason]).inc();
    }

    pub(crate) fn ticket(&self, outcome: &'static str) {
        self.tickets.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn moved(&self, cause: Cause) {
        self.moved.with_label_values(&[cause.label()]).inc();
    }

    /// Connections for the inbox alone, by their transport: `ws` or `sse`.
    pub(crate) fn inbox_connections(&self, transport: &'static str) -> IntGauge {
        self.inbox_connections.with_label_values(&[transport])
    }

    /// Counts a change of a room's heat; `None` is a room that is not subscribed.
    pub(crate) fn heat_changed(&self, before: Option<Heat>, after: Option<Heat>) {
        if let Some(before) = before {
            self.heat.with_label_values(&[before.label()]).dec();
        }
        if let Some(after) = after {
            self.heat.with_label_values(&[after.label()]).inc();
        }
        if let (Some(_), Some(after)) = (before, after) {
            self.heat_changes.with_label_values(&[after.label()]).inc();
        }
    }

    pub(crate) fn closed(&self, code: Code) {
        self.closes.with_label_values(&[code.label()]).inc();
    }

    /// Sets the deliveries a second of the hottest rooms, hottest first. Ranks without a room are 0.
    pub(crate) fn top_rooms(&self, deliveries_per_s: impl Iterator<Item = f64>) {
        for (rank, deliveries_per_s) in
            self.top_deliveries.iter().zip(deliveries_per_s.chain(std::iter::repeat(0.0)))
        {
            rank.set(deliveries_per_s);
        }
    }

    /// Records the time from a message's acceptance to the sockets of one shard's viewers, with the
    /// trace id of the message if it is traced.
    pub(crate) fn pushed(&self, class: Class, after: Duration, trace_id: Option<u128>) {
        if let Some(seconds) = self.push_seconds.get(class) {
            seconds.observe(after.as_secs_f64(), trace_id);
        }
    }

    pub(crate) fn repaired(&self, outcome: RepairOutcome) {
        self.repairs.with_label_values(&[outcome.label()]).inc();
    }

    /// Messages of all classes delivered so far, for the rate in the load report.
    pub(crate) fn deliveries(&self) -> u64 {
        self.deliveries.iter().map(IntCounter::get).sum()
    }
}

/// Creates metrics and registers them. Fails on a name that is taken.
struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn register<T: Collector + Clone + 'static>(&self, metric: T) -> Result<T, prometheus::Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.register(IntCounter::new(name, help)?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.register(IntGauge::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn deliveries(&self) -> Result<[IntCounter; 4], prometheus::Error> {
        let help = "Messages given to viewers' sockets or queues.";
        let deliveries = self.counters("barrage_gateway_deliveries_total", help, &["class"])?;
        Ok(Class::ALL.map(|class| deliveries.with_label_values(&[class.label()])))
    }

    fn top_deliveries(&self) -> Result<[Gauge; TOP_RANKS], prometheus::Error> {
        let help = "Deliveries a second of this gateway's hottest rooms, by rank. GET /v1/admin/top-rooms \
                    names the rooms.";
        let opts = Opts::new("barrage_room_top_deliveries", help);
        let ranks = self.register(GaugeVec::new(opts, &["rank"])?)?;
        Ok(std::array::from_fn(|at| ranks.with_label_values(&[&(at + 1).to_string()])))
    }

    fn push_seconds(&self) -> Result<ByClass<TracedHistogram>, prometheus::Error> {
        let help = "Time from acceptance until a shard has written to its viewers' sockets, of the oldest \
                    message of the class in a batch.";
        let bounds = PUSH_BOUNDS_MS.map(|ms| ms as f64 / 1_000.0);
        let opts = HistogramOpts::new(PUSH_SECONDS, help).buckets(bounds.to_vec());
        let seconds = self.register(HistogramVec::new(opts, &["class"])?)?;
        Ok(ByClass::from_fn(|class| {
            TracedHistogram::new(seconds.with_label_values(&[class.label()]), &bounds)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_series_exist_from_the_start() {
        let registry = Registry::new();
        let metrics = GatewayMetrics::new(&registry, Ledger::new(&registry).unwrap()).unwrap();
        let series = |name: &str| {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name() == name);
            family.map_or(0, |family| family.get_metric().len())
        };
        assert_eq!(series("barrage_gateway_closes_total"), Code::ALL.len());
        assert_eq!(series("barrage_gateway_left_out_total"), DROPPED.len());
        assert_eq!(series("barrage_gateway_repairs_total"), 3);
        assert_eq!(series("barrage_gateway_joins_refused_total"), JOIN_REFUSALS.len());
        assert_eq!(series("barrage_gateway_overload_changes_total"), Level::ALL.len() * Axis::ALL.len());
        assert_eq!(series(PUSH_SECONDS), 3, "signals, gifts and chat");
        metrics.closed(Code::Idle);
        assert_eq!(series("barrage_gateway_closes_total"), Code::ALL.len(), "no further series");
    }
}
