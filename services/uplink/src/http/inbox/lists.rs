//! The handlers that read: the inbox, items of a conversation, read places.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use barrage_protocol::Sequence;
use http::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::caller::{conversation, query, respond, respond_packed, user};
use crate::http::history::TunnelMemory;
use crate::inbox::{PageQuery, SyncQuery};
use crate::uplink::Uplink;

const LIMIT_DEFAULT: usize = 100;
const TOP_DEFAULT: usize = 20;
const ITEMS_DEFAULT: usize = 20;
const PAGE_DEFAULT: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxQuery {
    /// Cursor of the last answer that the device has stored; without it, the answer is for a new device.
    cursor: Option<String>,
    /// Conversations in the answer, 1 to 300; 100 when absent.
    #[schemars(range(min = 1, max = 300))]
    limit: Option<usize>,
    /// Conversations whose newest items are in the answer, 0 to 50; 20 when absent.
    #[schemars(range(max = 50))]
    top: Option<usize>,
    /// Newest items of each of them, 0 to 50; 20 when absent. `top` times `items` is at most 400.
    #[schemars(range(max = 50))]
    items: Option<usize>,
    /// Position of a lane that the answer has: the answer waits for it for two seconds at most.
    at_least: Option<u64>,
    /// Lane of `at_least`; 0 when absent.
    lane: Option<u16>,
    /// Seconds to wait for a change, 0 to 30; 0 when absent.
    #[schemars(range(max = 30))]
    wait_secs: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemsQuery {
    /// Items behind this position, oldest first.
    after: Option<u64>,
    /// Items before this position. Without any position: the newest items.
    before: Option<u64>,
    /// Items of a page, 1 to 200; 50 when absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
}

/// Returns what a device lacks.
pub(super) async fn sync(
    State(uplink): State<Arc<Uplink>>,
    asked: Result<Query<InboxQuery>, QueryRejection>,
    tunnel: Option<Extension<TunnelMemory>>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (inbox, by) = user(&uplink, &headers)?;
        let asked = query(asked)?;
        // Requests in a tunnel are answered in turn: none waits for a change.
        let wait_secs = if tunnel.is_some() { 0 } else { asked.wait_secs.unwrap_or(0) };
        let wanted = SyncQuery {
            cursor: asked.cursor,
            limit: asked.limit.unwrap_or(LIMIT_DEFAULT),
            top: asked.top.unwrap_or(TOP_DEFAULT),
            items: asked.items.unwrap_or(ITEMS_DEFAULT),
            at_least: asked.at_least.map(|sequence| (asked.lane.unwrap_or(0), Sequence(sequence))),
            wait_secs,
        };
        Ok(inbox.sync(&by.user, &wanted).await?)
    };
    respond_packed(&uplink, &headers, answer.await)
}

/// Returns a page of a conversation's items.
pub(super) async fn items(
    State(uplink): State<Arc<Uplink>>,
    Path(id): Path<String>,
    asked: Result<Query<ItemsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (inbox, by) = user(&uplink, &headers)?;
        let (id, asked) = (conversation(&id)?, query(asked)?);
        let ItemsQuery { after, before, limit } = asked;
        let wanted = PageQuery { after, before, limit: limit.unwrap_or(PAGE_DEFAULT) };
        Ok(inbox.page(&by.user, &id, wanted).await?)
    };
    respond_packed(&uplink, &headers, answer.await)
}

/// Returns how far a conversation is read.
pub(super) async fn read_places(
    State(uplink): State<Arc<Uplink>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        let (inbox, by) = user(&uplink, &headers)?;
        Ok(inbox.read_places(&by.user, &conversation(&id)?).await?)
    };
    respond(&uplink, answer.await)
}
