//! Packages: several posts that are published, held or refused as one.

use std::net::IpAddr;

use barrage_protocol::code::Refusal;
use barrage_protocol::post::{Post, PostAnswer};
use barrage_protocol::{Class, Code, RoomId};
use barrage_token::Identity;

use super::pipeline::PostPipeline;
use super::request::{Checked, PackageContext, PostRequest, PostSource};
use super::{commit, gifts, moderate};
use crate::record::{PostContext, RequestTrace};

/// Maximum posts in one package; a larger package is refused.
const PACKAGE_POSTS_MAX: usize = 64;
/// Posts of a package that cost as much as one request: a package is one request and one commit.
const PACKAGE_POSTS_PER_COST: usize = 8;
/// Milliseconds after which a package may be sent again when a part of it would be held.
const PACKAGE_RETRY_MS: u64 = 500;

impl PostPipeline {
    /// Takes a package through all checks to the bus. A package is published whole, held whole or
    /// refused whole; a package with a paid gift is never held.
    ///
    /// # Errors
    /// The refusal of the first check that one of the posts fails.
    pub(crate) async fn post_package(
        &self,
        address: IpAddr,
        room: &RoomId,
        by: &Identity,
        posts: &[Post],
        trace: &mut RequestTrace,
    ) -> Result<Vec<PostAnswer>, Refusal> {
        if posts.is_empty() || posts.len() > PACKAGE_POSTS_MAX {
            let message = format!("messages: 1 to {PACKAGE_POSTS_MAX} posts");
            return Err(Refusal::new(Code::BadRequest, message));
        }
        if posts.iter().any(|post| post.class() == Class::Pulse) {
            let message = "messages: likes and reactions have no order; post them alone";
            return Err(Refusal::new(Code::BadRequest, message));
        }
        let cost = posts.len().div_ceil(PACKAGE_POSTS_PER_COST);
        self.limits.take(Some(address), by, u32::try_from(cost).unwrap_or(u32::MAX)).await?;
        trace.sample(room, by, posts);
        let mut contexts: Vec<_> =
            posts.iter().map(|post| self.records.begin(room, &by.user, post, trace.id())).collect();
        let result = self.publish_package(room, by, posts, &mut contexts, trace).await;
        for (index, context) in contexts.into_iter().enumerate() {
            context.end(&match &result {
                Ok(answers) => Ok(answers[index].clone()),
                Err(refusal) => Err(refusal.clone()),
            });
        }
        result.map(|answers| {
            answers.into_iter().map(|answer| PostAnswer { trace: trace.id(), ..answer }).collect()
        })
    }

    /// Publishes a package whole, or holds it whole. Returns one answer for each post.
    async fn publish_package(
        &self,
        room: &RoomId,
        by: &Identity,
        posts: &[Post],
        contexts: &mut [PostContext<'_>],
        trace: &mut RequestTrace,
    ) -> Result<Vec<PostAnswer>, Refusal> {
        let has_paid_gift = posts.iter().any(gifts::is_paid);
        let package = if has_paid_gift { PackageContext::WithPaidGift } else { PackageContext::Alone };
        let mut drafts = Vec::with_capacity(posts.len());
        let mut hold = None;
        for (post, context) in posts.iter().zip(contexts) {
            let source = PostSource::Sender { gift_role_min: self.gift_role_min };
            let request = PostRequest { room, by, post, package, source };
            match self.check(&request, &mut context.checks).await? {
                Checked::Ready(draft, _) => drafts.push(draft),
                Checked::Answered(answer) => hold = answer.limit,
                // A package is shown whole or not at all: its parts are not reviewed one by one.
                Checked::Review(_, hit) => hold = Some(moderate::limit(&hit)),
            }
        }
        if let Some(limit) = hold {
            if has_paid_gift {
                let message = format!("a part of it would be held by {}; post the gift alone", limit.rule);
                return Err(Refusal::new(Code::RateLimited, message).retry_after_ms(PACKAGE_RETRY_MS));
            }
            return Ok(posts.iter().map(|_| commit::held(limit.clone())).collect());
        }
        trace.checked();
        let receipts = self.commit(drafts, trace).await?;
        (0..posts.len()).map(|index| commit::answer(&receipts, index)).collect()
    }
}
