//! Alerts about processes, certificates and the monitoring itself.

use crate::rules::alert::{Alert, Severity, alert};

/// Days before its end at which a certificate is renewed at the latest.
const RENEW: &str = "(barrage_tls_certificate_expiry_timestamp_seconds - time()) / 86400";

pub(super) fn alerts() -> Vec<Alert> {
    let mut alerts = vec![
        alert(
            "BarrageTargetDown",
            Severity::Critical,
            "overview",
            "2m",
            "up{job=~\".*barrage.*\"} == 0",
            [
                "A process does not answer the scrape of its metrics.",
                "{{ $labels.instance }} of the job {{ $labels.job }} has not been scraped for 2 min (up = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageMetricsAbsent",
            Severity::Critical,
            "overview",
            "5m",
            "absent(barrage_build_info)",
            [
                "Prometheus has no metrics of Barrage at all.",
                "No process of Barrage has been scraped for 5 min (absent = {{ $value }}).",
            ],
        ),
        alert(
            "BarrageRestarting",
            Severity::Warning,
            "overview",
            "0m",
            "changes(process_start_time_seconds{job=~\".*barrage.*\"}[15m]) > 2",
            [
                "A process ends and starts again and again.",
                "{{ $labels.instance }} started {{ $value }} times in 15 min.",
            ],
        ),
        alert(
            "BarrageVersionSkew",
            Severity::Warning,
            "overview",
            "1h",
            "count by (cluster, namespace) (count by (cluster, namespace, version) (barrage_build_info)) > 1",
            [
                "Processes of several versions have run side by side for an hour.",
                "{{ $value }} versions run in {{ $labels.namespace }}.",
            ],
        ),
        alert(
            "BarrageFileDescriptorsLow",
            Severity::Warning,
            "gateway",
            "10m",
            "process_open_fds{job=~\".*barrage.*\"} / process_max_fds{job=~\".*barrage.*\"} > 0.8",
            [
                "A process is near its limit of open files, and then takes no connections.",
                "{{ $labels.instance }} has {{ $value | humanizePercentage }} of its file descriptors open.",
            ],
        ),
        alert(
            "BarrageMemoryLow",
            Severity::Warning,
            "overview",
            "10m",
            "process_resident_memory_bytes{job=~\".*barrage.*\"} / barrage_process_memory_limit_bytes > 0.9",
            [
                "A process is near its limit of memory, and then the kernel kills it.",
                "{{ $labels.instance }} uses {{ $value | humanizePercentage }} of the memory that it may have.",
            ],
        ),
        alert(
            "BarrageClockSkew",
            Severity::Warning,
            "overview",
            "10m",
            "abs(barrage_host_time_seconds - timestamp(barrage_host_time_seconds)) > 2",
            [
                "The clock of a machine is wrong: tokens, tickets and mutes begin and end at wrong times.",
                "The clock of {{ $labels.instance }} and that of Prometheus differ by {{ $value | printf \"%.1f\" }} s.",
            ],
        ),
        alert(
            "BarrageConntrackFull",
            Severity::Critical,
            "gateway",
            "2m",
            "max by (cluster, namespace, instance) (barrage_host_conntrack_entries / barrage_host_conntrack_entries_limit) > 0.9",
            [
                "The kernel of a machine soon drops the packets of new connections.",
                "The kernel below {{ $labels.instance }} tracks {{ $value | humanizePercentage }} of the connections that it can.",
            ],
        ),
        alert(
            "BarrageMetricsOverflow",
            Severity::Warning,
            "overview",
            "0m",
            "sum by (cluster, namespace, instance) (increase(barrage_metric_overflow_total[1h])) > 0",
            [
                "A process has more series than its bound and leaves some out of its scrapes.",
                "{{ $labels.instance }} left {{ $value | humanize }} label sets out of its scrapes in the last hour.",
            ],
        ),
        alert(
            "BarrageWatchdog",
            Severity::Info,
            "overview",
            "0m",
            "vector(1)",
            [
                "This alert fires always, and shows that alerts arrive.",
                "The rules are evaluated (value = {{ $value }}). Let the receiver complain when this alert is absent.",
            ],
        ),
    ];
    alerts.extend([(Severity::Warning, 14), (Severity::Critical, 3)].map(|(severity, days)| {
        alert(
            "BarrageCertificateExpiring",
            severity,
            "overview",
            "1h",
            &format!("{RENEW} < {days}"),
            [
                "A certificate ends soon, and then clients refuse to connect.",
                "The certificate of the listener {{ $labels.listener }} of {{ $labels.instance }} ends in \
                 {{ $value | printf \"%.1f\" }} days.",
            ],
        )
    }));
    alerts
}
