//! The handlers of letters: to users, and to conversations.

use axum::extract::Path;
use axum::response::Response;
use barrage_http::ApiError;
use barrage_protocol::Code;
use barrage_protocol::inbox::{LetterPackage, LetterPackageAnswer, LetterRequest};

use super::caller::{Asked, conversation, user_id};
use crate::inbox::Target;

/// Sends a letter to a user.
pub(super) async fn to_user(Path(to): Path<String>, asked: Asked) -> Response {
    one(user_id(&to).map(Target::User), asked).await
}

/// Sends a letter to a conversation.
pub(super) async fn to_conversation(Path(id): Path<String>, asked: Asked) -> Response {
    one(conversation(&id).map(Target::Conversation), asked).await
}

/// Sends letters to a user: all, or none.
pub(super) async fn package_to_user(Path(to): Path<String>, asked: Asked) -> Response {
    package(user_id(&to).map(Target::User), asked).await
}

/// Sends letters to a conversation: all, or none.
pub(super) async fn package_to_conversation(Path(id): Path<String>, asked: Asked) -> Response {
    package(conversation(&id).map(Target::Conversation), asked).await
}

async fn one(target: Result<Target, ApiError>, asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let target = target?;
        let letter: LetterRequest = by.body().await?;
        let answers = by.inbox.send(&by.identity, target, &[letter]).await?;
        let answer = answers.into_iter().next();
        answer.ok_or_else(|| ApiError::new(Code::Internal, "the lane gave no receipt"))
    });
    answer.await
}

async fn package(target: Result<Target, ApiError>, asked: Asked) -> Response {
    let answer = asked.change(async |mut by| {
        let target = target?;
        let package: LetterPackage = by.package().await?;
        // The first letter was counted before the body was read.
        let further = u32::try_from(package.letters.len().saturating_sub(1)).unwrap_or(u32::MAX);
        by.admit_further(further).await?;
        Ok(LetterPackageAnswer { answers: by.inbox.send(&by.identity, target, &package.letters).await? })
    });
    answer.await
}
