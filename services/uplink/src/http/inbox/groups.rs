//! The handlers of groups.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::UserId;
use barrage_protocol::inbox::{GroupAnswer, GroupRequest, GroupSettings, MemberRequest};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::{conversation, query, read, respond, sender, user, user_id};
use crate::inbox::GroupChange;
use crate::uplink::Uplink;

type Shared = State<Arc<Uplink>>;
type Client = Extension<ClientAddr>;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MembersQuery {
    /// Members behind this user; `next` of the page before.
    after: Option<UserId>,
}

/// Makes a group that the user owns.
pub(super) async fn create(
    State(uplink): Shared,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let settings: GroupSettings = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.create_group(&by, settings).await?)
    };
    respond(&uplink, answer.await)
}

/// Shows a group, also before the user joins.
pub(super) async fn show(State(uplink): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let answer = async {
        let (inbox, by) = user(&uplink, &headers)?;
        Ok(inbox.group(&by, &conversation(&id)?).await?)
    };
    respond(&uplink, answer.await)
}

/// Changes title or rules of a group.
pub(super) async fn settings(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let id = conversation(&id)?;
        let request: GroupRequest = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.change_group(&by, &id, GroupChange::Settings(request)).await?)
    };
    respond(&uplink, answer.await)
}

/// Deletes a group of its owner.
pub(super) async fn delete(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
) -> Response {
    respond(&uplink, change(&uplink, &id, client, &headers, GroupChange::Delete).await)
}

/// Joins a group, or asks to.
pub(super) async fn join(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
) -> Response {
    respond(&uplink, change(&uplink, &id, client, &headers, GroupChange::Join).await)
}

/// Leaves a group, which bounds what the user reads.
pub(super) async fn leave(
    State(uplink): Shared,
    Path(id): Path<String>,
    Extension(client): Client,
    headers: HeaderMap,
) -> Response {
    respond(&uplink, change(&uplink, &id, client, &headers, GroupChange::Leave).await)
}

/// Lists members of a group.
pub(super) async fn members(
    State(uplink): Shared,
    Path(id): Path<String>,
    asked: Result<Query<MembersQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (inbox, by) = user(&uplink, &headers)?;
        let (id, asked) = (conversation(&id)?, query(asked)?);
        Ok(inbox.members(&by, &id, asked.after.as_ref()).await?)
    };
    respond(&uplink, answer.await)
}

/// Gives a member another role.
pub(super) async fn appoint(
    State(uplink): Shared,
    Path((id, member)): Path<(String, String)>,
    Extension(client): Client,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let answer = async {
        let (inbox, by) = sender(&uplink, &headers, client).await?;
        let (id, member) = (conversation(&id)?, user_id(&member)?);
        let MemberRequest { role } = read(&uplink, body, uplink.config.post_bytes_max).await?;
        Ok(inbox.change_group(&by, &id, GroupChange::Appoint(member, role)).await?)
    };
    respond(&uplink, answer.await)
}

async fn change(
    uplink: &Arc<Uplink>,
    id: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    change: GroupChange,
) -> Result<GroupAnswer, ApiError> {
    let (inbox, by) = sender(uplink, headers, client).await?;
    Ok(inbox.change_group(&by, &conversation(id)?, change).await?)
}
