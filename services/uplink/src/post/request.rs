//! One post on its way through the checks, and what they make of it.

use barrage_bus::Draft;
use barrage_moderation::RuleHit;
use barrage_protocol::RoomId;
use barrage_protocol::poll::VoteAnswer;
use barrage_protocol::post::{Post, PostAnswer};
use barrage_token::{Identity, Role};

/// One post of a verified sender, on its way through the checks.
pub(super) struct PostRequest<'a> {
    pub(super) room: &'a RoomId,
    pub(super) by: &'a Identity,
    pub(super) post: &'a Post,
    pub(super) package: PackageContext,
    pub(super) source: PostSource,
}

/// Where a post comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostSource {
    /// The sender's own token. Paid posts need this role.
    Sender { gift_role_min: Role },
    /// A recording that an operator plays: its paid posts and placed danmaku need no role.
    Recording,
}

/// Whether a post comes alone or in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackageContext {
    Alone,
    /// In a package with a paid gift: the display quota does not hold the post.
    WithPaidGift,
}

/// The result of all checks before the commit.
pub(super) enum Checked {
    Ready(Draft, Option<VoteAnswer>),
    /// Held, or a like: nothing is to be published.
    Answered(PostAnswer),
    /// A rule wants a moderator to decide.
    Review(Draft, RuleHit),
}
