//! Posting: check, compose, publish, answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use barrage_bus::{BusError, Draft, PulseDraft, Receipt, Settings};
use barrage_flow::Fate;
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::post::{Outcome, Package, PackageAnswer, Post, PostAnswer};
use barrage_protocol::{Class, Code, RoomId};
use barrage_token::{Identity, Role};
use http::HeaderMap;

use crate::account::Passage;
use crate::moderate::Moderated;
use crate::routes::Uplink;
use crate::trace::{Trace, Word};
use crate::{access, compose, gifts, record, switch};

/// Posts in one package.
const PACKAGE_MAX: usize = 64;
/// How long a like's id is remembered.
const LIKE_WINDOW_MS: u64 = 120_000;
/// When to come back after the log refused.
const RETRY_MS: u64 = 500;

pub(crate) async fn message(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<PostAnswer>, ApiError> {
    let timer = uplink.metrics.duration.start_timer();
    let result = post_one(&uplink, &room, client, &headers, request_body).await;
    timer.observe_duration();
    uplink.counted(result).map(Json)
}

async fn post_one(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<PostAnswer, ApiError> {
    let room = access::room_id(room)?;
    let by = access::caller(&uplink.keyring, headers, &room)?;
    let admitted = uplink.limits.take(Some(client.0), &by, 1).await;
    admitted.inspect_err(|error| record::turned_away(uplink, &room, &by, error))?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
    let post: Post = body::json(&bytes)?;
    uplink.post(&room, &by, &post).await
}

impl Uplink {
    /// Takes one post of a verified caller through all checks to the bus.
    pub async fn post(&self, room: &RoomId, by: &Identity, post: &Post) -> Result<PostAnswer, ApiError> {
        self.post_as(room, by, post, self.gift_role_min()).await
    }

    /// Takes one post of a recording that the operator plays through all checks to the bus. What
    /// was paid for in the recording needs no role: no caller chose it.
    pub async fn replay(&self, room: &RoomId, by: &Identity, post: &Post) -> Result<PostAnswer, ApiError> {
        self.post_as(room, by, post, Role::Viewer).await
    }

    fn gift_role_min(&self) -> Role {
        self.config.gift_role_min.unwrap_or(Role::Admin)
    }

    async fn post_as(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        gift_role_min: Role,
    ) -> Result<PostAnswer, ApiError> {
        let mut way = Way::begin(self, room, by, post);
        let checked = self.check(room, by, post, Company::Alone, gift_role_min, &mut way.trace).await;
        let result = match checked {
            Ok(Checked::Ready(draft)) => match publish(self, vec![draft]).await {
                Ok(receipts) => answer(post.class(), &receipts, 0),
                Err(error) => Err(error),
            },
            Ok(Checked::Answered(answer)) => Ok(answer),
            Err(error) => Err(error),
        };
        way.end(&result);
        result
    }

    /// All checks of one post; what passes is ready for the bus.
    async fn check(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        company: Company,
        gift_role_min: Role,
        trace: &mut Trace,
    ) -> Result<Checked, ApiError> {
        let settings = self.bus.settings().borrow().clone();
        trace.step("limits", Word::Pass, "address, user and platform");
        if let Some(hit) = switch::held(&settings.switches, by, post)? {
            trace.step("switch", Word::Held, hit.rule.clone());
            return Ok(Checked::Answered(held(hit)));
        }
        let now_ms = unix_ms();
        let slow_secs = access::may_send(&settings, room, by, post, gift_role_min, now_ms)?;
        trace.step("room", Word::Pass, "open, not muted, role");
        if let Post::Like { count, .. } = post {
            compose::body(post, by, self.config.text_chars_max, now_ms)?;
            return Ok(Checked::Answered(self.like(room, by, post, *count)));
        }
        // What cannot be shown is refused before anything is counted.
        self.gifts.check(post)?;
        compose::body(post, by, self.config.text_chars_max, now_ms)?;
        if slow_secs > 0 && gifts::obeys_room(post) {
            self.limits.slow_mode(room, by, post.id(), slow_secs, trace).await?;
        }
        let shown = match self.moderate(room, by, post, trace).await? {
            Moderated::As(shown) => shown,
            Moderated::Held(hit) => return Ok(Checked::Answered(held(hit))),
        };
        if company == Company::Alone
            && let Some(hit) = self.limits.display(room, by, post, trace)
        {
            return Ok(Checked::Answered(held(hit)));
        }
        self.draft(room, by, post, &shown, &settings, now_ms).map(Checked::Ready)
    }

    fn draft(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        shown: &Post,
        settings: &Settings,
        now_ms: u64,
    ) -> Result<Draft, ApiError> {
        let shown = switch::plain(&settings.switches, shown);
        let shown_by = self.shown_sender(by)?;
        Ok(Draft {
            room: room.clone(),
            class: post.class(),
            sender: Some(by.user.clone()),
            id: Some(post.id().clone()),
            // Of what was posted: a retry is the same whatever is shown of it.
            fingerprint: compose::fingerprint(post),
            to: None,
            body: compose::body(&shown, &shown_by, self.config.text_chars_max, now_ms)?,
        })
    }

    fn like(&self, room: &RoomId, by: &Identity, post: &Post, count: u32) -> PostAnswer {
        let key = (room.clone(), by.user.clone(), post.id().clone());
        let outcome = match self.likes().take(key, LIKE_WINDOW_MS, unix_ms()) {
            Ok(()) => {
                if let Some(likes) = self.pulses.add(room, u64::from(count), self.config.pulse_likes) {
                    self.bus.pulse(room, PulseDraft { likes, ..PulseDraft::default() });
                }
                Outcome::Broadcast
            }
            Err(_) => Outcome::Duplicate,
        };
        PostAnswer { outcome, sequence: None, limit: None }
    }
}

/// What a post comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    Alone,
    /// In a package with a paid gift: the display quota does not hold it.
    Gift,
}

/// What the checks come to.
enum Checked {
    Ready(Draft),
    Answered(PostAnswer),
}

/// One post under way: its place in the ledger and its trace.
struct Way<'a> {
    uplink: &'a Uplink,
    class: Class,
    passage: Passage<'a>,
    /// Of its text.
    bytes: u32,
    trace: Trace,
}

