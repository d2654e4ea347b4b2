//! Gateways: use, saturation, errors, by instance.

use crate::grafana::{Dashboard, Row, Unit, heatmap, quantiles, row, series, stat};

use super::colours::ZERO;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "gateway",
        title: "Barrage / Gateway",
        description: "Whether a gateway is full, late or draining. Choose an instance to see it alone.",
        source: "barrage_gateway_connections",
        rows: vec![viewers(), full(), late(), joins(), clients(), slow(), drain()],
    }
}

fn viewers() -> Row {
    row(
        "Are viewers well?",
        [
            stat("Viewers", Unit::Count, "sum(barrage_gateway_connections{@})", "Viewers connected to the chosen gateways."),
            stat("Gateways", Unit::Count, "count(barrage_gateway_connections{@})", "Gateways that Prometheus scrapes. Fewer than expected: look at Autoscaler."),
            stat(
                "Highest overload level",
                Unit::Count,
                "max(barrage_gateway_overload_level{@})",
                "0 normal, 1 coarse pulses, 2 no pulses, 3 thin chat, 4 joins refused. At 3 or more: runbook of BarrageGatewayOverloaded.",
            )
            .colours(&[("orange", 1.0), ("red", 3.0)]),
            stat(
                "Fullest gateway to the mean",
                Unit::Factor,
                "max(barrage_gateway_connections{@}) / avg(barrage_gateway_connections{@})",
                "1 is an even spread. Above 1.5 for long: runbook of BarrageGatewaySkew.",
            )
            .colours(&[("orange", 1.3), ("red", 1.5)])
            .may_be_empty("without viewers the mean is 0"),
            stat("Gateways draining", Unit::Count, "sum(barrage_gateway_draining{@})", "Gateways that send their viewers to others: a scale-in or a rollout.")
                .colours(&[("orange", 1.0)]),
            stat(
                "Viewers closed as slow",
                Unit::PerSecond,
                r#"sum(rate(barrage_gateway_closes_total{@,code="slow_viewer"}[$__rate_interval]))"#,
                "Connections that read more slowly than messages arrive. A burst at one gateway is its network; at all, a room too hot for phones.",
            )
            .colours(ZERO),
        ],
    )
}

fn full() -> Row {
    row(
        "Is a gateway full?",
        [
            series("Viewers by gateway", Unit::Count, "Compare with the measured knee of a gateway (`barrage-loadtest capacity`).")
                .query("barrage_gateway_connections{@}", "{{instance}}")
                .wide(8),
            series("Overload level", Unit::Count, "Steps up are load being shed; the annotation names the pressure.")
                .query("barrage_gateway_overload_level{@}", "{{instance}}")
                .wide(8),
            series("CPU", Unit::Factor, "Cores in use. Near the limit of the pod, batches are late: more gateways, not larger ones.")
                .query("rate(process_cpu_seconds_total{@}[$__rate_interval]) and on (cluster, namespace, instance) barrage_gateway_connections{@}", "{{instance}}")
                .wide(8),
            series("Resident memory", Unit::Bytes, "The kernel kills a process at its limit. A steady climb with steady viewers is a leak. Runbook of BarrageMemoryLow.")
                .query("process_resident_memory_bytes{@} and on (cluster, namespace, instance) barrage_gateway_connections{@}", "{{instance}}")
                .query("barrage_process_memory_limit_bytes{@} and on (cluster, namespace, instance) barrage_gateway_connections{@}", "{{instance}} limit")
                .wide(8),
            series("Bytes sent", Unit::BytesPerSecond, "Compare with the network of the node and with `gateway.egress_bytes_per_s`.")
                .query("rate(barrage_gateway_sent_bytes_total{@}[$__rate_interval])", "{{instance}}")
                .wide(8),
            series("File descriptors in use", Unit::Ratio, "Each viewer takes one. Above 80 %: runbook of BarrageFileDescriptorsLow.")
                .query("process_open_fds{@} / process_max_fds{@} and on (cluster, namespace, instance) barrage_gateway_connections{@}", "{{instance}}")
                .wide(8),
        ],
    )
}

