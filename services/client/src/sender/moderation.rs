//! Requests of moderators, and of viewers who vote or report: actions, polls, reviews, words
//! and emotes of a room.

use barrage_protocol::action::{ActionAnswer, ActionRequest};
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::poll::{PollAnswer, PollRequest, VoteAnswer, VoteRequest};
use barrage_protocol::review::{
    ReportAnswer, ReportRequest, ReviewAnswer, ReviewList, ReviewRequest, ReviewSettings,
};
use barrage_protocol::words::{WordsAnswer, WordsRequest, WordsTestAnswer, WordsTestRequest};
use barrage_protocol::{MessageId, RoomId};
use reqwest::Method;

use super::{Refusals, Sender};
use crate::error::SendError;

impl Sender {
    /// Takes one action of a moderator. Retries until the deadline, under the same id.
    pub async fn act(&self, room: &RoomId, request: &ActionRequest) -> Result<ActionAnswer, SendError> {
        self.until_deadline(room, "actions", request, Refusals::Retry).await
    }

    /// Opens a poll. Retries until the deadline, under the same id.
    pub async fn open_poll(&self, room: &RoomId, request: &PollRequest) -> Result<PollAnswer, SendError> {
        self.until_deadline(room, "polls", request, Refusals::Retry).await
    }

    /// Closes a poll before its end, and returns its result.
    pub async fn close_poll(&self, room: &RoomId, poll: &MessageId) -> Result<PollAnswer, SendError> {
        self.until_deadline(room, &format!("polls/{poll}/close"), &serde_json::json!({}), Refusals::Retry)
            .await
    }

    /// Votes for an option of a running poll, by its number from 1. Retries until the deadline: a vote
    /// counts once. The answer has the option that counts, which is the user's first one.
    pub async fn vote(&self, room: &RoomId, poll: &MessageId, option: u8) -> Result<VoteAnswer, SendError> {
        self.until_deadline(room, &format!("polls/{poll}/votes"), &VoteRequest { option }, Refusals::Retry)
            .await
    }

    /// Lists what waits for a moderator of the room. Retries until the deadline.
    pub async fn reviews(&self, room: &RoomId) -> Result<ReviewList, SendError> {
        self.answered(Some(room), self.request_without_body(room, "reviews"), Refusals::Retry).await
    }

    /// Sets the fallback of the room's reviews. Retries until the deadline.
    pub async fn configure_reviews(
        &self,
        room: &RoomId,
        settings: &ReviewSettings,
    ) -> Result<ReviewSettings, SendError> {
        self.answered(Some(room), self.request(Method::PUT, room, "reviews", settings), Refusals::Retry).await
    }

    /// Locks or decides a review. Retries until the deadline: the same decision again changes nothing.
    pub async fn review(
        &self,
        room: &RoomId,
        review: &MessageId,
        request: &ReviewRequest,
    ) -> Result<ReviewAnswer, SendError> {
        self.until_deadline(room, &format!("reviews/{review}"), request, Refusals::Retry).await
    }

    /// Reports a user of the room to its moderators. Retries until the deadline.
    pub async fn report(&self, room: &RoomId, request: &ReportRequest) -> Result<ReportAnswer, SendError> {
        self.until_deadline(room, "reports", request, Refusals::Retry).await
    }

    /// Returns the words of the room with their figures. Retries until the deadline.
    pub async fn words(&self, room: &RoomId) -> Result<WordsAnswer, SendError> {
        self.answered(Some(room), self.request_without_body(room, "words"), Refusals::Retry).await
    }

    /// Replaces the words of the room. Retries until the deadline; name the version that was read, so
    /// that a retry does not undo the change of another moderator.
    pub async fn put_words(&self, room: &RoomId, request: &WordsRequest) -> Result<WordsAnswer, SendError> {
        self.answered(Some(room), self.request(Method::PUT, room, "words", request), Refusals::Retry).await
    }

    /// Tests a text against the words of the room, or against others. Retries until the deadline.
    pub async fn test_words(
        &self,
        room: &RoomId,
        request: &WordsTestRequest,
    ) -> Result<WordsTestAnswer, SendError> {
        self.until_deadline(room, "words/test", request, Refusals::Retry).await
    }
    /// Returns the room's own emotes, by which a client finds the image of a range in a text. Those of the
    /// platform are at `GET /v1/emotes`, which needs no token. Retries until the deadline.
    pub async fn emotes(&self, room: &RoomId) -> Result<EmoteSet, SendError> {
        self.answered(Some(room), self.request_without_body(room, "emotes"), Refusals::Retry).await
    }

    /// Replaces the room's own emotes, for its host. Retries until the deadline.
    pub async fn put_emotes(&self, room: &RoomId, set: &EmoteSet) -> Result<EmoteSet, SendError> {
        self.answered(Some(room), self.request(Method::PUT, room, "emotes", set), Refusals::Retry).await
    }
}
