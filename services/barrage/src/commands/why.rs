//! `barrage why`: asks every uplink for the checks of a message and the place of a letter, and every gateway for the
//! batch of a message.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::bail;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::admin_api::AdminApi;
use super::{admin, runtime};
use crate::admin_error::AdminError;
use crate::cli::WhyArguments;
use crate::cli::admin::Output;
use crate::config::Config;
use crate::console::{print_line, printable};

/// Largest number of processes asked at the same time.
const CONCURRENT_CALLS_MAX: usize = 32;

/// Prints all records of the message. Fails when no process has a record.
pub(crate) fn main(config: &Config, arguments: &WhyArguments) -> anyhow::Result<()> {
    runtime()?.block_on(run(config, arguments))
}

async fn run(config: &Config, arguments: &WhyArguments) -> anyhow::Result<()> {
    let first = AdminApi::new(config, &arguments.admin)?;
    let fleet = Fleet::list(&first).await?;
    let path = format!("/v1/admin/why/{}", arguments.id);
    let answers = ask_all(&first, &fleet.uplinks, &path).await;
    let (mut found, mut letters, mut not_found, mut failures) = (Vec::new(), Vec::new(), None, Vec::new());
    for (url, answer) in answers {
        match answer {
            Ok(answer) => {
                for post in answer["posts"].as_array().into_iter().flatten() {
                    let fan_outs = fan_outs(&first, &fleet, post).await;
                    found.push((post.clone(), fan_outs));
                }
                letters.extend(answer["letters"].as_array().into_iter().flatten().cloned());
            }
            Err(AdminError::NotFound(message)) => not_found = Some(message),
            Err(error) => failures.push(format!("{url}: {error:#}")),
        }
    }
    if arguments.output == Output::Json && !(found.is_empty() && letters.is_empty()) {
        return admin::print_result("message_why", &as_json(&found, &letters, &failures));
    }
    for (post, fan_outs) in &found {
        print_post(post, fan_outs)?;
    }
    for letter in &letters {
        print_letter(letter)?;
    }
    for failure in &failures {
        print_line(format!("not asked: {}", printable(failure)))?;
    }
    match (found.len() + letters.len(), not_found) {
        (1.., _) => Ok(()),
        (0, Some(message)) if failures.is_empty() => {
            bail!("{} ({} uplinks asked)", printable(&message), fleet.uplinks.len())
        }
        _ => bail!("no uplink that answered has a record of this id"),
    }
}

/// Admin URLs of the fleet by role.
struct Fleet {
    uplinks: BTreeSet<String>,
    gateways: BTreeSet<String>,
}

impl Fleet {
    /// Lists the instances that a process reports. Where no instance of a role names a URL, the
    /// process itself stands in.
    async fn list(first: &AdminApi) -> anyhow::Result<Fleet> {
        let report = first.get("/v1/admin/fleet").await?;
        let with_role = |role: &str| {
            let instances = report["instances"].as_array().into_iter().flatten();
            let urls = instances.filter(|instance| instance["role"] == role);
            let mut urls: BTreeSet<_> =
                urls.filter_map(|instance| instance["admin_url"].as_str()).map(str::to_owned).collect();
            if urls.is_empty() {
                urls.insert(first.url.clone());
            }
            urls
        };
        Ok(Fleet { uplinks: with_role("uplink"), gateways: with_role("gateway") })
    }
}

/// Answer of each process, by its URL.
type Answers = Vec<(String, Result<Value, AdminError>)>;

/// Sends the same GET request to all processes.
async fn ask_all(first: &AdminApi, urls: &BTreeSet<String>, path: &str) -> Answers {
    let calls = urls.iter().map(|url| async move { (url.clone(), first.at(url).get(path).await) });
    stream::iter(calls).buffered(CONCURRENT_CALLS_MAX).collect().await
}

/// Asks all gateways for the batch of a post; a post without a position has none.
async fn fan_outs(first: &AdminApi, fleet: &Fleet, post: &Value) -> Answers {
    let (Some(room), Some(sequence)) = (post["room"].as_str(), post["sequence"].as_u64()) else {
        return Vec::new();
    };
    let path = format!("/v1/admin/rooms/{}/fan-outs/{sequence}", printable(room));
    ask_all(first, &fleet.gateways, &path).await
}

/// Makes the JSON form: posts with their batches, letters, and the processes that were not asked.
fn as_json(found: &[(Value, Answers)], letters: &[Value], failures: &[String]) -> Value {
    let mut not_asked = failures.to_vec();
    let mut posts = Vec::new();
    for (post, fan_outs) in found {
        let mut batches = Vec::new();
        for (url, answer) in fan_outs {
            match answer {
                Ok(batch) => batches.push(batch.clone()),
                Err(AdminError::NotFound(_)) => {}
                Err(error) => not_asked.push(format!("{url}: {error:#}")),
            }
        }
        let mut post = post.clone();
        post["fan_outs"] = batches.into();
        posts.push(post);
    }
    json!({ "posts": posts, "letters": letters, "not_asked": not_asked })
}

