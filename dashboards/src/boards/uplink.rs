//! Uplinks: rate, errors and duration of posts, and the limits that refuse them.

use crate::grafana::{Dashboard, Row, Unit, heatmap, quantiles, row, series, stat};

use super::colours::{SUCCESS, ZERO};

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        name: "uplink",
        title: "Barrage / Uplink and flow control",
        description: "Whether posts are taken, who is limited and why, and how Redis and the store answer.",
        source: "barrage_uplink_audit_lost_total",
        rows: vec![senders(), posts(), polls(), limits(), reviews(), redis(), store(), access(), irc()],
    }
}

fn senders() -> Row {
    row(
        "Are senders well?",
        [
            stat("Posts answered", Unit::PerSecond, "sum(rate(barrage_uplink_posts_total{@}[$__rate_interval]))", "Posts that were taken: shown, held or repeated."),
            stat(
                "Posts without a server error",
                Unit::Ratio,
                r#"1 - (sum(rate(barrage_http_requests_total{@,route=~"/v1/rooms/.room./(messages|packages)",status="5xx"}[$__rate_interval])) or vector(0)) / sum(rate(barrage_http_requests_total{@,route=~"/v1/rooms/.room./(messages|packages)"}[$__rate_interval]))"#,
                "Refusals by a limit are no errors. Below 99.9 %: runbook of BarragePostErrorsBudgetBurn.",
            )
            .colours(SUCCESS),
            stat(
                "Time of a post, p99",
                Unit::Seconds,
                "histogram_quantile(0.99, sum by (le) (rate(barrage_uplink_request_duration_seconds_bucket{@}[$__rate_interval])))",
                "From the header to the answer, the durable write included. Above 1 s, look at the dashboard Bus.",
            )
            .colours(&[("orange", 0.5), ("red", 1.0)]),
            stat("Posts refused", Unit::PerSecond, "sum(rate(barrage_uplink_refusals_total{@}[$__rate_interval]))", "The panel of refusals below has the codes."),
            stat("Limits without Redis", Unit::Count, "max(barrage_quota_fallback{@}) or vector(0)", "1: each uplink spends its share of the limits. Runbook of BarrageQuotaFallback.")
                .colours(ZERO),
            stat("Audit lines lost", Unit::Count, "sum(increase(barrage_uplink_audit_lost_total{@}[1h]))", "Lines lost in the last hour. Above 0: runbook of BarrageAuditLost.")
                .colours(ZERO),
        ],
    )
}

fn irc() -> Row {
    row(
        "Are IRC clients well?",
        [
            series("IRC connections and rooms", Unit::Count, "Empty where `irc.listen` names no address. Each room of a connection is one viewer at a gateway.")
                .query("sum by (transport) (barrage_irc_connections{@})", "{{transport}}")
                .query("sum(barrage_irc_rooms{@})", "rooms")
                .may_be_empty("No IRC listener is set.")
                .wide(6),
            series("IRC lines", Unit::PerSecond, "Many lines in are a flood or a large bot; many lines out are busy rooms.")
                .query("sum by (direction) (rate(barrage_irc_lines_total{@}[$__rate_interval]))", "{{direction}}")
                .may_be_empty("No IRC listener is set.")
                .wide(6),
            series("IRC posts by outcome", Unit::PerSecond, "`refused` posts have a NOTICE with the reason; `failed` ones had no answer of an uplink.")
                .query("sum by (outcome) (rate(barrage_irc_posts_total{@}[$__rate_interval]))", "{{outcome}}")
                .may_be_empty("No IRC listener is set.")
                .wide(6),
            series("IRC connections refused and closed", Unit::PerSecond, "`slow_reader` and `flood` are bounds of `[irc]`; `address` is `irc.address_connections_max`.")
                .query("sum by (reason) (rate(barrage_irc_refused_total{@}[$__rate_interval]))", "refused: {{reason}}")
                .query("sum by (cause) (rate(barrage_irc_closed_total{@}[$__rate_interval]))", "closed: {{cause}}")
                .may_be_empty("No IRC listener is set.")
                .wide(6),
        ],
    )
}

fn posts() -> Row {
    row(
        "Are posts taken, and how fast?",
        [
            series("Posts by class and outcome", Unit::PerSecond, "`held` chat is over its room's display quota; `duplicate` is a client that retried.")
                .query("sum by (class, outcome) (rate(barrage_uplink_posts_total{@}[$__rate_interval]))", "{{class}} {{outcome}}")
                .wide(8),
            heatmap("Time of a post", "barrage_uplink_request_duration_seconds", "", "The lowest band is the usual write to the bus. A second band is a slow server of the bus, or a hook.").wide(8),
            quantiles("Time of a post, by uplink", "barrage_uplink_request_duration_seconds", "", "instance", "One slow uplink is its node; all slow is the bus.").wide(8),
        ],
    )
}

fn polls() -> Row {
    row(
        "Are votes counted?",
        [
            series("Votes, by outcome", Unit::PerSecond, "`duplicate` is a user who voted before, or a client that retried. `failed` votes met a store that is away, and are sent again.")
                .query("sum by (outcome) (rate(barrage_uplink_votes_total{@}[$__rate_interval]))", "{{outcome}}"),
            series("Polls opened and closed", Unit::Count, "Polls in the last hour, by uplink that opened or closed them.")
                .query("sum by (event) (increase(barrage_uplink_polls_total{@}[1h]))", "{{event}}"),
        ],
    )
}

