//! The pipeline: takes a verified sender's posts through all checks to the bus.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Draft, Receipt, RoomSettings, Settings};
use barrage_counters::Quota;
use barrage_moderation::{Moderator, RuleHit};
use barrage_protocol::RoomId;
use barrage_protocol::code::{LimitHit, Refusal};
use barrage_protocol::poll::VoteAnswer;
use barrage_protocol::post::{Outcome, Post, PostAnswer};
use barrage_token::{Identity, Role};
use tokio_util::sync::CancellationToken;

use super::attach::attach;
use super::compose::{Composed, Content, Sender, compose, fingerprint};
use super::emotes::EmoteSets;
use super::gifts::{self, GiftList};
use super::limit::Limits;
use super::moderate::{GiftNames, Moderated, Moderation};
use super::pulses::Pulses;
use super::request::{Checked, PackageContext, PostRequest, PostSource};
use super::samples::OfferedRate;
use super::{check, commit, moderate, reply, speak, switch};
use crate::account::AccountNames;
use crate::config::UplinkConfig;
use crate::gift_config;
use crate::limits_config::LimitsError;
use crate::media::MediaLinks;
use crate::metrics::UplinkMetrics;
use crate::poll::PollControl;
use crate::record::{AuditQueue, CheckResult, PostChecks, PostRecords, RequestTrace};
use crate::review::{Queued, ReviewControl};
use crate::room::{RoomControl, in_room};
use crate::super_chat_config::SuperChatTiers;
use crate::text::CleanText;
use crate::words::WordsControl;

/// The parts that a pipeline is built from.
pub(crate) struct PipelineParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) quota: Arc<dyn Quota>,
    pub(crate) moderator: Arc<Moderator>,
    pub(crate) control: RoomControl,
    pub(crate) audit: Arc<AuditQueue>,
    pub(crate) records: PostRecords,
    pub(crate) polls: Arc<PollControl>,
    pub(crate) reviews: Arc<ReviewControl>,
    pub(crate) words: Arc<WordsControl>,
    pub(crate) names: Option<Arc<AccountNames>>,
    pub(crate) media: MediaLinks,
}

/// Checks posts, publishes those that pass, and records all.
///
/// The order is: limits, switches, room and role, content, slow mode, moderation, display quota,
/// commit. Each post's text is cleaned once, and its body is written once.
pub(crate) struct PostPipeline {
    bus: Arc<dyn Bus>,
    pub(super) limits: Limits,
    gifts: GiftList,
    moderation: Moderation,
    pulses: Pulses,
    polls: Arc<PollControl>,
    pub(super) records: PostRecords,
    control: RoomControl,
    reviews: Arc<ReviewControl>,
    words: Arc<WordsControl>,
    names: Option<Arc<AccountNames>>,
    media: MediaLinks,
    text_chars_max: usize,
    super_chats: SuperChatTiers,
    pub(super) gift_role_min: Role,
}

impl PostPipeline {
    /// Builds a pipeline.
    ///
    /// # Errors
    /// When a limit or the list of gifts in `config` cannot be used.
    pub(crate) fn new(
        parts: PipelineParts,
        config: &UplinkConfig,
        metrics: &UplinkMetrics,
    ) -> Result<Self, LimitsError> {
        let prices = gift_config::prices(&config.gifts, config.amount_minor_max)?;
        let gifts = GiftList::new(prices, config.amount_minor_max);
        let gift_names = if gifts.is_fixed() { GiftNames::Platform } else { GiftNames::Senders };
        let PipelineParts {
            bus,
            quota,
            moderator,
            control,
            audit,
            records,
            polls,
            reviews,
            words,
            names,
            media,
        } = parts;
        let limits = config.limits.clone();
        Ok(PostPipeline {
            bus,
            limits: Limits::new(limits, config.recent_max, quota, metrics.shadowed.clone())?,
            gifts,
            moderation: Moderation::new(moderator, control.clone(), audit, gift_names, config.text_chars_max),
            pulses: Pulses::new(config.recent_max, config.pulse_likes, config.reactions.clone()),
            polls,
            records,
            control,
            reviews,
            words,
            names,
            media,
            text_chars_max: config.text_chars_max,
            super_chats: SuperChatTiers::new(&config.super_chats, config.text_chars_max)?,
            gift_role_min: config.gift_role_min.unwrap_or(Role::Admin),
        })
    }