fn late() -> Row {
    row(
        "Are messages late?",
        [
            heatmap(
                "Gifts: acceptance to socket",
                "barrage_gateway_push_seconds",
                r#"class="gift""#,
                "Gifts do not wait for a window. Anything above some 100 ms is the bus or a busy gateway.",
            ),
            quantiles(
                "Acceptance to socket, by gateway",
                "barrage_gateway_push_seconds",
                "",
                "instance",
                "One late gateway: drain it and look at its node. All late: look at the dashboard Bus.",
            ),
        ],
    )
}

fn joins() -> Row {
    row(
        "Can viewers join?",
        [
            series("Joins", Unit::PerSecond, "Viewers that were sent a hello. A peak without an event is a reconnect after closes.")
                .query("rate(barrage_gateway_joins_total{@}[$__rate_interval])", "{{instance}}")
                .wide(8),
            series("Joins refused, by reason", Unit::PerSecond, "`joins_per_s` and `overload` are a full gateway; `draining` is normal; `unavailable` is the bus.")
                .query("sum by (reason) (rate(barrage_gateway_joins_refused_total{@}[$__rate_interval]))", "{{reason}}")
                .wide(8),
            series("Tickets, by outcome", Unit::PerSecond, "Entry gives tickets while gateways are full. `forged` in numbers: the gateways have other keys than entry.")
                .query("sum by (outcome) (rate(barrage_gateway_tickets_total{@}[$__rate_interval]))", "{{outcome}}")
                .wide(8),
        ],
    )
}

fn clients() -> Row {
    row(
        "Which clients are there?",
        [
            series("Joins, by client and version", Unit::PerSecond, "`none` states no facts: clients of version 1.0. `other` is beyond gateway.client_versions_max, or forged.")
                .query("sum by (client, version) (rate(barrage_gateway_client_joins_total{@}[$__rate_interval]))", "{{client}} {{version}}")
                .wide(8),
            series("Joins, by network", Unit::PerSecond, "Browsers on desktops state no network.")
                .query("sum by (network) (rate(barrage_gateway_client_networks_total{@}[$__rate_interval]))", "{{network}}")
                .wide(8),
            series("Closed for silence, by network", Unit::PerSecond, "A rise at one network: its NATs drop connections early. `barrage switch set fixed-heartbeat true` stops the clients' search for longer intervals.")
                .query("sum by (network) (rate(barrage_gateway_idle_closes_total{@}[$__rate_interval]))", "{{network}}")
                .wide(8),
        ],
    )
}

fn slow() -> Row {
    row(
        "Do viewers read fast enough?",
        [
            series("Bytes queued for viewers", Unit::Bytes, "Messages that sockets have not taken yet. A rise at one gateway is its network.")
                .query("barrage_gateway_backlog_bytes{@}", "{{instance}}")
                .wide(8),
            series("Connections closed by the server, by code", Unit::PerSecond, "docs/reference/errors.md explains each code and what the client does next.")
                .query("sum by (code) (rate(barrage_gateway_closes_total{@}[$__rate_interval]))", "{{code}}")
                .wide(8),
            series("Frames from viewers", Unit::PerSecond, "Heartbeats and acknowledgements. Far more than the viewers' number in 10 s: a broken client.")
                .query("rate(barrage_gateway_client_frames_total{@}[$__rate_interval])", "{{instance}}")
                .wide(8),
        ],
    )
}

fn drain() -> Row {
    row(
        "Is a drain getting on?",
        [
            series("Viewers of draining gateways", Unit::Count, "It falls to 0 before the gateway ends. Level for minutes: runbook of BarrageGatewayDrainStuck.")
                .query("barrage_gateway_connections{@} and on (cluster, namespace, instance) barrage_gateway_draining{@} == 1", "{{instance}}")
                .may_be_empty("no gateway drains"),
            series("Viewers moved, by cause", Unit::PerSecond, "Viewers sent to other gateways: by a drain, a shutdown, or a give-back after a scale-out.")
                .query("sum by (cause) (rate(barrage_gateway_viewers_moved_total{@}[$__rate_interval]))", "{{cause}}"),
        ],
    )
}
