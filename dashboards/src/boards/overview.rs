//! What viewers feel, over all parts: the dashboard to open first.

use crate::grafana::{Dashboard, Row, Unit, heatmap, quantiles, row, series, stat};

use super::colours::{SUCCESS, ZERO};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "overview",
        title: "Barrage / Overview",
        description: "What viewers feel, and which part to look at next. Open this one first.",
        source: "barrage_build_info",
        rows: vec![viewers(), delay(), budget(), volume(), parts(), probes(), traces()],
    }
}

fn viewers() -> Row {
    row(
        "Are viewers well?",
        [
            stat(
                "Viewers",
                Unit::Count,
                "sum(barrage_gateway_connections{@})",
                "Viewers connected now. After a sudden drop, look at closes and restarts on the dashboard Gateway.",
            ),
            stat(
                "Chat shown within 1 s",
                Unit::Ratio,
                r#"sum(rate(barrage_gateway_push_seconds_bucket{@,class="chat",le=~"1(\\.0)?"}[$__rate_interval])) / sum(rate(barrage_gateway_push_seconds_count{@,class="chat"}[$__rate_interval]))"#,
                "Below 99 %, find the late gateways on the dashboard Gateway; if all are late, look at the dashboard Bus.",
            )
            .colours(SUCCESS),
            stat(
                "Gifts shown within 10 s",
                Unit::Ratio,
                r#"sum(rate(barrage_gateway_push_seconds_bucket{@,class="gift",le=~"10(\\.0)?"}[$__rate_interval])) / sum(rate(barrage_gateway_push_seconds_count{@,class="gift"}[$__rate_interval]))"#,
                "A gift is never dropped, but it may be late. Below 100 %, look at the dashboard Bus and at slow viewers on Gateway.",
            )
            .colours(SUCCESS),
            stat(
                "Posts without a server error",
                Unit::Ratio,
                r#"1 - (sum(rate(barrage_http_requests_total{@,route=~"/v1/rooms/.room./(messages|packages)",status="5xx"}[$__rate_interval])) or vector(0)) / sum(rate(barrage_http_requests_total{@,route=~"/v1/rooms/.room./(messages|packages)"}[$__rate_interval]))"#,
                "Refusals by a limit are no errors. Below 99.9 %, look at the dashboard Uplink: its refusals name the code.",
            )
            .colours(SUCCESS),
            stat(
                "Joins admitted",
                Unit::Ratio,
                r#"sum(rate(barrage_gateway_joins_total{@}[$__rate_interval])) / (sum(rate(barrage_gateway_joins_total{@}[$__rate_interval])) + sum(rate(barrage_gateway_joins_refused_total{@,reason!="draining"}[$__rate_interval])))"#,
                "Below 99.9 %, gateways are full: look at the dashboards Entry and Autoscaler.",
            )
            .colours(SUCCESS),
            stat(
                "Messages unaccounted for",
                Unit::Count,
                "sum(abs(barrage_fleet_conservation_error{@})) or vector(0)",
                "Anything but 0 is a defect: follow the runbook of BarrageMessagesUnaccounted.",
            )
            .colours(ZERO),
        ],
    )
}

fn delay() -> Row {
    row(
        "How late are messages?",
        [
            heatmap(
                "Chat: acceptance to socket",
                "barrage_gateway_push_seconds",
                r#"class="chat""#,
                "Time from the acceptance of a chat message to the viewer's socket. The batch window is part of it. A second band above the first is a group of late gateways.",
            ),
            quantiles(
                "Acceptance to socket, by class",
                "barrage_gateway_push_seconds",
                "",
                "class",
                "Gifts and signals do not wait for a window. When they are as late as chat, the bus or the gateways are slow.",
            ),
        ],
    )
}

