//! The processes that run, and their clocks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use barrage_bus::nats::{Finding, Level};
use serde_json::Value;

use super::finding;
use crate::admin::Admin;
use crate::cli::AdminArguments;
use crate::config::{Config, reachable};

/// Clocks that differ by more are a risk: tickets allow a second, `exp` of tokens 30.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(2);
/// Reports older than this are of a process that hangs or has lost NATS.
const REPORT_AGE_MS_MAX: u64 = 3_000;
/// 2025-01-01: a clock before it is wrong.
const EPOCH_SECS_MIN: u64 = 1_735_689_600;
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) async fn findings(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if now.as_secs() < EPOCH_SECS_MIN {
        found.push(finding(Level::Bad, "clock: it is before 2025: no token is good yet; set it"));
    }
    let url = format!("http://{}", reachable(config.admin_listen).remove(0));
    match clock_of(&url).await {
        None => {
            let text = format!("processes: none answers at {url} (admin_listen)");
            found.push(finding(Level::Good, text));
            return found;
        }
        Some(difference) => found.push(clock(&url, difference)),
    }
    let fleet = match Admin::new(config, &AdminArguments { admin: None, token_file: None }) {
        Ok(admin) => admin.get("/v1/admin/fleet").await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match fleet {
        Ok(fleet) => found.extend(instances(&fleet).await),
        Err(error) => {
            let text = format!("processes: the one at {url} refuses this configuration's token: {error:#}");
            found.push(finding(Level::Bad, text));
        }
    }
    found
}

async fn instances(fleet: &Value) -> Vec<Finding> {
    let (mut found, mut counts) = (Vec::new(), [("gateway", 0), ("uplink", 0), ("entry", 0)]);
    for instance in fleet["instances"].as_array().into_iter().flatten() {
        let text = |key: &str| instance[key].as_str().unwrap_or_default();
        if let Some((_, count)) = counts.iter_mut().find(|(role, _)| *role == text("role")) {
            *count += 1;
        }
        let age_ms = instance["report_age_ms"].as_u64().unwrap_or_default();
        if age_ms > REPORT_AGE_MS_MAX {
            let text = format!("{} has not reported for {age_ms} ms: it hangs, or has lost NATS", text("id"));
            found.push(finding(Level::Risk, text));
        }
        let Some(url) = instance["admin_url"].as_str() else { continue };
        match clock_of(url).await {
            None => {
                let text = format!("{}: its admin listener {url} does not answer from here", text("id"));
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
            "clock: {url} differs by {} s from this machine: tokens and tickets are refused early or late; let NTP \
             set both",
            difference.as_secs()
        );
        return finding(Level::Risk, text);
    }
    finding(Level::Good, format!("clock: {url} agrees with this machine"))
}

/// How far another process's clock is from this one, by the date of an answer (whole seconds).
async fn clock_of(url: &str) -> Option<Duration> {
    let http = reqwest::Client::builder().timeout(TIMEOUT).build().ok()?;
    let answer = http.get(format!("{url}/healthz")).send().await.ok()?;
    let date = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    let theirs = time::OffsetDateTime::parse(date, &time::format_description::well_known::Rfc2822).ok()?;
    let difference = theirs - time::OffsetDateTime::now_utc();
    Some(difference.unsigned_abs())
}