    /// Publishes the sums of likes, reactions and offered chat every `period`, until the shutdown.
    pub(crate) async fn run_pulses(&self, period: Duration, shutdown: CancellationToken) {
        self.pulses.run(&*self.bus, period, shutdown).await;
    }

    /// Returns the rooms to which viewers offer most chat, busiest first.
    pub(crate) fn most_offered(&self, rooms_max: usize) -> Vec<OfferedRate> {
        self.limits.most_offered(rooms_max)
    }

    /// Compares the sums of the conservation ledger. Called every second.
    pub(crate) fn settle(&self) {
        self.records.settle();
    }

    /// Counts one post against the limits of address, user and platform, before its body is read.
    ///
    /// # Errors
    /// The refusal of the first limit that is exceeded; it is recorded.
    pub(crate) async fn admit(&self, address: IpAddr, room: &RoomId, by: &Identity) -> Result<(), Refusal> {
        let admitted = self.limits.take(Some(address), by, 1).await;
        admitted.inspect_err(|refusal| self.records.refused_early(room, &by.user, refusal))
    }

    /// Counts letters against the limits of address, user and platform, before their body is read.
    ///
    /// # Errors
    /// The refusal of the first limit that is exceeded.
    pub(crate) async fn admit_letters(&self, address: IpAddr, by: &Identity) -> Result<(), Refusal> {
        self.limits.take(Some(address), by, 1).await
    }

    /// Counts letters of a package beyond the first one.
    ///
    /// # Errors
    /// The refusal of the first limit that is exceeded.
    pub(crate) async fn admit_further_letters(
        &self,
        address: IpAddr,
        by: &Identity,
        further: u32,
    ) -> Result<(), Refusal> {
        if further == 0 { Ok(()) } else { self.limits.take(Some(address), by, further).await }
    }

    /// Takes one admitted post through all checks to the bus.
    ///
    /// # Errors
    /// The refusal of the first check that the post fails.
    pub(crate) async fn post(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        request: &mut RequestTrace,
    ) -> Result<PostAnswer, Refusal> {
        let source = PostSource::Sender { gift_role_min: self.gift_role_min };
        self.post_from(source, room, by, post, request).await
    }

    /// Takes one post of a recording, which an operator plays, through all checks to the bus. Paid
    /// posts and placed danmaku of a recording need no role.
    ///
    /// # Errors
    /// The refusal of the first check that the post fails.
    pub(crate) async fn replay(
        &self,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        request: &mut RequestTrace,
    ) -> Result<PostAnswer, Refusal> {
        self.post_from(PostSource::Recording, room, by, post, request).await
    }

    async fn post_from(
        &self,
        source: PostSource,
        room: &RoomId,
        by: &Identity,
        post: &Post,
        trace: &mut RequestTrace,
    ) -> Result<PostAnswer, Refusal> {
        trace.sample(room, by, std::slice::from_ref(post));
        let mut context = self.records.begin(room, &by.user, post, trace.id());
        let request = PostRequest { room, by, post, package: PackageContext::Alone, source };
        let checked = self.check(&request, &mut context.checks).await;
        trace.checked();
        let result = match checked {
            Ok(Checked::Ready(draft, vote)) => match self.commit(vec![draft], trace).await {
                Ok(receipts) => commit::answer(&receipts, 0).map(|answer| PostAnswer { vote, ..answer }),
                Err(refusal) => Err(refusal),
            },
            Ok(Checked::Answered(answer)) => Ok(answer),
            Ok(Checked::Review(draft, hit)) => self.review(&draft, &hit).await,
            Err(refusal) => Err(refusal),
        };
        context.end(&result);
        result.map(|answer| PostAnswer { trace: trace.id(), ..answer })
    }

