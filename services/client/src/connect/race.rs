//! The race: the first few endpoints each serve the race resource, and the client connects in the order
//! of their answers.

use std::time::Duration;

use barrage_protocol::entry::{Endpoint, EntryAnswer, RaceReport, RaceResult};
use futures_util::future::join_all;
use tokio::time::Instant;

/// Sorts the raced endpoints by their times, and reports the times to entry.
pub(super) async fn run(
    http: &reqwest::Client,
    entry_url: &str,
    answer: &EntryAnswer,
    endpoints: Vec<Endpoint>,
) -> Vec<Endpoint> {
    let width = (answer.race.width as usize).min(endpoints.len());
    if width < 2 {
        return endpoints;
    }
    let timeout = Duration::from_millis(answer.race.timeout_ms);
    let times =
        join_all(endpoints[..width].iter().map(|endpoint| time(http, endpoint, timeout, answer.race.bytes)))
            .await;
    let results = endpoints[..width].iter().zip(&times).map(|(endpoint, elapsed)| RaceResult {
        gateway: endpoint.gateway.clone(),
        elapsed_ms: elapsed.map(|e| u64::try_from(e.as_millis()).unwrap_or(u64::MAX)),
    });
    let report = RaceReport { results: results.collect() };
    let sent = http.post(format!("{entry_url}/v1/entry/race")).timeout(timeout).json(&report).send();
    // In the background, because the viewer must not wait for the report.
    tokio::spawn(async move { drop(sent.await) });
    let mut raced: Vec<_> = times.into_iter().enumerate().collect();
    raced.sort_by_key(|(_, elapsed)| elapsed.unwrap_or(Duration::MAX));
    let order = raced.into_iter().map(|(index, _)| index).chain(width..endpoints.len());
    order.map(|index| endpoints[index].clone()).collect()
}

/// Returns the time of one race; `None` for a wrong or a late answer.
async fn time(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    timeout: Duration,
    bytes: u64,
) -> Option<Duration> {
    let url = endpoint.url.replacen("ws", "http", 1);
    let base = url.split("/v1/").next()?;
    let started = Instant::now();
    let response = http.get(format!("{base}/v1/race")).timeout(timeout).send().await.ok()?;
    let body = response.error_for_status().ok()?.bytes().await.ok()?;
    (body.len() as u64 == bytes).then(|| started.elapsed())
}
