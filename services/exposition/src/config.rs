barrage_part::part! {
    /// Metrics of the process, as `/metrics` answers them.
    @[derive(Eq)]
    pub struct MetricsConfig {
        /// Series in an answer. Above, whole label sets of the metrics with most of them are left out,
        /// counted by `barrage_metric_overflow_total`. A process with all roles has some 1,000.
        series_max: usize = 1_500, between(200, 1_000_000);
    }
}
