//! The handlers that read: the inbox, items of a conversation, read places.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use barrage_protocol::Sequence;
use barrage_protocol::inbox::{InboxQuery, ItemsQuery};

use super::caller::{Asked, conversation, query};
use crate::http::history::TunnelMemory;
use crate::inbox::{PageQuery, SyncQuery};

const LIMIT_DEFAULT: usize = 100;
const TOP_DEFAULT: usize = 20;
const ITEMS_DEFAULT: usize = 20;
const PAGE_DEFAULT: usize = 50;

/// Returns what a device lacks.
pub(super) async fn sync(
    wanted: Result<Query<InboxQuery>, QueryRejection>,
    tunnel: Option<Extension<TunnelMemory>>,
    asked: Asked,
) -> Response {
    let answer = asked.read_packed(async |by| {
        let wanted = query(wanted)?;
        // Requests in a tunnel are answered in turn: none waits for a change.
        let wait_secs = if tunnel.is_some() { 0 } else { wanted.wait_secs.unwrap_or(0) };
        let wanted = SyncQuery {
            cursor: wanted.cursor,
            limit: wanted.limit.unwrap_or(LIMIT_DEFAULT),
            top: wanted.top.unwrap_or(TOP_DEFAULT),
            items: wanted.items.unwrap_or(ITEMS_DEFAULT),
            at_least: wanted.at_least.map(|sequence| (wanted.lane.unwrap_or(0), Sequence(sequence))),
            wait_secs,
        };
        Ok(by.inbox.sync(&by.user, &wanted).await?)
    });
    answer.await
}

/// Returns a page of a conversation's items.
pub(super) async fn items(
    Path(id): Path<String>,
    wanted: Result<Query<ItemsQuery>, QueryRejection>,
    asked: Asked,
) -> Response {
    let answer = asked.read_packed(async |by| {
        let (id, ItemsQuery { after, before, limit }) = (conversation(&id)?, query(wanted)?);
        let wanted = PageQuery { after, before, limit: limit.unwrap_or(PAGE_DEFAULT) };
        Ok(by.inbox.page(&by.user, &id, wanted).await?)
    });
    answer.await
}

/// Returns how far a conversation is read.
pub(super) async fn read_places(Path(id): Path<String>, asked: Asked) -> Response {
    asked.read(async |by| Ok(by.inbox.read_places(&by.user, &conversation(&id)?).await?)).await
}
