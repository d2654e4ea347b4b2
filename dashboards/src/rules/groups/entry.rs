//! Alerts about viewers who cannot join.

use crate::rules::alert::{Alert, Severity, alert};

pub(super) fn alerts() -> Vec<Alert> {
    vec![
        alert(
            "BarrageEntryNoGateway",
            Severity::Critical,
            "entry",
            "2m",
            "sum by (cluster, namespace) (rate(barrage_entry_empty_total[2m])) > 0",
            [
                "Entry has no gateway for newcomers.",
                "{{ $value | humanize }} entry queries a second in {{ $labels.namespace }} find no gateway.",
            ],
        ),
        alert(
            "BarrageEntryBlind",
            Severity::Warning,
            "entry",
            "2m",
            "barrage_entry_blind == 1",
            [
                "Entry gets no load reports and keeps its last weights.",
                "{{ $labels.instance }} has had no fresh load reports of most gateways for 2 min (blind = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageEntryWaitLong",
            Severity::Warning,
            "entry",
            "5m",
            "histogram_quantile(0.9, sum by (cluster, namespace, le) (rate(barrage_entry_ticket_wait_seconds_bucket[5m]))) > 30",
            [
                "Newcomers wait long for a slot.",
                "One newcomer in ten in {{ $labels.namespace }} waits longer than {{ $value | humanizeDuration }}.",
            ],
        ),
        alert(
            "BarrageEntryTurnsAway",
            Severity::Critical,
            "entry",
            "5m",
            "sum by (cluster, namespace) (rate(barrage_entry_turned_away_total{reason=~\"fleet_full|queue_full\"}[5m])) > 0",
            [
                "Newcomers are turned away, because all gateways and the queue are full.",
                "{{ $value | humanize }} newcomers a second in {{ $labels.namespace }} are turned away.",
            ],
        ),
        alert(
            "BarrageEntryPlacesFar",
            Severity::Warning,
            "entry",
            "15m",
            "sum by (cluster, namespace) (rate(barrage_entry_placed_total{place=\"other_region\"}[10m])) / sum by (cluster, namespace) (rate(barrage_entry_placed_total{place!=\"unknown\"}[10m])) > 0.3",
            [
                "Many newcomers are sent to another region.",
                "{{ $value | humanizePercentage }} of the newcomers with a known region in {{ $labels.namespace }} get a gateway of another region.",
            ],
        ),
        alert(
            "BarrageEntryRaceIgnored",
            Severity::Warning,
            "entry",
            "15m",
            "sum by (cluster, namespace) (rate(barrage_entry_race_ignored_total{reason=~\"unknown|repeated|table_full\"}[10m])) > 1 and sum by (cluster, namespace) (rate(barrage_entry_race_ignored_total{reason=~\"unknown|repeated|table_full\"}[10m])) > 0.5 * sum by (cluster, namespace) (rate(barrage_entry_race_seconds_count[10m]))",
            [
                "Many race results count for nothing.",
                "{{ $value | humanize }} race results a second in {{ $labels.namespace }} are repeated, name endpoints that do not exist, or find no space.",
            ],
        ),
    ]
}
