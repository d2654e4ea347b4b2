//! The handlers of what users change for themselves and of items: reads, recall, hide, clear, view, rules, blocks.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::inbox::{Accepted, LetterReportRequest, PlaceRequest, Preferences, ReadsRequest, View};
use http::HeaderMap;

use super::caller::{conversation, read, respond, sender, user, user_id};
use crate::inbox::{Block, ItemChange};
use crate::uplink::Uplink;

type Shared = State<Arc<Uplink>>;
type Client = Extension<ClientAddr>;

/// Takes read places, which are merged.
pub(super) async fn reads(
    State(uplink): Shared,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let request: ReadsRequest = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.read(&by.user, &request.reads).await?)
    };
    respond(&uplink, answer.await)
}

/// Recalls an item for all.
pub(super) async fn recall(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    respond(&uplink, change(&uplink, &id, client, &headers, body, ItemChange::Recall).await)
}

/// Hides an item from the user.
pub(super) async fn hide(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    respond(&uplink, change(&uplink, &id, client, &headers, body, ItemChange::Hide).await)
}

/// Clears the items up to one from the user.
pub(super) async fn clear(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    respond(&uplink, change(&uplink, &id, client, &headers, body, ItemChange::Clear).await)
}

async fn change(
    uplink: &Arc<Uplink>,
    id: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    body: Body,
    change: ItemChange,
) -> Result<Accepted, ApiError> {
    let (inbox, by) = sender(uplink, headers, client).await?;
    let id = conversation(id)?;
    let PlaceRequest { position } = read(uplink, body, uplink.config.post_bytes_max).await?;
    Ok(inbox.change_item(&by.user, id, position, change).await?)
}

/// Changes the user's view of a conversation.
pub(super) async fn see(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let id = conversation(&id)?;
        let view: View = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.see(&by.user, id, view).await?)
    };
    respond(&uplink, answer.await)
}

/// Returns the user's rules for letters, and the users whom it blocks.
pub(super) async fn preferences(State(uplink): Shared, headers: HeaderMap) -> Response {
    let answer = async {
        let (inbox, by) = user(&uplink, &headers)?;
        Ok(inbox.preferences(&by.user).await?)
    };
    respond(&uplink, answer.await)
}

/// Sets the user's rules for letters.
pub(super) async fn prefer(
    State(uplink): Shared,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let preferences: Preferences = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.prefer(&by.user, preferences).await?)
    };
    respond(&uplink, answer.await)
}

/// Blocks letters of a user, and to it.
pub(super) async fn block(
    State(uplink): Shared,
    Path(other): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        Ok(inbox.block(&by.user, &user_id(&other)?, Block::Begin).await?)
    };
    respond(&uplink, answer.await)
}

/// Reports a user of a conversation.
pub(super) async fn report(
    State(uplink): Shared,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let request: LetterReportRequest = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.report(&by.user, &request).await?)
    };
    respond(&uplink, answer.await)
}

/// Ends the block of a user.
pub(super) async fn unblock(
    State(uplink): Shared,
    Path(other): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        Ok(inbox.block(&by.user, &user_id(&other)?, Block::End).await?)
    };
    respond(&uplink, answer.await)
}
