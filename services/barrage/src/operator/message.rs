//! Where a message is: its checks at the uplinks, and its batches at the gateways.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use barrage_bus::Role;
use barrage_http::{ApiError, bearer};
use barrage_protocol::{Code, MessageId};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::context::Operator;
use super::fleet_calls::{NotAsked, Target};

/// Posts for which the gateways are asked. More posts under one id are retries of a few clients.
const FOLLOWED_MAX: usize = 8;

/// Answer of `GET /v1/admin/messages/{id}`.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct MessageReport {
    /// Posts under the id, as `GET /v1/admin/why/{id}` of each uplink has them.
    posts: Vec<FoundPost>,
    /// Letters and items of groups under the id, as `GET /v1/admin/why/{id}` of each uplink has them.
    letters: Vec<Value>,
    /// Number of uplinks that answered.
    uplinks_asked: usize,
    /// Gateways that answered; 0 when no post has a position.
    gateways_asked: usize,
    /// Instances that did not answer.
    not_asked: Vec<NotAsked>,
}

/// A post with the uplink that took it, and its batches.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundPost {
    /// Id of the uplink.
    uplink: String,
    /// The post with its checks, as `GET /v1/admin/why/{id}` has it.
    post: Value,
    /// Batch of the message on each gateway that had viewers in its room and still has the record.
    fan_outs: Vec<Value>,
}

/// Asks every uplink for the posts under an id, and every gateway for their batches.
pub(super) async fn handle(
    State(operator): State<Arc<Operator>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<MessageReport>, ApiError> {
    let id = MessageId::parse(&id).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))?;
    let token = bearer(&headers).ok_or_else(|| ApiError::new(Code::Unauthorized, "send a token"))?;
    let mut report = MessageReport::default();
    let targets = operator.calls.targets();
    let of_role = |role| targets.iter().filter(move |target| target.role == role).cloned();
    let path = format!("/v1/admin/why/{id}");
    for (target, answer) in ask(&operator, of_role(Role::Uplink), &path, token, &mut report.not_asked).await {
        report.uplinks_asked += 1;
        let of = |key: &str| answer.as_ref().and_then(|answer| answer[key].as_array().cloned());
        let posts = of("posts").unwrap_or_default();
        report.letters.extend(of("letters").unwrap_or_default());
        let found = |post| FoundPost { uplink: target.id.clone(), post, fan_outs: Vec::new() };
        report.posts.extend(posts.into_iter().map(found));
    }
    for found in report.posts.iter_mut().take(FOLLOWED_MAX) {
        let room = found.post["room"].as_str().unwrap_or_default();
        let Some(sequence) = found.post["sequence"].as_u64() else { continue };
        let path = format!("/v1/admin/rooms/{room}/fan-outs/{sequence}");
        let answers = ask(&operator, of_role(Role::Gateway), &path, token, &mut report.not_asked).await;
        report.gateways_asked = report.gateways_asked.max(answers.len());
        found.fan_outs = answers.into_iter().filter_map(|(_, answer)| answer).collect();
    }
    Ok(Json(report))
}

/// Asks instances for a path. Instances without a record answer `None`; failures go to `not_asked`,
/// each instance once.
async fn ask(
    operator: &Operator,
    targets: impl Iterator<Item = Target>,
    path: &str,
    token: &str,
    not_asked: &mut Vec<NotAsked>,
) -> Vec<(Target, Option<Value>)> {
    let questions = targets.map(|target| (target, path.to_owned())).collect();
    let mut answers = Vec::new();
    for (target, answer) in operator.calls.ask_all(questions, token).await {
        match answer.and_then(|answer| answer.json()) {
            Ok(answer) => answers.push((target, answer)),
            Err(why) => {
                let failed = NotAsked::new(target, why);
                if !not_asked.contains(&failed) {
                    not_asked.push(failed);
                }
            }
        }
    }
    answers
}