    /// Puts a post into the review queue of its room, and answers where it is.
    async fn review(&self, draft: &Draft, hit: &RuleHit) -> Result<PostAnswer, Refusal> {
        Ok(match self.reviews.enqueue(draft, hit).await? {
            Queued::Waiting(id) | Queued::Denied(id) => {
                PostAnswer { review: Some(id), ..commit::held(moderate::limit(hit)) }
            }
            Queued::Overflowed => commit::held(LimitHit::rule("moderation:review_full", "room")),
            Queued::Approved(sequence) => PostAnswer {
                outcome: Outcome::Duplicate,
                sequence: Some(sequence),
                limit: None,
                review: None,
                trace: None,
                vote: None,
            },
        })
    }

    /// Publishes drafts, and puts super chats on top. Drafts of a sampled request carry its trace.
    pub(super) async fn commit(
        &self,
        mut drafts: Vec<Draft>,
        trace: &mut RequestTrace,
    ) -> Result<Vec<Receipt>, Refusal> {
        for draft in &mut drafts {
            draft.trace = trace.context();
        }
        let super_chats = commit::super_chats(&drafts);
        let published = commit::publish(&*self.bus, drafts).await;
        trace.published();
        let receipts = published?;
        commit::put_on_top(&self.control, super_chats, &receipts).await;
        Ok(receipts)
    }

    /// Takes one post through all checks before the commit.
    pub(super) async fn check(
        &self,
        request: &PostRequest<'_>,
        checks: &mut PostChecks,
    ) -> Result<Checked, Refusal> {
        let &PostRequest { room, by: token, post, package, source } = request;
        let settings = self.bus.settings().borrow().clone();
        let by = &*in_room(&settings, room, token);
        checks.step("limits", CheckResult::Pass, "address, user and platform");
        if let Some(hit) = switch::held(&settings.switches, by, post)? {
            checks.step("switch", CheckResult::Held, hit.rule.clone());
            return Ok(Checked::Answered(commit::held(hit)));
        }
        let now_ms = barrage_clock::unix_ms();
        let slow_mode_secs = check::may_send(&settings, room, by, token.role, post, source, now_ms)?;
        self.control.see_role(room, token).await;
        checks.step("room", CheckResult::Pass, "open, not muted, role");
        self.gifts.check(post)?;
        let mut content = match compose(post, self.text_chars_max, &self.super_chats)? {
            Composed::Content(content) => content,
            Composed::Tap(tap) => {
                let id = (room, &by.user, post.id());
                let own = settings.rooms.get(room).and_then(|it| it.reactions.as_deref());
                return self.pulses.post(&*self.bus, id, tap, own, now_ms).map(Checked::Answered);
            }
        };
        let speaking = settings.rooms.get(room).map(RoomSettings::speak_in_force).unwrap_or_default();
        if let Some(checked) = attach(&self.media, &settings, (room, by), post, &mut content)? {
            checks.step("media", CheckResult::Pass, checked);
        }
        if by.role < Role::Moderator && !speaking.is_open() {
            let emotes = EmoteSets::of(&settings, room);
            speak::may_say(
                speaking,
                &content,
                |word| emotes.find(word).is_some(),
                || self.moderation.has_link(&content),
            )?;
            checks.step("speak", CheckResult::Pass, "");
        }
        if let Post::Chat { reply_to: Some(sequence), .. } = post {
            content.set_reply(reply::find(&self.control, room, *sequence).await?);
        }
        if slow_mode_secs > 0 && gifts::obeys_room(post) {
            self.limits.slow_mode(room, by, post.id(), slow_mode_secs, checks).await?;
        }
        let (rules, now) = (self.words.rules(&settings, room).await, self.words.now());
        let rules = (rules.as_deref(), now);
        let moderated = self.moderation.check(room, by, post, rules, &mut content, checks).await?;
        match speak::reviewed(moderated, speaking, by, &content) {
            Moderated::Shown => {}
            Moderated::Review(hit) => {
                let request = PostRequest { by, ..*request };
                let name = self.sender_name(&request).await?;
                return Ok(Checked::Review(self.draft(&request, name, content, &settings, now_ms), hit));
            }
            Moderated::Held(hit) => return Ok(Checked::Answered(commit::held(hit))),
        }
        let is_text = matches!(post, Post::Chat { .. }) && !content.text().is_empty();
        if speaking.unique_secs > 0 && by.role < Role::Moderator && is_text {
            let text = (content.text(), speaking.unique_secs);
            self.limits.unique(room, by, post.id(), text, checks).await?;
        }
        // A chat that the quota holds is a vote, too.
        let vote = self.word_vote(&settings, request, content.text(), checks).await;
        if package == PackageContext::Alone {
            let hit = self.limits.display(room, by, post, checks);
            if !by.role.is_exempt() && gifts::obeys_room(post) {
                self.pulses.offered(room, hit.is_none());
            }
            if let Some(hit) = hit {
                return Ok(Checked::Answered(PostAnswer { vote, ..commit::held(hit) }));
            }
        }
        let request = PostRequest { by, ..*request };
        let name = self.sender_name(&request).await?;
        Ok(Checked::Ready(self.draft(&request, name, content, &settings, now_ms), vote))
    }