fn budget() -> Row {
    row(
        "How much error budget is left?",
        [
            series(
                "Errors, share of 1 h",
                Unit::Ratio,
                "Shares of failures over the last hour, by objective. Each objective has its alert with two windows.",
            )
            .query(r#"cluster:barrage_push_late:ratio_rate1h{cluster=~"$cluster",namespace=~"$namespace"}"#, "chat later than 1 s")
            .query(r#"cluster:barrage_gift_late:ratio_rate1h{cluster=~"$cluster",namespace=~"$namespace"}"#, "gifts later than 10 s")
            .query(r#"cluster:barrage_post_errors:ratio_rate1h{cluster=~"$cluster",namespace=~"$namespace"}"#, "posts with a server error")
            .query(r#"cluster:barrage_join_errors:ratio_rate1h{cluster=~"$cluster",namespace=~"$namespace"}"#, "joins refused")
            .query(r#"cluster:barrage_probe_errors:ratio_rate1h{cluster=~"$cluster",namespace=~"$namespace"}"#, "probes failed"),
            series(
                "Error budget left, of 3 days",
                Unit::Ratio,
                "1 is an untouched budget, 0 a spent one. Below 0.5, put off risky changes; below 0, only repairs go out.",
            )
            .query(r#"1 - cluster:barrage_push_late:ratio_rate3d{cluster=~"$cluster",namespace=~"$namespace"} / 0.01"#, "chat within 1 s")
            .query(r#"1 - cluster:barrage_gift_late:ratio_rate3d{cluster=~"$cluster",namespace=~"$namespace"} / 0.001"#, "gifts within 10 s")
            .query(r#"1 - cluster:barrage_post_errors:ratio_rate3d{cluster=~"$cluster",namespace=~"$namespace"} / 0.001"#, "posts accepted")
            .query(r#"1 - cluster:barrage_join_errors:ratio_rate3d{cluster=~"$cluster",namespace=~"$namespace"} / 0.001"#, "joins admitted")
            .query(r#"1 - cluster:barrage_probe_errors:ratio_rate3d{cluster=~"$cluster",namespace=~"$namespace"} / 0.001"#, "probes shown"),
        ],
    )
}

fn volume() -> Row {
    row(
        "How many messages are there, and how many are dropped?",
        [
            series(
                "Deliveries by class",
                Unit::PerSecond,
                "Messages given to viewers' sockets: one message to 1,000 viewers is 1,000 deliveries.",
            )
            .query("sum by (class) (rate(barrage_gateway_deliveries_total{@}[$__rate_interval]))", "{{class}}")
            .stacked()
            .wide(8),
            series(
                "Posts by outcome",
                Unit::PerSecond,
                "Held posts are over the display quota of their room. A rise without more broadcasts is one busy room: look at Rooms.",
            )
            .query("sum by (outcome) (rate(barrage_uplink_posts_total{@}[$__rate_interval]))", "{{outcome}}")
            .stacked()
            .wide(8),
            series(
                "Messages dropped, by class and stage",
                Unit::PerSecond,
                "Drops at the hub are shed load; drops at a viewer are a slow or lost connection. A dropped gift is repaired by the client.",
            )
            .query("sum by (class, stage, reason) (rate(barrage_gateway_left_out_total{@}[$__rate_interval]))", "{{class}} at {{stage}}: {{reason}}")
            .wide(8),
        ],
    )
}

fn parts() -> Row {
    row(
        "Which part is unwell?",
        [
            series(
                "Processes by role and version",
                Unit::Count,
                "Two versions of a role outside a rollout are a stuck rollout: see the runbook of BarrageVersionSkew.",
            )
            .query("count by (role, version) (barrage_build_info{@})", "{{role}} {{version}}")
            .wide(8),
            series(
                "Firing alerts",
                Unit::Count,
                "Each alert has a runbook in docs/operations.md. BarrageWatchdog fires always: its absence means that alerts do not arrive.",
            )
            .query(r#"count by (alertname, severity) (ALERTS{alertname=~"Barrage.*",alertstate="firing"})"#, "{{alertname}} ({{severity}})")
            .wide(8),
            series(
                "Dependencies and switches",
                Unit::Count,
                "0 is well. A breaker at 2 is open: the dependency is not called. Switches set: `barrage switch list` names them.",
            )
            .query("max by (breaker) (barrage_breaker_state{@})", "breaker {{breaker}}")
            .query("count(max by (switch) (barrage_switch_on{@}) > 0) or vector(0)", "switches set")
            .query("max(barrage_quota_fallback{@})", "limits without Redis")
            .query("max(barrage_entry_blind{@})", "entry without load reports")
            .wide(8),
        ],
    )
}

fn probes() -> Row {
    row(
        "Do probes arrive?",
        [
            series(
                "Probes by outcome",
                Unit::PerSecond,
                "A probe is a message through the public path to each gateway in turn. Failures with well viewers point to the probe's own network.",
            )
            .query("sum by (outcome) (rate(barrage_probe_attempts_total{@}[$__rate_interval]))", "{{outcome}}")
            .wide(8),
            quantiles(
                "Probes: time by phase",
                "barrage_probe_phase_seconds",
                "",
                "phase",
                "The slow phase names the part: entry, connect and join (gateway), post (uplink and bus), deliver (bus and gateway).",
            )
            .wide(8),
            series(
                "Gateways by their last probes",
                Unit::Count,
                "A gateway counts as down after several failed probes in a row: see the runbook of BarrageProbeGatewayDown.",
            )
            .query("sum(barrage_probe_gateway_up{@})", "up")
            .query("count(barrage_probe_gateway_up{@} == 0) or vector(0)", "down")
            .wide(8),
        ],
    )
}

fn traces() -> Row {
    row(
        "Do traces arrive?",
        [
            series(
                "Spans, by outcome",
                Unit::PerSecond,
                "Tracing is off by default. `dropped` spans found the queue full, `failed` ones no collector: messages are not affected.",
            )
            .query("sum by (outcome) (rate(barrage_trace_spans_total{@}[$__rate_interval]))", "{{outcome}}"),
            series(
                "Posts beyond the cap of traces",
                Unit::PerSecond,
                "Posts within their share of traces that were not traced, because of the cap. Lower the share to keep traces even.",
            )
            .query("sum(rate(barrage_trace_capped_total{@}[$__rate_interval]))", "not traced"),
        ],
    )
}
