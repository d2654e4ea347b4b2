//! The bus and the archive: NATS in the eyes of the processes that use it.

use crate::grafana::{Dashboard, Row, Unit, heatmap, quantiles, row, series, stat};

use super::colours::ZERO;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "bus",
        title: "Barrage / Bus and archive",
        description: "Whether messages become durable, arrive at gateways, and reach the archive.",
        source: "barrage_bus_published_total",
        rows: vec![messages(), publish(), receive(), archive(), letters(), notifications(), webhooks()],
    }
}

fn messages() -> Row {
    row(
        "Are messages safe?",
        [
            stat("Messages durable", Unit::PerSecond, "sum(rate(barrage_bus_published_total{@}[$__rate_interval]))", "Messages that the bus has accepted."),
            stat(
                "Time to durable, p99",
                Unit::Seconds,
                "histogram_quantile(0.99, sum by (le) (rate(barrage_bus_publish_duration_seconds_bucket{@}[$__rate_interval])))",
                "Senders wait for it. Above 1 s: runbook of BarrageBusSlow.",
            )
            .colours(&[("orange", 0.2), ("red", 1.0)]),
            stat("Failed commits", Unit::PerSecond, "sum(rate(barrage_bus_log_failures_total{@}[$__rate_interval]))", "Senders get 503. Runbook of BarrageBusFailing.")
                .colours(&[("red", 0.001)]),
            stat("Connections lost, 1 h", Unit::Count, "sum(increase(barrage_bus_disconnects_total{@}[1h]))", "Processes read again what they missed. More than 3 in 10 min: runbook of BarrageBusDisconnected.")
                .colours(&[("orange", 1.0)]),
            stat("Archive behind", Unit::Count, "max(barrage_archiver_lag_messages{@})", "Messages that are durable and not yet in the archive. Runbook of BarrageArchiverLag.")
                .colours(&[("orange", 1_000.0), ("red", 10_000.0)]),
            stat("Messages unaccounted for", Unit::Count, "sum(abs(barrage_fleet_conservation_error{@})) or vector(0)", "Anything but 0 is a defect: runbook of BarrageMessagesUnaccounted.")
                .colours(ZERO),
        ],
    )
}

fn publish() -> Row {
    row(
        "Do messages become durable, and how fast?",
        [
            heatmap("Time to durable", "barrage_bus_publish_duration_seconds", "", "The lowest band is the usual commit. A higher band is a change of leader, or a slow disk of one server."),
            quantiles("Time to durable, by uplink", "barrage_bus_publish_duration_seconds", "", "instance", "One slow uplink is its network; all slow is the leader of the stream."),
            series("Messages by class", Unit::PerSecond, "Messages accepted durably. Likes are not in the log.")
                .query("sum by (class) (rate(barrage_bus_published_total{@}[$__rate_interval]))", "{{class}}")
                .stacked()
                .wide(8),
            series("Messages in a commit", Unit::Factor, "The mean over all commits. It rises with the load, as commits share one write.")
                .query("sum(rate(barrage_bus_commit_messages_sum{@}[$__rate_interval])) / sum(rate(barrage_bus_commit_messages_count{@}[$__rate_interval]))", "messages")
                .may_be_empty("commits are counted by the log of a single process, not by NATS")
            .wide(8),
            series("Publishes that failed or were repeated", Unit::PerSecond, "`repeated` are retries of clients, which the log recognises. `queue full`: the bus is slower than the posts.")
                .query("sum(rate(barrage_bus_log_failures_total{@}[$__rate_interval]))", "failed")
                .query("sum(rate(barrage_bus_refused_total{@}[$__rate_interval]))", "queue full")
                .query("sum(rate(barrage_bus_duplicates_total{@}[$__rate_interval]))", "repeated")
                .wide(8),
        ],
    )
}

fn receive() -> Row {
    row(
        "Do messages arrive at the gateways?",
        [
            series(
                "Connections lost",
                Unit::PerSecond,
                "Processes that lost NATS, by instance. All at once: a server of NATS ended.",
            )
            .query("rate(barrage_bus_disconnects_total{@}[$__rate_interval])", "{{instance}}")
            .wide(8),
            series(
                "Gaps read again",
                Unit::PerSecond,
                "Gaps that were filled from the log: nothing was lost. They follow a lost connection.",
            )
            .query("rate(barrage_bus_gaps_total{@}[$__rate_interval])", "{{instance}}")
            .wide(8),
            series(
                "Slow subscriptions",
                Unit::PerSecond,
                "Messages that found their channel full. Runbook of BarrageBusSlowConsumer.",
            )
            .query("rate(barrage_bus_slow_subscriptions_total{@}[$__rate_interval])", "{{instance}}")
            .wide(8),
        ],
    )
}

fn archive() -> Row {
    row(
        "Does the archive follow?",
        [
            series("Archived, by class", Unit::PerSecond, "It should follow the messages of the bus.")
                .query("sum by (class) (rate(barrage_archiver_archived_total{@}[$__rate_interval]))", "{{class}}")
                .stacked()
                .wide(8),
            series("Messages behind", Unit::Count, "The log keeps messages for `bus.log_secs`, one day by default: the archive must catch up within it.")
                .query("barrage_archiver_lag_messages{@}", "{{instance}}")
                .wide(8),
            series("Failures of the archiver", Unit::PerSecond, "Each is retried: nothing is skipped. Runbook of BarrageArchiverFailing.")
                .query("sum(rate(barrage_archiver_store_failures_total{@}[$__rate_interval]))", "store")
                .query("sum(rate(barrage_archiver_bus_failures_total{@}[$__rate_interval]))", "bus")
                .query("sum(rate(barrage_archiver_unreadable_total{@}[$__rate_interval]))", "unreadable")
                .wide(8),
        ],
    )
}

