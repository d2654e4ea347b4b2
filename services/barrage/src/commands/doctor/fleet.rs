//! Checks of the running processes and of their clocks.

use std::time::Duration;

use barrage_bus::nats::{Finding, Level};
use serde_json::Value;

use super::clock::DIFFERENCE_MAX as CLOCK_DIFFERENCE_MAX;
use super::finding::finding;
use crate::cli::admin::AdminArguments;
use crate::commands::admin_api::AdminApi;
use crate::config::{Config, reachable};

/// Largest age of a report. A process with an older one hangs or has lost NATS.
const REPORT_AGE_MS_MAX: u64 = 3_000;
/// Longest wait for an answer of a process.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Runs the checks through the admin API of the process that the configuration names.
pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    // A `ca_file` that cannot be used is a finding of the configuration.
    let Ok(http) = config.http_client().and_then(|http| Ok(http.timeout(TIMEOUT).build()?)) else {
        return found;
    };
    let url = format!("http://{}", reachable(config.admin_listen).remove(0));
    match clock_of(&http, &url).await {
        None => {
            let text = format!("processes: none answers at {url} (admin_listen)");
            found.push(finding(Level::Good, text));
            return found;
        }
        Some(difference) => found.push(clock(&url, difference)),
    }
    let fleet = match AdminApi::new(config, &AdminArguments { admin: None, token_file: None }) {
        Ok(api) => api.get("/v1/admin/fleet").await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match fleet {
        Ok(fleet) => found.extend(instances(&http, &fleet).await),
        Err(error) => {
            let text = format!("processes: {url} refuses the token of this configuration: {error:#}");
            found.push(finding(Level::Bad, text));
        }
    }
    found
}

/// Checks the report, the admin listener and the clock of each instance, and counts the roles.
async fn instances(http: &reqwest::Client, fleet: &Value) -> Vec<Finding> {
    let (mut found, mut counts) = (Vec::new(), [("gateway", 0), ("uplink", 0), ("entry", 0)]);
    for instance in fleet["instances"].as_array().into_iter().flatten() {
        let text = |key: &str| instance[key].as_str().unwrap_or_default();
        if let Some((_, count)) = counts.iter_mut().find(|(role, _)| *role == text("role")) {
            *count += 1;
        }
        let age_ms = instance["report_age_ms"].as_u64().unwrap_or_default();
        if age_ms > REPORT_AGE_MS_MAX {
            let text =
                format!("{}: no report for {age_ms} ms: the process hangs or has lost NATS", text("id"));
            found.push(finding(Level::Risk, text));
        }
        let Some(url) = instance["admin_url"].as_str() else { continue };
        match clock_of(http, url).await {
            None => {
                let text = format!("{}: the admin listener {url} does not answer this machine", text("id"));
                found.push(finding(Level::Risk, text));
            }
            Some(difference) if difference > CLOCK_DIFFERENCE_MAX => found.push(clock(url, difference)),
            Some(_) => {}
        }
    }
    let running: Vec<_> = counts.iter().map(|(role, count)| format!("{role} {count}")).collect();
    found.insert(0, finding(Level::Good, format!("processes: {}", running.join(", "))));
    for (role, _) in counts.iter().filter(|(_, count)| *count == 0) {
        found.push(finding(Level::Bad, format!("processes: no {role} reports")));
    }
    found
}

fn clock(url: &str, difference: Duration) -> Finding {
    if difference > CLOCK_DIFFERENCE_MAX {
        let text = format!(
            "clock: {url} differs by {} s from this machine, so that tokens and tickets expire early or late; \
             synchronise both clocks with NTP",
            difference.as_secs()
        );
        return finding(Level::Risk, text);
    }
    finding(Level::Good, format!("clock: {url} agrees with this machine"))
}

/// Returns the difference between this clock and the clock of another process, from the `Date` header
/// of an answer (whole seconds).
async fn clock_of(http: &reqwest::Client, url: &str) -> Option<Duration> {
    let answer = http.get(format!("{url}/healthz")).send().await.ok()?;
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    let theirs = time::OffsetDateTime::parse(date, &time::format_description::well_known::Rfc2822).ok()?;
    let difference = theirs - time::OffsetDateTime::now_utc();
    Some(difference.unsigned_abs())
}
