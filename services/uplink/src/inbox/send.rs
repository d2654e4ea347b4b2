//! Letters and items of groups: from the request to the lane.

use std::time::Duration;

use barrage_bus::{LaneReceipt, Restriction, RestrictionKind};
use barrage_flow::Rate;
use barrage_inbox::{ConversationId, Event, Kind, Refusal as Reason, Role as GroupRole, Standing};
use barrage_moderation::{Candidate, Outcome};
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{FILE_NAME_CHARS_MAX, LETTERS_MAX, LetterAnswer, LetterOutcome, LetterRequest};
use barrage_protocol::{Class, Code, RoomId, UserId};
use barrage_store::{Membership, Terms};
use barrage_token::{Identity, Role};

use super::access::{may_post, may_write};
use super::compose::{self, Draft};
use super::control::{InboxControl, subject};
use super::refusals::{malformed, refused, unreadable};
use crate::guest_id::is_guest;
use crate::post::{shown_name, text_refusal};
use crate::text::{CleanText, rfc3339};

/// Receiver of letters, as the path names it.
pub(crate) enum Target {
    /// A user, who may have had no letter yet.
    User(UserId),
    /// A conversation of the sender, direct or group.
    Conversation(ConversationId),
}

impl InboxControl {
    /// Takes letters for one conversation, all or none. The answer comes when they are durable.
    pub(crate) async fn send(
        &self,
        by: &Identity,
        target: Target,
        letters: &[LetterRequest],
    ) -> Result<Vec<LetterAnswer>, Refusal> {
        let conversation = match &target {
            Target::User(to) => ConversationId::direct(&by.user, to),
            Target::Conversation(id) => id.clone(),
        };
        let sent = self.take_letters(by, target, letters).await;
        self.letters.push(&by.user, &conversation, letters, &sent);
        sent
    }

    async fn take_letters(
        &self,
        by: &Identity,
        target: Target,
        letters: &[LetterRequest],
    ) -> Result<Vec<LetterAnswer>, Refusal> {
        if letters.is_empty() || letters.len() > LETTERS_MAX {
            return Err(malformed(format!("letters: 1 to {LETTERS_MAX}")));
        }
        self.refuse_muted(&by.user)?;
        let (to, group) = match target {
            Target::User(to) => (Some(to), None),
            Target::Conversation(id) if id.kind() == Kind::Group => (None, Some(id)),
            Target::Conversation(id) => (Some(self.peer(by, &id).await?), None),
        };
        let place = if group.is_some() { RoomId::groups() } else { RoomId::letters() };
        let name = self.sender_name(by).await?;
        let mut drafts = Vec::with_capacity(letters.len());
        for letter in letters {
            let mut draft = compose::check(letter, self.config.text_chars_max)?;
            if let Some(reference) = letter.media() {
                draft.set_media(self.media.resolve(reference, &by.user)?)?;
            }
            drafts.push(draft);
        }
        match (to, group) {
            (Some(to), _) => self.send_direct(by, &place, &name, to, drafts).await,
            (None, Some(group)) => self.send_group(by, &place, &name, group, drafts).await,
            (None, None) => Err(refused(Reason::NotMember)),
        }
    }

    /// Returns the sender's name as others see it, checked as that of a sender in a room.
    async fn sender_name(&self, by: &Identity) -> Result<CleanText, Refusal> {
        let name = shown_name(&self.moderator, by)?;
        if let Some(names) = self.names.as_ref().filter(|_| by.role != Role::Admin) {
            names.check(Some(&by.user), name.as_str()).await?;
        }
        Ok(name)
    }

    /// Returns the other user of a direct conversation. Its id does not show the users.
    async fn peer(&self, by: &Identity, id: &ConversationId) -> Result<UserId, Refusal> {
        let found = self.access.member(&by.user, id, |found| found.peer.is_some()).await;
        let found = found.map_err(|error| unreadable(&error))?;
        found.and_then(|found| found.peer.clone()).ok_or_else(|| refused(Reason::NotMember))
    }

