//! `[trace]`: where spans go, and the bounds of the way there.

use barrage_secret::SecretUrl;

use crate::sampling::SamplingConfig;

barrage_part::part! {
    /// Traces: spans of sampled messages, for an OpenTelemetry collector.
    pub struct TraceConfig {
        /// URL that takes spans by OTLP over HTTP in protobuf, such as `http://127.0.0.1:4318/v1/traces`.
        /// Without it nothing is traced. `https` trusts the system's authorities and those of `ca_file`.
        endpoint: Option<SecretUrl> = None;
        /// Value of the resource attribute `service.name`.
        service: String = "barrage".into();
        /// Finished spans that wait for their export. Beyond, spans are dropped and counted.
        queue_spans_max: usize = 4_096, between(1, 1 << 20);
        /// Spans in one request to the collector.
        batch_spans_max: usize = 512, between(1, 8_192);
        /// Longest time that a finished span waits for others, in milliseconds.
        export_ms: u64 = 1_000, between(10, 60_000);
        /// Longest request to the collector, in milliseconds. Then its spans are lost and counted.
        deadline_ms: u64 = 5_000, between(10, 60_000);
        /// Messages that are traced. `PUT /v1/admin/trace` changes these keys on all instances while
        /// they run.
        sampling: SamplingConfig = SamplingConfig::default();
    }
}