    /// Counts the vote that a chat is, in a poll that counts chat.
    async fn word_vote(
        &self,
        settings: &Settings,
        request: &PostRequest<'_>,
        text: &str,
        checks: &mut PostChecks,
    ) -> Option<VoteAnswer> {
        let Post::Chat { .. } = request.post else { return None };
        let vote = self.polls.vote_by_words(settings, request.room, &request.by.user, text).await?;
        let again = if vote.duplicate { ", voted before" } else { "" };
        checks.step("poll", CheckResult::Pass, format!("option {}{again}", vote.option));
        Some(vote)
    }

    /// Returns the sender's name as viewers see it. Senders of a recording have made-up names.
    ///
    /// # Errors
    /// A refusal of the post when a word list refuses the name, or an account has it.
    async fn sender_name(&self, request: &PostRequest<'_>) -> Result<CleanText, Refusal> {
        let &PostRequest { by, source, .. } = request;
        let name = self.moderation.sender_name(by)?;
        if let Some(names) = &self.names
            && source != PostSource::Recording
            && !by.role.is_exempt()
        {
            names.check(Some(&by.user), name.as_str()).await?;
        }
        Ok(name)
    }

    fn draft(
        &self,
        request: &PostRequest<'_>,
        name: CleanText,
        mut content: Content<'_>,
        settings: &Settings,
        now_ms: u64,
    ) -> Draft {
        let &PostRequest { room, by, post, .. } = request;
        if settings.switches.text_only {
            content.remove_style();
        }
        let sender = Sender { user: &by.user, name, role: by.role, attrs: by.attrs.as_deref() };
        let sets = EmoteSets::of(settings, room);
        let emotes = match &content {
            Content::Chat { text, .. } | Content::SuperChat { text, .. } => sets.ranges(text.as_str()),
            Content::Gift { .. } => Vec::new(),
        };
        Draft {
            room: room.clone(),
            class: post.class(),
            sender: Some(by.user.clone()),
            id: Some(post.id().clone()),
            fingerprint: fingerprint(post),
            to: None,
            trace: None,
            body: content.body(post.id(), &sender, &emotes, now_ms),
        }
    }
}