    async fn send_direct(
        &self,
        by: &Identity,
        place: &RoomId,
        name: &CleanText,
        to: UserId,
        mut drafts: Vec<Draft<'_>>,
    ) -> Result<Vec<LetterAnswer>, Refusal> {
        if to == by.user {
            return Err(refused(Reason::ToOneself));
        }
        if is_guest(&to) {
            return Err(Refusal::new(Code::Forbidden, "guests have no inbox"));
        }
        self.refuse_erased(&to).await?;
        let standing = standing_of(by);
        // While the tables cannot be read, letters are taken: the courier decides about them later.
        let admits = |terms: &Terms| may_write(terms, standing).is_ok();
        let terms = self.access.terms(&by.user, &to, admits).await.ok();
        let mut folder = None;
        if let Some(terms) = &terms {
            folder = Some(may_write(terms, standing).map_err(refused)?);
            if terms.folder.is_none() && standing == Standing::Stranger {
                self.take_conversation(&by.user, &to).await?;
            }
        }
        self.moderate(by, place, &mut drafts).await?;
        let conversation = ConversationId::direct(&by.user, &to);
        let event = |draft: &Draft<'_>| Event::Letter {
            sender: by.user.clone(),
            to: to.clone(),
            letter: draft.letter(by, name),
            standing,
        };
        let events: Vec<_> = drafts.iter().map(event).collect();
        let (lane, receipts) = self.append(&events).await?;
        if let Some(terms) = terms {
            let new = receipts.iter().filter(|receipt| !receipt.duplicate).count() as u64;
            let sent = terms.sent.saturating_add(new);
            self.access.note(&by.user, &to, Terms { folder, sent, ..terms }).await;
        }
        Ok(answers(&receipts, lane, &conversation))
    }

    async fn send_group(
        &self,
        by: &Identity,
        place: &RoomId,
        name: &CleanText,
        group: ConversationId,
        mut drafts: Vec<Draft<'_>>,
    ) -> Result<Vec<LetterAnswer>, Refusal> {
        let admits = |found: &Membership| may_post(Some(found)).is_ok();
        if let Ok(membership) = self.access.member(&by.user, &group, admits).await {
            let membership = membership.as_deref();
            let slow_mode_secs = may_post(membership).map_err(refused)?.settings.slow_mode_secs;
            let is_slowed = membership.is_some_and(|found| found.member.role < GroupRole::Moderator);
            if slow_mode_secs > 0 && is_slowed {
                self.slow_mode(by, &group, &drafts, slow_mode_secs).await?;
            }
        }
        for _ in &drafts {
            self.take_group_item(group.as_str()).await?;
        }
        self.moderate(by, place, &mut drafts).await?;
        let event = |draft: &Draft<'_>| Event::Post {
            sender: by.user.clone(),
            group: group.clone(),
            letter: draft.letter(by, name),
            mentions: draft.mentions(),
        };
        let events: Vec<_> = drafts.iter().map(event).collect();
        let (lane, receipts) = self.append(&events).await?;
        Ok(answers(&receipts, lane, &group))
    }

    /// Admits one item of a member in `secs`. A retry of an item that passed, passes again.
    async fn slow_mode(
        &self,
        by: &Identity,
        group: &ConversationId,
        drafts: &[Draft<'_>],
        secs: u32,
    ) -> Result<(), Refusal> {
        if drafts.len() > 1 {
            return Err(Refusal::new(Code::SlowMode, "slow mode: a package has more than one item"));
        }
        let Some(draft) = drafts.first() else { return Ok(()) };
        let key = (by.user.clone(), draft.request.id().clone());
        if self.passed.get(&key).await.is_some() {
            return Ok(());
        }
        let period = Duration::from_secs(u64::from(secs));
        let Ok(rate) = Rate::new(1, period, 1) else { return Ok(()) };
        let subject = subject(&[group.as_str(), by.user.as_str()]);
        let taken = self.take("group_slow_mode", "user_in_group", subject, rate, period).await;
        taken.map_err(|refusal| Refusal {
            code: Code::SlowMode,
            message: format!("slow mode: one item in {secs} s"),
            ..refusal
        })?;
        self.passed.insert(key, ()).await;
        Ok(())
    }

    /// Refuses the letters of a user whom moderation or an operator has muted.
    fn refuse_muted(&self, user: &UserId) -> Result<(), Refusal> {
        let now_ms = barrage_clock::unix_ms();
        let Some(mute) = self.rooms.settings().restriction(&RoomId::letters(), user, now_ms) else {
            return Ok(());
        };
        let message = format!("your letters are refused until {}", rfc3339(mute.until_ms));
        Err(Refusal::new(Code::Muted, message).retry_after_ms(mute.until_ms.saturating_sub(now_ms)))
    }

    /// Mutes a sender whose texts were refused again and again. A failure is logged: the letter has its own answer.
    async fn mute(&self, user: &UserId, until_ms: u64) {
        let mute = Restriction { kind: RestrictionKind::Mute, until_ms };
        if let Err(refusal) = self.rooms.restrict(&RoomId::letters(), user, mute).await {
            tracing::warn!(code = refusal.code.label(), "a mute by moderation is not in force");
        }
    }

    /// Checks the texts. What a rule would hold for review is refused: a letter has no room whose moderators
    /// could decide.
    async fn moderate(&self, by: &Identity, place: &RoomId, drafts: &mut [Draft<'_>]) -> Result<(), Refusal> {
        // Moderators of rooms are not moderators of letters.
        if by.role == Role::Admin {
            return Ok(());
        }
        let attributes = by.attrs.as_deref().filter(|_| self.moderator.hook_breaker().is_some());
        let attributes =
            attributes.map(|attrs| serde_json::to_string(attrs).unwrap_or_default()).unwrap_or_default();
        let chars_max = self.config.text_chars_max;
        let texts = drafts.iter_mut().flat_map(|draft| {
            let texts = [(&mut draft.text, chars_max), (&mut draft.file_name, FILE_NAME_CHARS_MAX)];
            let id = draft.request.id();
            texts.map(|(text, chars_max)| (id, text, chars_max))
        });
        for (id, place_of_text, chars_max) in texts {
            let Some(text) = &place_of_text else { continue };
            let candidate = Candidate {
                room: place,
                user: &by.user,
                id,
                name: &by.name,
                role: by.role.label(),
                attributes: &attributes,
                room_rules: None,
                class: Class::Chat,
                text: text.as_str(),
            };
            let at_ms = barrage_clock::unix_ms();
            let decision = self.moderator.check(&candidate, self.origin.elapsed(), at_ms).await;
            for entry in decision.audit {
                self.audit.push_moderated(entry);
            }
            if let Some(mute) = decision.mute {
                let mute_ms = u64::try_from(mute.as_millis()).unwrap_or(u64::MAX);
                self.mute(&by.user, at_ms.saturating_add(mute_ms)).await;
            }
            match decision.outcome {
                Outcome::Admit => {}
                Outcome::Masked(text) => {
                    let masked = CleanText::new(&text, chars_max);
                    *place_of_text = Some(masked.map_err(|e| Refusal::new(Code::BadText, e.to_string()))?);
                }
                Outcome::Held(hit) | Outcome::Review(hit, _) | Outcome::Refused(hit) => {
                    return Err(text_refusal(&hit));
                }
            }
        }
        Ok(())
    }
}

/// Returns what the token says about a sender: the platform's own tokens need no answer first.
fn standing_of(by: &Identity) -> Standing {
    if by.role == Role::Admin { Standing::Trusted } else { Standing::Stranger }
}

/// Returns what the token says about a user who joins a group of a room: a badge named as the room.
pub(super) fn standing_in(by: &Identity, membership: Option<&Membership>, room: Option<&RoomId>) -> Standing {
    let Some(room) = room.or_else(|| membership.and_then(|m| m.conversation.settings.room.as_ref())) else {
        return standing_of(by);
    };
    let badges = by.attrs.as_deref().map(|attrs| attrs.badges.as_slice()).unwrap_or_default();
    if badges.iter().any(|badge| badge.name() == room.as_str()) { Standing::Trusted } else { standing_of(by) }
}

fn answers(receipts: &[LaneReceipt], lane: u16, conversation: &ConversationId) -> Vec<LetterAnswer> {
    let answer = |receipt: &LaneReceipt| LetterAnswer {
        outcome: if receipt.duplicate { LetterOutcome::Duplicate } else { LetterOutcome::Accepted },
        sequence: receipt.sequence,
        lane,
        conversation: conversation.to_string(),
    };
    receipts.iter().map(answer).collect()
}
