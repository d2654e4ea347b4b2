//! Entry: where newcomers are sent, how long they wait, and who is turned away.

use crate::grafana::{Dashboard, Row, Unit, heatmap, quantiles, row, series, stat};

use super::colours::ZERO;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "entry",
        title: "Barrage / Entry",
        description: "Whether newcomers find a gateway, how long they wait, and how evenly they are spread.",
        source: "barrage_entry_open_gateways",
        rows: vec![newcomers(), placing(), waiting(), spread()],
    }
}

fn newcomers() -> Row {
    row(
        "Are newcomers well?",
        [
            stat("Entry queries", Unit::PerSecond, "sum(rate(barrage_entry_answers_total{@}[$__rate_interval]))", "Each newcomer and each reconnect asks once."),
            stat("Queries without a gateway", Unit::PerSecond, "sum(rate(barrage_entry_empty_total{@}[$__rate_interval]))", "Newcomers that were named no gateway. Above 0: runbook of BarrageEntryNoGateway.")
                .colours(&[("red", 0.001)]),
            stat("Open gateways", Unit::Count, "min(barrage_entry_open_gateways{@})", "Gateways with headroom, in the view of the entry that sees the fewest.")
                .colours(&[("red", f64::NEG_INFINITY), ("green", 1.0)]),
            stat("Turned away", Unit::PerSecond, "sum(rate(barrage_entry_turned_away_total{@}[$__rate_interval]))", "Newcomers with a time to come back, without a place in the queue.")
                .colours(&[("orange", 0.001)]),
            stat(
                "Wait for a slot, p90",
                Unit::Seconds,
                "histogram_quantile(0.9, sum by (le) (rate(barrage_entry_ticket_wait_seconds_bucket{@}[$__rate_interval])))",
                "One newcomer in ten waits longer. Above 30 s: runbook of BarrageEntryWaitLong.",
            )
            .colours(&[("orange", 10.0), ("red", 30.0)])
            .may_be_empty("no newcomer waits while gateways have headroom"),
            stat("Entries without load reports", Unit::Count, "sum(barrage_entry_blind{@})", "These keep the last weights. Above 0: runbook of BarrageEntryBlind.")
                .colours(ZERO),
        ],
    )
}

fn placing() -> Row {
    row(
        "Does entry answer, and with what?",
        [
            series("Answers", Unit::PerSecond, "Queries by answer. A peak of all is a reconnect of many viewers.")
                .query("sum(rate(barrage_entry_answers_total{@}[$__rate_interval]))", "answered")
                .query("sum(rate(barrage_entry_empty_total{@}[$__rate_interval]))", "without a gateway")
                .wide(8),
            series("Requests by route and status", Unit::PerSecond, "4xx are refusals of clients; 5xx are errors of entry.")
                .query(r#"sum by (route, status) (rate(barrage_http_requests_total{@,route=~"/v1/entry.*"}[$__rate_interval])) > 0"#, "{{route}} {{status}}")
                .wide(8),
            series("Open gateways, by entry", Unit::Count, "All entries should see the same number. One that differs has lost the bus.")
                .query("barrage_entry_open_gateways{@}", "{{instance}}")
                .wide(8),
        ],
    )
}

fn waiting() -> Row {
    row(
        "How long do newcomers wait?",
        [
            heatmap("Wait for the slot of a ticket", "barrage_entry_ticket_wait_seconds", "", "Waits that entry gave while gateways were full. Many long ones: the fleet is too small or starts too slowly.").wide(8),
            series("Turned away, by reason", Unit::PerSecond, "`fleet_full`: more gateways. `queue_full`: a stampede beyond the queue. `address`: one address asks too often.")
                .query("sum by (reason) (rate(barrage_entry_turned_away_total{@}[$__rate_interval]))", "{{reason}}")
                .wide(8),
            series("Connections refused or cut, by reason", Unit::PerSecond, "Refused: the server or one address has no free slot; `address_connections_max` in numbers is a proxy that hides addresses. Cut: a client flooded HTTP/2.")
                .query("sum by (reason) (rate(barrage_http_connections_refused_total{@}[$__rate_interval]))", "{{reason}}")
                .query("sum by (reason) (rate(barrage_http_connections_cut_total{@}[$__rate_interval]))", "cut: {{reason}}")
                .wide(8),
        ],
    )
}

fn spread() -> Row {
    row(
        "Do clients reach the gateways that entry names?",
        [
            quantiles("Race: time to the first gateway", "barrage_entry_race_seconds", "", "", "Reported by clients that race several gateways. A slow tail is a region without a near gateway.").wide(8),
            series("Race: gateways that did not answer", Unit::PerSecond, "Reported by clients. Above 0 with a well probe: a network between some users and one gateway.")
                .query("sum(rate(barrage_entry_race_failures_total{@}[$__rate_interval]))", "failures")
                .wide(8),
            series("Addresses with a grant", Unit::Count, "Addresses that may ask again without a wait. At 100,000 further ones are not counted.")
                .query("barrage_entry_granted_networks{@}", "{{instance}}")
                .wide(8),
            series("Newcomers by the place of their first gateway", Unit::PerSecond, "`near`: the newcomer's region and carrier. `unknown`: no region file, or an address that is not in it. A rising share of `other_region`: runbook of BarrageEntryPlacesFar.")
                .query("sum by (place) (rate(barrage_entry_placed_total{@}[$__rate_interval]))", "{{place}}")
                .wide(8),
            series("Race: results that count for nothing", Unit::PerSecond, "`unknown`: no such endpoint. `repeated`: twice in one report. `all_failed`: the client's network was away. `table_full`: too many pairs of a location and an endpoint.")
                .query("sum by (reason) (rate(barrage_entry_race_ignored_total{@}[$__rate_interval]))", "{{reason}}")
                .wide(8),
            series("Race: pairs with times", Unit::Count, "Pairs of a location and an endpoint with race times. At 8,192 further ones are ignored.")
                .query("barrage_entry_race_pairs{@}", "{{instance}}")
                .wide(8),
        ],
    )
}
