//! The handlers of groups.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use barrage_protocol::inbox::{GroupRequest, GroupSettings, MemberRequest, MembersQuery};

use super::caller::{Asked, conversation, query, user_id};
use crate::inbox::GroupChange;

/// Makes a group that the user owns.
pub(super) async fn create(asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let settings: GroupSettings = by.body().await?;
        Ok(by.inbox.create_group(&by.identity, settings).await?)
    });
    answer.await
}

/// Shows a group, also before the user joins.
pub(super) async fn show(Path(id): Path<String>, asked: Asked) -> Response {
    asked.read(async |by| Ok(by.inbox.group(&by.identity, &conversation(&id)?).await?)).await
}

/// Changes title or rules of a group.
pub(super) async fn settings(Path(id): Path<String>, asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let id = conversation(&id)?;
        let request: GroupRequest = by.body().await?;
        Ok(by.inbox.change_group(&by.identity, &id, GroupChange::Settings(request)).await?)
    });
    answer.await
}

/// Deletes a group of its owner.
pub(super) async fn delete(Path(id): Path<String>, asked: Asked) -> Response {
    change(&id, asked, GroupChange::Delete).await
}

/// Joins a group, or asks to.
pub(super) async fn join(Path(id): Path<String>, asked: Asked) -> Response {
    change(&id, asked, GroupChange::Join).await
}

/// Leaves a group, which bounds what the user reads.
pub(super) async fn leave(Path(id): Path<String>, asked: Asked) -> Response {
    change(&id, asked, GroupChange::Leave).await
}

/// Lists members of a group.
pub(super) async fn members(
    Path(id): Path<String>,
    asked_for: Result<Query<MembersQuery>, QueryRejection>,
    asked: Asked,
) -> Response {
    let answer = asked.read(async |by| {
        let (id, wanted) = (conversation(&id)?, query(asked_for)?);
        Ok(by.inbox.members(&by.identity, &id, wanted.after.as_ref()).await?)
    });
    answer.await
}

/// Gives a member another role.
pub(super) async fn appoint(Path((id, member)): Path<(String, String)>, asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let (id, member) = (conversation(&id)?, user_id(&member)?);
        let MemberRequest { role } = by.body().await?;
        Ok(by.inbox.change_group(&by.identity, &id, GroupChange::Appoint(member, role)).await?)
    });
    answer.await
}

async fn change(id: &str, asked: Asked, change: GroupChange) -> Response {
    asked.change(async |by| Ok(by.inbox.change_group(&by.identity, &conversation(id)?, change).await?)).await
}