fn limits() -> Row {
    row(
        "Who is limited, and why?",
        [
            series("Refusals by code", Unit::PerSecond, "docs/reference/errors.md explains each code. `rate_limited` in numbers: a flood or a limit set too low.")
                .query("sum by (code) (rate(barrage_uplink_refusals_total{@}[$__rate_interval]))", "{{code}}")
                .wide(8),
            series("Decisions on shared limits", Unit::PerSecond, "Most should be by lease, without a call to Redis. Many by share: Redis is away.")
                .query("sum by (by, verdict) (rate(barrage_quota_decisions_total{@}[$__rate_interval]))", "{{by}}: {{verdict}}")
                .wide(8),
            series("Limits in shadow mode", Unit::PerSecond, "Posts that a rule in shadow mode would have refused. Read it before the rule is put in force.")
                .query("sum by (rule) (rate(barrage_uplink_shadow_total{@}[$__rate_interval]))", "{{rule}}")
                .wide(8),
            series("Keys with limits", Unit::Count, "Users, addresses and rooms with a lease or a count. At the maximum, the oldest are forgotten.")
                .query("sum(barrage_quota_keys{@})", "shared")
                .query("sum(barrage_flow_quota_keys{@}) or vector(0)", "in one process")
                .wide(8),
            quantiles("Moderation: time of the checks", "barrage_moderation_check_duration_seconds", "", "", "Without the hook. Above 1 ms: a word list with very many patterns.").wide(8),
            series("Calls of dependencies, by outcome", Unit::PerSecond, "`refused` calls were not made, because the breaker was open.")
                .query("sum by (breaker, outcome) (rate(barrage_breaker_calls_total{@}[$__rate_interval]))", "{{breaker}} {{outcome}}")
                .wide(8),
        ],
    )
}

fn reviews() -> Row {
    row(
        "Do moderators keep up?",
        [
            series("Posts and reports that wait", Unit::Count, "Of all rooms. A climb: nobody reviews. Each room takes 100 posts; what overflows stays held.")
                .query("max(barrage_uplink_reviews_waiting{@})", "waiting")
                .wide(8),
            series("Reviews, by event", Unit::PerSecond, "`overflowed` above 0: a room's queue is full; set a fallback, or a rule that holds.")
                .query("sum by (event) (rate(barrage_uplink_reviews_total{@}[$__rate_interval]))", "{{event}}")
                .wide(8),
            series("Hits of moderation rules", Unit::PerSecond, "By kind of rule and action. `shadow` hits changed nothing.")
                .query("sum by (rule_kind, action, shadow) (rate(barrage_moderation_hits_total{@}[$__rate_interval]))", "{{rule_kind}} {{action}} {{shadow}}")
                .query("sum(rate(barrage_moderation_room_words_builds_total{@}[$__rate_interval]))", "room words compiled")
                .may_be_empty("No rule has hit a message.")
                .wide(8),
        ],
    )
}

fn redis() -> Row {
    row(
        "Does Redis answer?",
        [
            series(
                "Calls to Redis, by outcome",
                Unit::PerSecond,
                "`short` grants are normal near a limit. `failed` calls count as well when they are late.",
            )
            .query(
                "sum by (outcome) (rate(barrage_quota_redis_calls_total{@}[$__rate_interval]))",
                "{{outcome}}",
            ),
            quantiles(
                "Calls to Redis: time",
                "barrage_quota_redis_call_duration_seconds",
                "",
                "",
                "No post waits longer than the deadline of the call. Above 10 ms: look at Redis' slow log and at the network.",
            ),
        ],
    )
}

fn store() -> Row {
    row(
        "Do the store and the history answer?",
        [
            quantiles("Calls of the store, by call", "barrage_store_call_duration_seconds", "", "call", "The store is never on a message's way to viewers, but votes wait for it: a slow store delays the history, the archive and the audit log.").wide(8),
            heatmap("History: time of a request", "barrage_uplink_history_duration_seconds", "", "Late viewers read the history. `barrage switch set history-off true` takes this load off the store.").wide(8),
            series("Archive", Unit::Count, "Messages between the archive and the bus. A climb for minutes: runbook of BarrageArchiverLag.")
                .query("max(barrage_archiver_lag_messages{@})", "messages behind")
                .wide(8),
        ],
    )
}

fn access() -> Row {
    row(
        "Are tokens and admin calls refused?",
        [
            series("Tokens refused, by reason", Unit::PerSecond, "A jump after a rotation of keys is a process with old keys: runbook of BarrageTokensRefused.")
                .query("sum by (reason) (rate(barrage_token_refused_total{@}[$__rate_interval]))", "{{reason}}"),
            series("Admin calls refused, by reason", Unit::PerSecond, "Calls of the admin API with a wrong token. Repeated ones from outside: is the admin listener reachable?")
                .query("sum by (reason) (rate(barrage_http_admin_refused_total{@}[$__rate_interval]))", "{{reason}}"),
        ],
    )
}