fn letters() -> Row {
    row(
        "Do letters arrive?",
        [
            series("Events of letters and groups, by outcome", Unit::PerSecond, "`refused` came too late for a refusal by the uplink: the sender's inbox says so.")
                .query("sum by (outcome) (rate(barrage_courier_events_total{@}[$__rate_interval]))", "{{outcome}}")
                .may_be_empty("a site without letters has none")
                .wide(8),
            series("Age of the oldest letter that waits", Unit::Seconds, "It rises while the database is away. Runbook of BarrageCourierBehind.")
                .query("max by (lane) (barrage_courier_lag_seconds{@})", "lane {{lane}}")
                .may_be_empty("a site without letters has none")
                .wide(8),
            series("Failures of the courier, and wrong numbers", Unit::Count, "Failures are retried: nothing is skipped but what cannot be read. Runbook of BarrageUnreadWrong.")
                .query("sum(increase(barrage_courier_store_failures_total{@}[$__rate_interval]))", "tables")
                .query("sum(increase(barrage_courier_lane_failures_total{@}[$__rate_interval]))", "lanes")
                .query("sum(increase(barrage_courier_unreadable_total{@}[$__rate_interval]))", "unreadable")
                .query("sum(increase(barrage_inbox_unread_error_total{@}[$__rate_interval]))", "wrong numbers")
                .may_be_empty("a site without letters has none")
                .wide(8),
        ],
    )
}

fn notifications() -> Row {
    row(
        "Do notifications arrive?",
        [
            series(
                "Notifications, by what became of them",
                Unit::PerSecond,
                "`dropped` was read, is not wanted, or is seen already. `exhausted` failed for good.",
            )
            .query("sum by (fate) (rate(barrage_push_notifications_total{@}[$__rate_interval]))", "{{fate}}")
            .query(
                "sum(rate(barrage_push_live_followers_total{@}[$__rate_interval]))",
                "followers of live hosts",
            )
            .query("sum(rate(barrage_push_badges_lowered_total{@}[$__rate_interval]))", "lowered badges")
            .may_be_empty("a site without push services sends none")
            .wide(8),
            series(
                "Requests to push services, by outcome",
                Unit::PerSecond,
                "`taken` is the usual one; `gone` removes a device. Runbook of BarragePushMisconfigured.",
            )
            .query(
                "sum by (service, outcome) (rate(barrage_push_requests_total{@}[$__rate_interval]))",
                "{{service}} {{outcome}}",
            )
            .may_be_empty("a site without push services sends none")
            .wide(8),
            series(
                "Notifications that wait",
                Unit::Count,
                "Those of services that are down wait for their next attempt. Runbook of BarragePushBehind.",
            )
            .query("max(barrage_push_waiting{@})", "waiting")
            .query("max(barrage_push_late_seconds{@})", "seconds for which the oldest is due")
            .query(
                "sum(increase(barrage_push_failures_total{@}[$__rate_interval]))",
                "failures of the tables",
            )
            .query(
                "sum(increase(barrage_push_devices_forgotten_total{@}[$__rate_interval]))",
                "forgotten devices",
            )
            .may_be_empty("a site without push services has none")
            .wide(8),
        ],
    )
}

fn webhooks() -> Row {
    row(
        "Do webhooks arrive?",
        [
            series("Requests, by outcome", Unit::PerSecond, "`delivered` is the usual one. `throttled` obeys the receiver, `exhausted` is an event that failed for good.")
                .query("sum by (endpoint, outcome) (rate(barrage_webhooks_attempts_total{@}[$__rate_interval]))", "{{endpoint}} {{outcome}}")
                .may_be_empty("a site without receivers sends none")
                .wide(8),
            series("Events that wait", Unit::Count, "Beyond `webhooks.pending_max` chat is dropped. Runbook of BarrageWebhooksBehind.")
                .query("max by (endpoint) (barrage_webhooks_pending{@})", "{{endpoint}}")
                .may_be_empty("a site without receivers has none")
                .wide(8),
            series("Age of the oldest event", Unit::Seconds, "It rises while a receiver is away.")
                .query("max by (endpoint) (barrage_webhooks_oldest_pending_seconds{@})", "{{endpoint}}")
                .may_be_empty("a site without receivers has none")
                .wide(8),
            series("Time of a request, p99", Unit::Seconds, "The receiver's own time, with the network.")
                .query("histogram_quantile(0.99, sum by (endpoint, le) (rate(barrage_webhooks_request_duration_seconds_bucket{@}[$__rate_interval])))", "{{endpoint}}")
                .may_be_empty("a site without receivers has none")
                .wide(8),
            series("Events stored, and chat dropped", Unit::PerSecond, "Dropped chat has no event. Runbook of BarrageWebhooksLosing.")
                .query("sum by (endpoint) (rate(barrage_webhooks_events_total{@}[$__rate_interval]))", "{{endpoint}} stored")
                .query("sum by (endpoint) (rate(barrage_webhooks_dropped_total{@}[$__rate_interval]))", "{{endpoint}} dropped")
                .may_be_empty("a site without receivers has none")
                .wide(8),
            series("Disabled receivers, and failures", Unit::Count, "Runbook of BarrageWebhooksDisabled. Failures of bus and store are retried.")
                .query("max by (endpoint) (barrage_webhooks_disabled{@})", "{{endpoint}} disabled")
                .query("sum(increase(barrage_webhooks_failures_total{@}[$__rate_interval]))", "failures")
                .may_be_empty("a site without receivers has none")
                .wide(8),
        ],
    )
}