/// Prints the checks of one post, and its batch on each gateway that had viewers in the room.
fn print_post(post: &Value, fan_outs: &Answers) -> anyhow::Result<()> {
    let text = |key: &str| printable(post[key].as_str().unwrap_or_default());
    print_line(format!(
        "{} by {} in {}, at {}",
        text("class"),
        text("user"),
        text("room"),
        format_time(&post["at_ms"])
    ))?;
    for step in post["steps"].as_array().into_iter().flatten() {
        let text = |key: &str| printable(step[key].as_str().unwrap_or_default());
        print_line(format!("  {:<24} {:<8} {}", text("check"), text("word"), text("detail")))?;
    }
    if post["trace"].is_string() {
        print_line(format!("  trace {}", text("trace")))?;
    }
    let Some(sequence) = post["sequence"].as_u64() else {
        return print_line(format!("  => {}", text("outcome")));
    };
    print_line(format!("  => {} at position {sequence}", text("outcome")))?;
    let mut has_record = false;
    for (url, answer) in fan_outs {
        match answer {
            Ok(found) => {
                has_record = true;
                print_line(fan_out_line(found))?;
            }
            Err(AdminError::NotFound(_)) => {}
            Err(error) => print_line(format!("  not asked: {url}: {}", printable(&format!("{error:#}"))))?,
        }
    }
    if !has_record {
        let asked = fan_outs.len();
        print_line(format!(
            "  no gateway has a record of the batch ({asked} asked): no viewer was in the room, or the record is too old"
        ))?;
    }
    Ok(())
}

/// Prints what became of a letter, and its place.
fn print_letter(letter: &Value) -> anyhow::Result<()> {
    let text = |key: &str| printable(letter[key].as_str().unwrap_or_default());
    let (user, conversation) = (text("user"), text("conversation"));
    print_line(format!("letter by {user} to {conversation}, at {}", format_time(&letter["at_ms"])))?;
    let Some(sequence) = letter["sequence"].as_u64() else {
        return print_line(format!("  => {}: {}", text("outcome"), text("detail")));
    };
    print_line(format!(
        "  {:<24} {}",
        format!("lane {}", letter["lane"]),
        format_args!("position {sequence}")
    ))?;
    print_line(format!("  => {}; {}", text("outcome"), place_of(&letter["place"])))
}

/// Describes where an accepted letter is.
fn place_of(place: &Value) -> String {
    match place["state"].as_str().unwrap_or_default() {
        "waiting" => format!("it waits in the lane: the tables have the lane up to {}", place["taken"]),
        "item" if place["recalled"] == true => {
            format!("item {} of the conversation, recalled or erased", place["position"])
        }
        "item" => format!("item {} of the conversation", place["position"]),
        "undelivered" => {
            let reason = printable(place["reason"].as_str().unwrap_or_default());
            format!("the courier refused it as {reason}, and told the sender")
        }
        "gone" => "no item has the id: it was removed after its time, or is older than 1,000 items".into(),
        _ => "the tables cannot be read now".into(),
    }
}

/// Describes the batch of a message on one gateway.
fn fan_out_line(found: &Value) -> String {
    let fan_out = &found["fan_out"];
    let text = |key: &str| printable(fan_out[key].as_str().unwrap_or_default());
    let place = match fan_out["thinned"].as_bool() {
        Some(true) => "dropped from its batch (overload)",
        _ => "in its batch",
    };
    let mut line = format!(
        "  {}: {place} of {} at {}; ",
        printable(found["gateway"].as_str().unwrap_or_default()),
        fan_out["batch_messages"],
        format_time(&fan_out["at_ms"])
    );
    // Writing into a string does not fail.
    _ = write!(
        line,
        "room {}, level {}; of {} viewers, {} got it at once, {} got it queued, {} had left",
        text("heat"),
        text("overload"),
        fan_out["viewers"],
        fan_out["written"],
        fan_out["queued"],
        fan_out["gone"]
    );
    line
}

/// Formats Unix milliseconds as RFC 3339, with milliseconds.
fn format_time(at_ms: &Value) -> String {
    let at = at_ms.as_i64().and_then(|ms| {
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
        at.format(&Rfc3339).ok()
    });
    at.unwrap_or_else(|| at_ms.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_dates_and_other_values_as_they_are() {
        assert_eq!(format_time(&json!(1_795_972_910_952_u64)), "2026-11-29T17:21:50.952Z");
        assert_eq!(format_time(&json!("soon")), "\"soon\"");
    }
}