impl<'a> Way<'a> {
    fn begin(uplink: &'a Uplink, room: &RoomId, by: &Identity, post: &Post) -> Self {
        let class = post.class();
        let (passage, bytes) = (uplink.account.take(class), record::bytes(post));
        Way { uplink, class, passage, bytes, trace: Trace::new(room, &by.user, post) }
    }

    fn end(mut self, result: &Result<PostAnswer, ApiError>) {
        let mut fate = Fate::LeftOut;
        if let Ok(answer) = result {
            self.uplink.metrics.answered(self.class, answer.outcome);
            if answer.outcome == Outcome::Broadcast {
                fate = Fate::PassedOn;
            }
        }
        self.passage.end(fate);
        self.trace.end(result);
        record::answered(self.uplink, &self.trace, self.bytes, result);
        self.uplink.traces.push(self.trace);
    }
}

fn held(limit: LimitHit) -> PostAnswer {
    PostAnswer { outcome: Outcome::Held, sequence: None, limit: Some(limit) }
}

fn answer(class: Class, receipts: &[Receipt], at: usize) -> Result<PostAnswer, ApiError> {
    debug_assert!(class != Class::Pulse);
    let receipt = receipts.get(at).ok_or_else(|| ApiError::new(Code::Internal, "the bus gave no receipt"))?;
    let outcome = if receipt.duplicate { Outcome::Duplicate } else { Outcome::Broadcast };
    Ok(PostAnswer { outcome, sequence: Some(receipt.sequence), limit: None })
}

pub(crate) async fn package(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Result<Json<PackageAnswer>, ApiError> {
    let result = post_package(&uplink, &room, client, &headers, request_body).await;
    uplink.counted(result).map(Json)
}

async fn post_package(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    headers: &HeaderMap,
    request_body: Body,
) -> Result<PackageAnswer, ApiError> {
    let room = access::room_id(room)?;
    let by = access::caller(&uplink.keyring, headers, &room)?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.package_bytes_max, deadline).await?;
    let package: Package = body::json(&bytes)?;
    if package.messages.is_empty() || package.messages.len() > PACKAGE_MAX {
        return Err(ApiError::new(Code::BadRequest, format!("messages: 1 to {PACKAGE_MAX} posts")));
    }
    if package.messages.iter().any(|post| post.class() == Class::Pulse) {
        return Err(ApiError::new(Code::BadRequest, "messages: likes have no order; post them alone"));
    }
    // One request and one commit, however many: eight posts of it cost as one.
    let cost = package.messages.len().div_ceil(8);
    uplink.limits.take(Some(client.0), &by, u32::try_from(cost).unwrap_or(u32::MAX)).await?;
    let mut ways: Vec<_> = package.messages.iter().map(|post| Way::begin(uplink, &room, &by, post)).collect();
    let results = checked_package(uplink, &room, &by, &package.messages, &mut ways).await;
    let answers = match results {
        Ok(answers) => {
            for (way, answer) in ways.into_iter().zip(&answers) {
                way.end(&Ok(answer.clone()));
            }
            answers
        }
        Err(error) => {
            for way in ways {
                way.end(&Err(ApiError(error.0.clone())));
            }
            return Err(error);
        }
    };
    Ok(PackageAnswer { answers })
}

/// A package is published whole, held whole, or refused whole; one with a paid gift in it
/// is never held.
async fn checked_package(
    uplink: &Uplink,
    room: &RoomId,
    by: &Identity,
    posts: &[Post],
    ways: &mut [Way<'_>],
) -> Result<Vec<PostAnswer>, ApiError> {
    let has_gift = posts.iter().any(gifts::is_paid);
    let company = if has_gift { Company::Gift } else { Company::Alone };
    let mut drafts = Vec::with_capacity(posts.len());
    let mut hold = None;
    for (post, way) in posts.iter().zip(ways) {
        let gift_role_min = uplink.gift_role_min();
        match uplink.check(room, by, post, company, gift_role_min, &mut way.trace).await? {
            Checked::Ready(draft) => drafts.push(draft),
            Checked::Answered(answer) => hold = answer.limit,
        }
    }
    if let Some(limit) = hold {
        if has_gift {
            let message = format!("a part of it would be held by {}; post the gift alone", limit.rule);
            return Err(ApiError::new(Code::RateLimited, message).retry_after_ms(RETRY_MS));
        }
        return Ok(posts.iter().map(|_| held(limit.clone())).collect());
    }
    let receipts = publish(uplink, drafts).await?;
    posts.iter().enumerate().map(|(at, post)| answer(post.class(), &receipts, at)).collect()
}

/// Publishes; the answer comes when the bus has it durably.
pub(crate) async fn publish(uplink: &Uplink, drafts: Vec<Draft>) -> Result<Vec<Receipt>, ApiError> {
    uplink.bus.publish(drafts).await.map_err(|error| {
        let is_away = matches!(error, BusError::Unavailable(_));
        let mut refusal = Refusal::from(error);
        if is_away {
            // The cause is in the log; a sender needs to know that the same id is safe.
            refusal.message = "the message could not be kept; send it again with the same id".into();
        }
        ApiError(refusal)
    })
}

/// Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
