//! `barrage why`: asks every uplink for a message's way and every gateway for its batch.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::bail;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::admin::{Admin, AdminError, printable, runtime};
use crate::cli::{Why, say};
use crate::config::Config;

/// Processes asked at a time.
const CALLS_MAX: usize = 32;

/// Prints what is known of the message.
pub(crate) fn main(config: &Config, asked: &Why) -> anyhow::Result<()> {
    runtime()?.block_on(run(config, asked))
}

async fn run(config: &Config, asked: &Why) -> anyhow::Result<()> {
    let first = Admin::new(config, &asked.admin)?;
    let fleet = Fleet::of(&first).await?;
    let path = format!("/v1/admin/why/{}", asked.id);
    let answers = ask(&first, &fleet.uplinks, &path).await;
    let (mut found, mut refusal, mut silent) = (0, None, Vec::new());
    for (url, answer) in answers {
        match answer {
            Ok(answer) => {
                for post in answer["posts"].as_array().into_iter().flatten() {
                    found += 1;
                    tell(&first, &fleet, post).await?;
                }
            }
            Err(AdminError::NotFound(message)) => refusal = Some(message),
            Err(AdminError::Other(error)) => silent.push(format!("{url}: {error:#}")),
        }
    }
    for problem in &silent {
        say(format!("not asked: {}", printable(problem)))?;
    }
    match (found, refusal) {
        (1.., _) => Ok(()),
        (0, Some(message)) if silent.is_empty() => {
            bail!("{} ({} uplinks asked)", printable(&message), fleet.uplinks.len())
        }
        _ => bail!("no uplink that answered has a record of this id"),
    }
}

/// Admin URLs by role.
struct Fleet {
    uplinks: BTreeSet<String>,
    gateways: BTreeSet<String>,
}

impl Fleet {
    /// Those that the process knows; itself where none names a URL.
    async fn of(first: &Admin) -> anyhow::Result<Fleet> {
        let known = first.get("/v1/admin/fleet").await?;
        let of = |role: &str| {
            let instances = known["instances"].as_array().into_iter().flatten();
            let urls = instances.filter(|instance| instance["role"] == role);
            let mut urls: BTreeSet<_> =
                urls.filter_map(|instance| instance["admin_url"].as_str()).map(str::to_owned).collect();
            if urls.is_empty() {
                urls.insert(first.url.clone());
            }
            urls
        };
        Ok(Fleet { uplinks: of("uplink"), gateways: of("gateway") })
    }
}

type Answers = Vec<(String, Result<Value, AdminError>)>;

async fn ask(first: &Admin, urls: &BTreeSet<String>, path: &str) -> Answers {
    let calls = urls.iter().map(|url| async move { (url.clone(), first.at(url).get(path).await) });
    stream::iter(calls).buffered(CALLS_MAX).collect().await
}

/// Prints one post, and its batch on each gateway that had viewers in the room.
async fn tell(first: &Admin, fleet: &Fleet, post: &Value) -> anyhow::Result<()> {
    let text = |key: &str| printable(post[key].as_str().unwrap_or_default());
    say(format!("{} by {} in {}, at {}", text("class"), text("user"), text("room"), moment(&post["at_ms"])))?;
    for step in post["steps"].as_array().into_iter().flatten() {
        let text = |key: &str| printable(step[key].as_str().unwrap_or_default());
        say(format!("  {:<24} {:<8} {}", text("check"), text("word"), text("detail")))?;
    }
    let Some(sequence) = post["sequence"].as_u64() else {
        return say(format!("  => {}", text("outcome")));
    };
    say(format!("  => {} at position {sequence}", text("outcome")))?;
    let path = format!("/v1/admin/rooms/{}/fan-outs/{sequence}", text("room"));
    let mut is_known = false;
    for (url, answer) in ask(first, &fleet.gateways, &path).await {
        match answer {
            Ok(found) => {
                is_known = true;
                say(fanned_out(&found))?;
            }
            Err(AdminError::NotFound(_)) => {}
            Err(AdminError::Other(error)) => {
                say(format!("  not asked: {url}: {}", printable(&format!("{error:#}"))))?
            }
        }
    }
    if !is_known {
        let asked = fleet.gateways.len();
        say(format!(
            "  no gateway has a record of that batch ({asked} asked): no viewer was in the room, or it is too old"
        ))?;
    }
    Ok(())
}

fn fanned_out(found: &Value) -> String {
    let fan_out = &found["fan_out"];
    let text = |key: &str| printable(fan_out[key].as_str().unwrap_or_default());
    let thinned = match fan_out["thinned"].as_bool() {
        Some(true) => "left out of its batch (overload)",
        _ => "in its batch",
    };
    let mut line = format!(
        "  {}: {thinned} of {} at {}; ",
        printable(found["gateway"].as_str().unwrap_or_default()),
        fan_out["batch_messages"],
        moment(&fan_out["at_ms"])
    );
    // Writing into a string does not fail.
    _ = write!(
        line,
        "room {}, level {}; of {} viewers {} got it at once, for {} it was queued, {} had gone",
        text("heat"),
        text("overload"),
        fan_out["viewers"],
        fan_out["written"],
        fan_out["queued"],
        fan_out["gone"]
    );
    line
}

/// Unix milliseconds as RFC 3339, with milliseconds.
fn moment(at_ms: &Value) -> String {
    let at = at_ms.as_i64().and_then(|ms| {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
        at.format(&Rfc3339).ok()
    });
    at.unwrap_or_else(|| at_ms.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_dates_and_foreign_text_cannot_drive_a_terminal() {
        assert_eq!(moment(&json!(1_795_972_910_952_u64)), "2026-11-29T17:21:50.952Z");
        assert_eq!(moment(&json!("soon")), "\"soon\"");
        let shown = printable("no\u{1b}[2J\nlinks");
        assert!(!shown.contains(['\u{1b}', '\n']), "{shown:?}");
    }
}
