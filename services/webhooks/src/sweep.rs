//! Deletes old lines of the delivery log in chunks, so that sending goes on between two chunks.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::error::WebhooksError;

/// Time between two looks for old lines.
const INTERVAL: Duration = Duration::from_secs(60);
/// Lines of one deletion.
const CHUNK: usize = 500;

/// Sweeps until an error that only an operator can repair.
pub(crate) async fn follow(endpoint: &Endpoint) -> Result<(), WebhooksError> {
    let deliveries = endpoint.store.deliveries();
    loop {
        let before_ms =
            barrage_clock::unix_ms().saturating_sub(endpoint.config.log_hours.saturating_mul(3_600_000));
        let lines_max = endpoint.config.log_lines_max;
        let name = endpoint.name();
        let deleted =
            endpoint.retried(|| deliveries.sweep_deliveries(name, before_ms, lines_max, CHUNK)).await?;
        if deleted < CHUNK as u64 {
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
