//! The handlers of what users change for themselves and of items: reads, recall, hide, clear, view, rules, blocks.

use axum::extract::Path;
use axum::response::Response;
use barrage_protocol::inbox::{LetterReportRequest, PlaceRequest, Preferences, ReadsRequest, View};

use super::caller::{Asked, conversation, user_id};
use crate::inbox::{Block, ItemChange};

/// Takes read places, which are merged.
pub(super) async fn reads(asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let request: ReadsRequest = by.body().await?;
        Ok(by.inbox.read(&by.user, &request.reads).await?)
    });
    answer.await
}

/// Recalls an item for all.
pub(super) async fn recall(Path(id): Path<String>, asked: Asked) -> Response {
    change(&id, asked, ItemChange::Recall).await
}

/// Hides an item from the user.
pub(super) async fn hide(Path(id): Path<String>, asked: Asked) -> Response {
    change(&id, asked, ItemChange::Hide).await
}

/// Clears the items up to one from the user.
pub(super) async fn clear(Path(id): Path<String>, asked: Asked) -> Response {
    change(&id, asked, ItemChange::Clear).await
}

async fn change(id: &str, asked: Asked, change: ItemChange) -> Response {
    let answer = asked.change(async |mut by| {
        let id = conversation(id)?;
        let PlaceRequest { position } = by.body().await?;
        Ok(by.inbox.change_item(&by.user, id, position, change).await?)
    });
    answer.await
}

/// Changes the user's view of a conversation.
pub(super) async fn see(Path(id): Path<String>, asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let id = conversation(&id)?;
        let view: View = by.body().await?;
        Ok(by.inbox.see(&by.user, id, view).await?)
    });
    answer.await
}

/// Returns the user's rules for letters, and the users whom it blocks.
pub(super) async fn preferences(asked: Asked) -> Response {
    asked.read(async |by| Ok(by.inbox.preferences(&by.user).await?)).await
}

/// Sets the user's rules for letters.
pub(super) async fn prefer(asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let preferences: Preferences = by.body().await?;
        Ok(by.inbox.prefer(&by.user, preferences).await?)
    });
    answer.await
}

/// Blocks letters of a user, and to it.
pub(super) async fn block(Path(other): Path<String>, asked: Asked) -> Response {
    set_block(&other, asked, Block::Begin).await
}

/// Ends the block of a user.
pub(super) async fn unblock(Path(other): Path<String>, asked: Asked) -> Response {
    set_block(&other, asked, Block::End).await
}

async fn set_block(other: &str, asked: Asked, block: Block) -> Response {
    asked.change(async |by| Ok(by.inbox.block(&by.user, &user_id(other)?, block).await?)).await
}

/// Reports a user of a conversation.
pub(super) async fn report(asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let request: LetterReportRequest = by.body().await?;
        Ok(by.inbox.report(&by.user, &request).await?)
    });
    answer.await
}
