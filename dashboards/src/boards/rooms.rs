//! Rooms by heat: which rooms are hot, and what is done to keep them readable.

use crate::grafana::{Dashboard, Row, Unit, quantiles, row, series, stat};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "rooms",
        title: "Barrage / Rooms by heat",
        description: "How hot rooms are, and how much of their chat is shown. `GET /v1/admin/top-rooms` on a gateway names the rooms.",
        source: "barrage_gateway_rooms",
        rows: vec![viewers(), heat(), shown(), repairs()],
    }
}

fn viewers() -> Row {
    row(
        "Are viewers of hot rooms well?",
        [
            stat(
                "Celebrity rooms",
                Unit::Count,
                r#"sum(barrage_gateway_rooms_by_heat{@,heat="celebrity"})"#,
                "Rooms of the hottest tier, counted once for each gateway that serves them.",
            )
            .wide(6),
            stat(
                "Chat posts shown",
                Unit::Ratio,
                r#"sum(rate(barrage_uplink_posts_total{@,class="chat",outcome="broadcast"}[$__rate_interval])) / sum(rate(barrage_uplink_posts_total{@,class="chat"}[$__rate_interval]))"#,
                "Share of chat that its room's display quota let through. A low share is by design in a crowd; raise `room_display_chat_per_s` with care.",
            )
            .wide(6),
            stat(
                "Chat dropped at gateways",
                Unit::PerSecond,
                r#"sum(rate(barrage_gateway_left_out_total{@,class="chat"}[$__rate_interval]))"#,
                "Chat that was accepted and not delivered. Above 0 for minutes, gateways are too few: look at Gateway.",
            )
            .wide(6),
            stat(
                "Hottest room",
                Unit::PerSecond,
                r#"max(sum by (rank) (barrage_room_top_deliveries{@,rank="1"}))"#,
                "Deliveries per second of the hottest room of each gateway, summed. `GET /v1/admin/top-rooms` has its name.",
            )
            .wide(6),
        ],
    )
}

fn heat() -> Row {
    row(
        "Which rooms are hot?",
        [
            series(
                "Rooms by heat",
                Unit::Count,
                "A room counts once for each gateway that serves it. Many warm rooms are normal in the evening.",
            )
            .query("sum by (heat) (barrage_gateway_rooms_by_heat{@})", "{{heat}}")
            .stacked(),
            series(
                "Changes of heat",
                Unit::PerSecond,
                "Changes to each heat. Many changes to and fro are a room at a threshold; the hysteresis limits them to one in some seconds.",
            )
            .query("sum by (heat) (rate(barrage_gateway_heat_changes_total{@}[$__rate_interval]))", "to {{heat}}"),
            series(
                "Twenty hottest rooms, by rank",
                Unit::PerSecond,
                "Deliveries per second of the room at each rank, the largest of all gateways. Names are in `GET /v1/admin/top-rooms` alone.",
            )
            .query("max by (rank) (barrage_room_top_deliveries{@})", "rank {{rank}}"),
            series(
                "Rooms by gateway",
                Unit::Count,
                "Entry spreads the viewers of a room over gateways, so large rooms are on many of them.",
            )
            .query("barrage_gateway_rooms{@}", "{{instance}}"),
        ],
    )
}

fn shown() -> Row {
    row(
        "How much of the chat is shown?",
        [
            series(
                "Chat posts: offered and shown",
                Unit::PerSecond,
                "The gap is chat over the display quota of its room: its sender alone sees it, and the page shows the number.",
            )
            .query(r#"sum(rate(barrage_uplink_posts_total{@,class="chat"}[$__rate_interval]))"#, "offered")
            .query(r#"sum(rate(barrage_uplink_posts_total{@,class="chat",outcome="broadcast"}[$__rate_interval]))"#, "shown")
            .wide(8),
            series(
                "Chat dropped at gateways, by reason",
                Unit::PerSecond,
                "`overload` is shed by the gateway's level, `backlog` and `lagged` by the room's hub, `slow` and `gone` by one viewer.",
            )
            .query(r#"sum by (reason) (rate(barrage_gateway_left_out_total{@,class="chat"}[$__rate_interval]))"#, "{{reason}}")
            .wide(8),
            series(
                "Messages in a batch",
                Unit::Factor,
                "Deliveries for each write to a socket. It rises with the heat, as windows lengthen and share one write.",
            )
            .query("sum(rate(barrage_gateway_deliveries_total{@}[$__rate_interval])) / sum(rate(barrage_gateway_writes_total{@}[$__rate_interval]))", "messages per write")
            .wide(8),
        ],
    )
}

fn repairs() -> Row {
    row(
        "Do viewers get what they missed?",
        [
            series(
                "Resumes and repairs, by outcome",
                Unit::PerSecond,
                "`partial` and `gone` lose chat, never gifts within the retention. A rise of `gone` follows long outages of viewers' networks.",
            )
            .query("sum by (outcome) (rate(barrage_gateway_repairs_total{@}[$__rate_interval]))", "{{outcome}}"),
            quantiles(
                "History: time of a request",
                "barrage_uplink_history_duration_seconds",
                "",
                "",
                "Viewers that come late read the history. When it is slow, look at the store on the dashboard Uplink.",
            ),
        ],
    )
}
