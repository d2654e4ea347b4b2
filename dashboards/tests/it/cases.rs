//! For each alert beside the objectives: series by hand, a time at which the alert fires, and one at
//! which it does not.

use std::collections::BTreeSet;

use barrage_dashboards::rules::{self, OBJECTIVES};

use crate::promtool::{self, Test};

/// Series in promtool's notation, one sample a minute: `0x5` is six times 0, `0+9x5` grows by 9.
pub(crate) struct Case {
    alert: &'static str,
    pub(crate) series: &'static [(&'static str, &'static str)],
    fires: &'static str,
    quiet: &'static str,
}

const fn case(
    alert: &'static str,
    series: &'static [(&'static str, &'static str)],
    fires: &'static str,
    quiet: &'static str,
) -> Case {
    Case { alert, series, fires, quiet }
}

pub(crate) const CASES: &[Case] = &[
    // Viewers and gateways.
    case(
        "BarrageMessagesUnaccounted",
        &[("barrage_fleet_conservation_error", "0x4 -3x10 0x10")],
        "10m",
        "20m",
    ),
    case(
        "BarrageProbeGatewayDown",
        &[(r#"barrage_probe_gateway_up{gateway="g1"}"#, "1x4 0x5 1x10")],
        "7m",
        "15m",
    ),
    case(
        "BarrageGatewayOverloaded",
        &[(r#"barrage_gateway_overload_level{instance="g1"}"#, "0x4 3x10 2x10")],
        "8m",
        "20m",
    ),
    case(
        "BarrageGatewayPressure",
        &[(r#"barrage_gateway_overload_level{instance="g1"}"#, "1x20 0x10")],
        "18m",
        "28m",
    ),
    case(
        "BarrageGatewaySkew",
        &[
            (r#"barrage_gateway_connections{instance="g1"}"#, "9000x25 3000x10"),
            (r#"barrage_gateway_connections{instance="g2"}"#, "1000x25 3000x10"),
            (r#"barrage_gateway_connections{instance="g3"}"#, "1000x25 3000x10"),
        ],
        "20m",
        "30m",
    ),
    case(
        "BarrageGatewayDrainStuck",
        &[
            (r#"barrage_gateway_connections{instance="g1"}"#, "70x25 0x10"),
            (r#"barrage_gateway_draining{instance="g1"}"#, "1x35"),
        ],
        "20m",
        "30m",
    ),
    // Entry.
    case("BarrageEntryNoGateway", &[("barrage_entry_empty_total", "0+60x10 600x20")], "8m", "20m"),
    case("BarrageEntryBlind", &[(r#"barrage_entry_blind{instance="e1"}"#, "1x10 0x10")], "5m", "15m"),
    case(
        "BarrageEntryWaitLong",
        &[
            (r#"barrage_entry_ticket_wait_seconds_bucket{le="30"}"#, "0+5x15 80+10x30"),
            (r#"barrage_entry_ticket_wait_seconds_bucket{le="60"}"#, "0+10x45"),
            (r#"barrage_entry_ticket_wait_seconds_bucket{le="+Inf"}"#, "0+10x45"),
        ],
        "12m",
        "40m",
    ),
    case(
        "BarrageEntryTurnsAway",
        &[(r#"barrage_entry_turned_away_total{reason="fleet_full"}"#, "0+9x15 135x30")],
        "12m",
        "40m",
    ),
    case(
        "BarrageEntryPlacesFar",
        &[
            (r#"barrage_entry_placed_total{place="near"}"#, "0+10x70"),
            (r#"barrage_entry_placed_total{place="other_region"}"#, "0+10x35 350+1x35"),
            (r#"barrage_entry_placed_total{place="unknown"}"#, "0+500x70"),
        ],
        "30m",
        "65m",
    ),
    case(
        "BarrageEntryRaceIgnored",
        &[
            (r#"barrage_entry_race_ignored_total{reason="unknown"}"#, "0+90x35 3150x35"),
            (r#"barrage_entry_race_ignored_total{reason="all_failed"}"#, "0+900x70"),
            ("barrage_entry_race_seconds_count", "0+60x70"),
        ],
        "30m",
        "65m",
    ),
    // Uplink.
    case(
        "BarrageQuotaFallback",
        &[(r#"barrage_quota_fallback{instance="u1"}"#, "0x2 1x10 0x10")],
        "10m",
        "20m",
    ),
    case(
        "BarrageBreakerOpen",
        &[(r#"barrage_breaker_state{breaker="quota",instance="u1"}"#, "2x10 1x10")],
        "8m",
        "15m",
    ),
    case(
        "BarrageTokensRefused",
        &[
            (r#"barrage_token_refused_total{reason="unknown_key"}"#, "0+600x20 12000x30"),
            (r#"barrage_token_refused_total{reason="expired"}"#, "0+60000x50"),
            ("barrage_gateway_joins_total", "0+600x50"),
        ],
        "18m",
        "40m",
    ),
    case("BarrageAuditLost", &[("barrage_uplink_audit_lost_total", "0x4 7x40")], "8m", "30m"),
    // Bus and archive.
    case("BarrageBusFailing", &[("barrage_bus_log_failures_total", "0+5x10 50x20")], "8m", "20m"),
    case(
        "BarrageBusSlow",
        &[
            (r#"barrage_bus_publish_duration_seconds_bucket{le="0.8192"}"#, "0+90x15 1450+100x30"),
            (r#"barrage_bus_publish_duration_seconds_bucket{le="1.6384"}"#, "0+100x45"),
            (r#"barrage_bus_publish_duration_seconds_bucket{le="+Inf"}"#, "0+100x45"),
        ],
        "12m",
        "40m",
    ),
    case(
        "BarrageBusDisconnected",
        &[(r#"barrage_bus_disconnects_total{instance="g1"}"#, "0+1x10 10x30")],
        "10m",
        "35m",
    ),
    case(
        "BarrageBusSlowConsumer",
        &[(r#"barrage_bus_slow_subscriptions_total{instance="g1"}"#, "0+600x20 12000x30")],
        "18m",
        "40m",
    ),
    case("BarrageArchiverLag", &[("barrage_archiver_lag_messages", "20000x20 0x10")], "15m", "28m"),
    case(
        "BarrageArchiverFailing",
        &[
            ("barrage_archiver_store_failures_total", "0+6x20 120x30"),
            ("barrage_archiver_bus_failures_total", "0x50"),
        ],
        "18m",
        "40m",
    ),
    case(
        "BarrageWebhooksBehind",
        &[(r#"barrage_webhooks_oldest_pending_seconds{endpoint="shop"}"#, "1000x20 0x10")],
        "15m",
        "28m",
    ),
    case(
        "BarrageWebhooksLosing",
        &[
            (r#"barrage_webhooks_dropped_total{endpoint="shop"}"#, "0x30"),
            (r#"barrage_webhooks_attempts_total{endpoint="shop",outcome="exhausted"}"#, "0x5 3x25"),
        ],
        "8m",
        "25m",
    ),
    case(
        "BarrageWebhooksDisabled",
        &[(r#"barrage_webhooks_disabled{endpoint="shop"}"#, "1x20 0x10")],
        "15m",
        "25m",
    ),
    case(
        "BarrageCourierBehind",
        &[(r#"barrage_courier_lag_seconds{instance="c1",lane="0"}"#, "0x5 61x20 0x10")],
        "15m",
        "30m",
    ),
    case(
        "BarrageUnreadWrong",
        &[(r#"barrage_inbox_unread_error_total{instance="c1"}"#, "0x5 1x200")],
        "10m",
        "90m",
    ),
    case(
        "BarragePushBehind",
        &[(r#"barrage_push_late_seconds{instance="p1"}"#, "0x5 121x20 0x10")],
        "15m",
        "30m",
    ),
    case(
        "BarragePushMisconfigured",
        &[(r#"barrage_push_misconfigured{instance="p1",service="apns"}"#, "0x5 1x20 0x10")],
        "15m",
        "30m",
    ),
    // Autoscaler.
    case(
        "BarrageAutoscalerNoLeader",
        &[
            (r#"barrage_autoscaler_leader{instance="a1"}"#, "0x10 1x10"),
            (r#"barrage_autoscaler_leader{instance="a2"}"#, "0x20"),
        ],
        "8m",
        "15m",
    ),
    case(
        "BarrageAutoscalerAtMaximum",
        &[
            (r#"barrage_autoscaler_recommended_gateways{fleet="main",axis="connections"}"#, "12x20 8x10"),
            (r#"barrage_autoscaler_gateways{fleet="main",state="desired"}"#, "8x30"),
        ],
        "18m",
        "25m",
    ),
    case(
        "BarrageAutoscalerForecastOff",
        &[
            (r#"barrage_autoscaler_forecast_error_ratio{fleet="main"}"#, "-0.7x20 0.2x10"),
            (r#"barrage_autoscaler_viewers{fleet="main",which="all"}"#, "5000x30"),
        ],
        "18m",
        "25m",
    ),
    case(
        "BarrageAutoscalerPanic",
        &[(r#"barrage_autoscaler_panic{fleet="main"}"#, "1x15 0x10")],
        "12m",
        "20m",
    ),
    case(
        "BarrageAutoscalerFailing",
        &[(r#"barrage_autoscaler_errors_total{fleet="main",reason="loads"}"#, "0+4x20 80x30")],
        "18m",
        "40m",
    ),
    case(
        "BarrageAutoscalerSilentGateways",
        &[(r#"barrage_autoscaler_gateways{fleet="main",state="silent"}"#, "1x10 0x10")],
        "8m",
        "15m",
    ),
    case(
        "BarrageAutoscalerWrongVictim",
        &[(r#"barrage_autoscaler_wrong_victims_total{fleet="main"}"#, "0x4 1x40")],
        "8m",
        "30m",
    ),
    // Processes.
    case("BarrageTargetDown", &[(r#"up{job="barrage",instance="g1"}"#, "1x4 0x10 1x10")], "10m", "20m"),
    case("BarrageMetricsAbsent", &[("barrage_build_info", "_x10 1x10")], "8m", "15m"),
    case(
        "BarrageRestarting",
        &[(r#"process_start_time_seconds{job="barrage",instance="g1"}"#, "0+9x10 90x30")],
        "10m",
        "35m",
    ),
    case(
        "BarrageVersionSkew",
        &[
            (r#"barrage_build_info{instance="g1",version="1.0.0"}"#, "1x100"),
            (r#"barrage_build_info{instance="g2",version="1.1.0"}"#, "1x70 stale"),
        ],
        "65m",
        "90m",
    ),
    case(
        "BarrageFileDescriptorsLow",
        &[
            (r#"process_open_fds{job="barrage",instance="g1"}"#, "900x15 100x10"),
            (r#"process_max_fds{job="barrage",instance="g1"}"#, "1000x25"),
        ],
        "12m",
        "20m",
    ),
    case(
        "BarrageMemoryLow",
        &[
            (r#"process_resident_memory_bytes{job="barrage",instance="g1"}"#, "950x15 500x10"),
            (r#"barrage_process_memory_limit_bytes{job="barrage",instance="g1"}"#, "1000x25"),
        ],
        "12m",
        "20m",
    ),
    // The time of promtool's samples starts at 0 s: a clock that is 3 s ahead, and then right.
    case(
        "BarrageClockSkew",
        &[(r#"barrage_host_time_seconds{instance="g1"}"#, "3+60x15 960+60x10")],
        "12m",
        "20m",
    ),
    case(
        "BarrageConntrackFull",
        &[
            (r#"barrage_host_conntrack_entries{instance="g1"}"#, "95x5 40x10"),
            (r#"barrage_host_conntrack_entries_limit{instance="g1"}"#, "100x20"),
        ],
        "4m",
        "12m",
    ),
    case(
        "BarrageMetricsOverflow",
        &[(r#"barrage_metric_overflow_total{instance="g1"}"#, "0x4 5x90")],
        "10m",
        "80m",
    ),
    // promtool's clock begins at 0: 172800 is two days later.
    case(
        "BarrageCertificateExpiring",
        &[(
            r#"barrage_tls_certificate_expiry_timestamp_seconds{listener="public",instance="g1"}"#,
            "172800x70 9000000x10",
        )],
        "65m",
        "78m",
    ),
];

#[test]
fn every_alert_has_a_case() {
    let alerts = rules::groups().into_iter().flat_map(|group| group.alerts);
    let alerts: BTreeSet<_> = alerts.map(|alert| alert.name).collect();
    let tested =
        CASES.iter().map(|case| case.alert).chain(OBJECTIVES.iter().map(|objective| objective.alert));
    let tested: BTreeSet<_> = tested.chain(["BarrageWatchdog"]).collect();
    assert_eq!(alerts, tested);
}

#[test]
fn every_alert_fires_and_clears() {
    let test = |case: &Case| Test {
        alert: case.alert,
        series: case.series.to_vec(),
        expected: vec![("", case.fires, true), ("", case.quiet, false)],
    };
    let mut tests: Vec<_> = CASES.iter().map(test).collect();
    // The watchdog never clears: without series it fires as well.
    tests.push(Test { alert: "BarrageWatchdog", series: Vec::new(), expected: vec![("", "5m", true)] });
    promtool::test("1m", &tests);
}
