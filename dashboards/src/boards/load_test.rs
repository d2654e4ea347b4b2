//! A load test, beside the server that it loads.

use crate::grafana::{Dashboard, Row, Unit, heatmap, quantiles, row, series, stat};

use super::colours::{SUCCESS, ZERO};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "load-test",
        title: "Barrage / Load test",
        description: "What the load tester's viewers receive while a test runs (`barrage-loadtest run --metrics-listen`).",
        source: "barrage_loadtest_viewers",
        rows: vec![viewers(), load(), latency(), losses()],
    }
}

fn viewers() -> Row {
    row(
        "Are the test's viewers well?",
        [
            stat("Viewers", Unit::Count, "sum(barrage_loadtest_viewers{@})", "Viewers of the test that are connected."),
            stat("Viewers to the plan", Unit::Ratio, "sum(barrage_loadtest_viewers{@}) / sum(barrage_loadtest_viewers_wanted{@})", "Below 1, viewers wait or were refused.")
                .colours(SUCCESS),
            stat("Deliveries", Unit::PerSecond, "sum(rate(barrage_loadtest_deliveries_total{@}[$__rate_interval]))", "Messages that the test's viewers received."),
            stat(
                "Chat latency, p99",
                Unit::Seconds,
                r#"histogram_quantile(0.99, sum by (le) (rate(barrage_loadtest_latency_seconds_bucket{@,kind="chat"}[$__rate_interval])))"#,
                "From the intended send to the viewer, so that a stalled server is not hidden.",
            )
            .colours(&[("orange", 1.0), ("red", 2.0)]),
            stat("Gaps in message chains", Unit::Count, "sum(barrage_loadtest_gaps_total{@})", "Gaps that viewers found; the client repairs them. The report has the final balance.")
                .colours(ZERO),
            stat("Delay of the tester's timers, p99", Unit::Seconds, r#"histogram_quantile(0.99, sum by (le) (rate(barrage_loadtest_latency_seconds_bucket{@,kind="timer"}[$__rate_interval])))"#, "Above 5 ms the tester itself is too busy, and its latencies are too high: use more machines.")
                .colours(&[("orange", 0.002), ("red", 0.005)]),
        ],
    )
}

fn load() -> Row {
    row(
        "What load does the test make?",
        [
            series(
                "Viewers: wanted, connected, waiting",
                Unit::Count,
                "The plan, the connected viewers, and those that wait for their slot.",
            )
            .query("sum(barrage_loadtest_viewers_wanted{@})", "wanted")
            .query("sum(barrage_loadtest_viewers{@})", "connected")
            .query("sum(barrage_loadtest_waiting{@})", "waiting")
            .wide(8),
            series(
                "Joins and reconnects",
                Unit::PerSecond,
                "Reconnects without a fault of the scenario are closes by the server.",
            )
            .query("sum(rate(barrage_loadtest_joins_total{@}[$__rate_interval]))", "joins")
            .query("sum(rate(barrage_loadtest_reconnects_total{@}[$__rate_interval]))", "reconnects")
            .query("sum(rate(barrage_loadtest_moves_total{@}[$__rate_interval]))", "moves")
            .wide(8),
            series(
                "Posts by outcome",
                Unit::PerSecond,
                "`failed` posts had no answer; `refused` ones have a code in the report.",
            )
            .query(
                "sum by (outcome) (rate(barrage_loadtest_posts_total{@}[$__rate_interval]))",
                "{{outcome}}",
            )
            .wide(8),
        ],
    )
}

fn latency() -> Row {
    row(
        "How late are messages for the test's viewers?",
        [
            heatmap(
                "Chat: intended send to viewer",
                "barrage_loadtest_latency_seconds",
                r#"kind="chat""#,
                "Compare with `Chat: acceptance to socket` of Overview: the rest is the uplink, the bus and the network.",
            ),
            quantiles(
                "Latency by kind",
                "barrage_loadtest_latency_seconds",
                "",
                "kind",
                "`post` is the answer of the uplink, `join` the hello, `reconnect` the time without a connection, `timer` the tester's own delay.",
            ),
        ],
    )
}

fn losses() -> Row {
    row(
        "What did not arrive?",
        [
            series("Deliveries by class", Unit::PerSecond, "Messages that the test's viewers received.")
                .query("sum by (class) (rate(barrage_loadtest_deliveries_total{@}[$__rate_interval]))", "{{class}}")
                .stacked()
                .wide(8),
            series("Chat reported as dropped", Unit::PerSecond, "Drops that batches (`left out`) and repairs (`skipped`) announced to viewers. It is load that the server shed.")
                .query("sum by (how) (rate(barrage_loadtest_dropped_total{@}[$__rate_interval]))", "{{how}}")
                .wide(8),
            series("Connections refused and lost", Unit::PerSecond, "Connections that could not be opened, and those that ended without a wish of the test.")
                .query("sum(rate(barrage_loadtest_refusals_total{@}[$__rate_interval]))", "refused")
                .query("sum(rate(barrage_loadtest_closes_total{@}[$__rate_interval]))", "lost")
                .wide(8),
        ],
    )
}
