//! The handlers of letters: to users, and to conversations.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::Code;
use barrage_protocol::inbox::{LetterAnswer, LetterPackage, LetterPackageAnswer, LetterRequest};
use http::HeaderMap;

use super::caller::{conversation, read, respond, sender, user_id};
use crate::inbox::Target;
use crate::uplink::Uplink;

type Shared = State<Arc<Uplink>>;
type Client = Extension<ClientAddr>;

/// Sends a letter to a user.
pub(super) async fn to_user(
    State(uplink): Shared,
    Path(to): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = user_id(&to).map(Target::User);
    respond(&uplink, one(&uplink, target, client, &headers, body).await)
}

/// Sends a letter to a conversation.
pub(super) async fn to_conversation(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = conversation(&id).map(Target::Conversation);
    respond(&uplink, one(&uplink, target, client, &headers, body).await)
}

/// Sends letters to a user: all, or none.
pub(super) async fn package_to_user(
    State(uplink): Shared,
    Path(to): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = user_id(&to).map(Target::User);
    respond(&uplink, package(&uplink, target, client, &headers, body).await)
}

/// Sends letters to a conversation: all, or none.
pub(super) async fn package_to_conversation(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let target = conversation(&id).map(Target::Conversation);
    respond(&uplink, package(&uplink, target, client, &headers, body).await)
}

async fn one(
    uplink: &Arc<Uplink>,
    target: Result<Target, ApiError>,
    client: ClientAddr,
    headers: &HeaderMap,
    body: Body,
) -> Result<LetterAnswer, ApiError> {
    let (inbox, by) = sender(uplink, headers, client).await?;
    let target = target?;
    let letter: LetterRequest = read(uplink, body, uplink.config.post_bytes_max).await?;
    let answers = inbox.send(&by, target, &[letter]).await?;
    let answer = answers.into_iter().next();
    answer.ok_or_else(|| ApiError::new(Code::Internal, "the lane gave no receipt"))
}

async fn package(
    uplink: &Arc<Uplink>,
    target: Result<Target, ApiError>,
    client: ClientAddr,
    headers: &HeaderMap,
    body: Body,
) -> Result<LetterPackageAnswer, ApiError> {
    let (inbox, by) = sender(uplink, headers, client).await?;
    let target = target?;
    let package: LetterPackage = read(uplink, body, uplink.config.package_bytes_max).await?;
    // The first letter was counted before the body was read.
    let further = u32::try_from(package.letters.len().saturating_sub(1)).unwrap_or(u32::MAX);
    uplink.pipeline.admit_further_letters(client.0, &by, further).await?;
    Ok(LetterPackageAnswer { answers: inbox.send(&by, target, &package.letters).await? })
}
