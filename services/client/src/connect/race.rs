//! The race: the first few endpoints each serve the race resource, and the client connects in the order
//! of their answers.

use std::time::Duration;

use barrage_protocol::entry::{Endpoint, EntryAnswer, RaceReport, RaceResult, UplinkRaceResult};
use futures_util::future::join_all;
use tokio::time::Instant;

/// Uplinks of an answer that are measured: entry names three.
const UPLINKS_MAX: usize = 3;

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
    let bases: Vec<_> = endpoints[..width].iter().map(base).collect();
    let times = join_all(bases.iter().map(|base| time(http, base, timeout, answer.race.bytes))).await;
    let results = endpoints[..width].iter().zip(&times).map(|(endpoint, elapsed)| RaceResult {
        gateway: endpoint.gateway.clone(),
        elapsed_ms: elapsed.map(whole_ms),
    });
    let report = RaceReport { results: results.collect(), uplinks: Vec::new() };
    let sent = http.post(format!("{entry_url}/v1/entry/race")).timeout(timeout).json(&report).send();
    // In the background, because the viewer must not wait for the report.
    tokio::spawn(async move { drop(sent.await) });
    let mut raced: Vec<_> = times.into_iter().enumerate().collect();
    raced.sort_by_key(|(_, elapsed)| elapsed.unwrap_or(Duration::MAX));
    let order = raced.into_iter().map(|(index, _)| index).chain(width..endpoints.len());
    order.map(|index| endpoints[index].clone()).collect()
}

/// Measures the first uplinks of an answer, reports their times to entry, which orders later answers by
/// them, and returns the times: `None` for an uplink that did not arrive. Nothing is measured where there is
/// no choice.
pub(crate) fn measure_uplinks(
    http: &reqwest::Client,
    entry_url: &str,
    answer: &EntryAnswer,
) -> Option<impl Future<Output = Vec<(String, Option<u64>)>> + use<>> {
    let urls: Vec<String> = answer.uplinks.iter().take(UPLINKS_MAX).cloned().collect();
    let (http, report_url) = (http.clone(), format!("{entry_url}/v1/entry/race"));
    let (timeout, bytes) = (Duration::from_millis(answer.race.timeout_ms), answer.race.bytes);
    (urls.len() >= 2).then_some(async move {
        let times = join_all(urls.iter().map(|url| time(&http, url, timeout, bytes))).await;
        let times: Vec<_> =
            urls.iter().cloned().zip(times.into_iter().map(|elapsed| elapsed.map(whole_ms))).collect();
        let results = times
            .iter()
            .map(|(url, elapsed_ms)| UplinkRaceResult { url: url.clone(), elapsed_ms: *elapsed_ms });
        let report = RaceReport { results: Vec::new(), uplinks: results.collect() };
        tokio::spawn(async move { drop(http.post(report_url).timeout(timeout).json(&report).send().await) });
        times
    })
}

fn whole_ms(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the base URL of an endpoint, for HTTP.
fn base(endpoint: &Endpoint) -> String {
    let url = endpoint.url.replacen("ws", "http", 1);
    url.split("/v1/").next().unwrap_or_default().to_owned()
}

/// Returns the time of one race; `None` for a wrong or a late answer.
async fn time(http: &reqwest::Client, base: &str, timeout: Duration, bytes: u64) -> Option<Duration> {
    let started = Instant::now();
    let response = http.get(format!("{base}/v1/race")).timeout(timeout).send().await.ok()?;
    let body = response.error_for_status().ok()?.bytes().await.ok()?;
    (body.len() as u64 == bytes).then(|| started.elapsed())
}
