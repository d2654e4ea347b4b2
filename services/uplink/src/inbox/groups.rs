//! Groups: changes wait until they are in force, so that the answer can say what became of them.

use std::time::Duration;

use barrage_inbox::{ConversationId, ConversationState, Event, GroupSettings, Kind, Refusal as Reason, Role};
use barrage_protocol::code::Refusal;
use barrage_protocol::inbox::{GroupAnswer, GroupRequest, GroupView, MemberView, MembersPage};
use barrage_protocol::{Code, UserId};
use barrage_store::Membership;
use barrage_token::Identity;

use super::control::InboxControl;
use super::erased::is_pseudonym;
use super::refusals::{malformed, refused, unreadable};
use super::send::standing_in;
use crate::text::CleanText;

/// Longest wait for a change of a group to be in force; then the answer says that it waits.
const WAIT: Duration = Duration::from_secs(2);
/// Maximum characters of a title.
const TITLE_CHARS_MAX: usize = 60;
/// Longest wait between two items of a member, in seconds.
const SLOW_MODE_SECS_MAX: u32 = 3_600;
/// Members in one page.
const PAGE_MAX: usize = 200;

/// What a user does to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupChange {
    /// A moderator changes title or rules.
    Settings(GroupRequest),
    /// The owner deletes the group.
    Delete,
    /// The user joins, or asks to.
    Join,
    /// The user leaves the group.
    Leave,
    /// A moderator gives a member another role.
    Appoint(UserId, Role),
}

impl InboxControl {
    /// Makes a group that the user owns.
    pub(crate) async fn create_group(
        &self,
        by: &Identity,
        settings: GroupSettings,
    ) -> Result<GroupAnswer, Refusal> {
        let settings = self.checked(settings)?;
        self.take_group(&by.user).await?;
        let group = ConversationId::parse(&format!("g.{:032x}", rand::random::<u128>()));
        let group = group.map_err(|error| malformed(error.to_string()))?;
        let event = Event::Create { user: by.user.clone(), group: group.clone(), settings };
        let answer = self.change_and_wait(by, &group, event).await?;
        if answer.in_force && answer.group.is_none() {
            // The lane took it, and the plan refused: the one reason is the number of groups.
            return Err(refused(Reason::TooManyGroups));
        }
        Ok(answer)
    }

    /// Changes a group. What the tables refuse at once is refused here; the courier decides again.
    pub(crate) async fn change_group(
        &self,
        by: &Identity,
        group: &ConversationId,
        change: GroupChange,
    ) -> Result<GroupAnswer, Refusal> {
        let group = only_group(group)?;
        let before = self.store.membership(&by.user, group).await.map_err(|error| unreadable(&error))?;
        let event = self.event(by, group, before.as_ref(), change).await?;
        let joins = matches!(event, Event::Join { .. });
        let answer = self.change_and_wait(by, group, event).await?;
        let is_in =
            answer.group.as_ref().is_some_and(|found| found.joined || found.role == Some(Role::Applicant));
        if joins && answer.in_force && !is_in {
            return Err(self.why_not_joined(by, group).await?);
        }
        Ok(answer)
    }

    async fn event(
        &self,
        by: &Identity,
        group: &ConversationId,
        before: Option<&Membership>,
        change: GroupChange,
    ) -> Result<Event, Refusal> {
        let (user, group) = (by.user.clone(), group.clone());
        let present = before.filter(|found| found.member.is_present());
        let is_open = |found: &&Membership| found.conversation.state == ConversationState::Open;
        let present = present.filter(is_open).ok_or_else(|| refused(Reason::NotMember));
        let at_least = |role: Role| match &present {
            Ok(found) if found.member.role >= role => Ok(*found),
            Ok(_) => Err(refused(Reason::Forbidden)),
            Err(refusal) => Err(refusal.clone()),
        };
        Ok(match change {
            GroupChange::Settings(request) => {
                let known = &at_least(Role::Moderator)?.conversation.settings;
                let settings = self.checked(changed(known, request))?;
                Event::Change { user, group, settings }
            }
            GroupChange::Delete => {
                at_least(Role::Owner)?;
                Event::Delete { user, group }
            }
            GroupChange::Join => {
                let known = self.store.conversation(&group).await.map_err(|error| unreadable(&error))?;
                let known = known.filter(|known| known.state == ConversationState::Open);
                let known = known.ok_or_else(|| refused(Reason::NotMember))?;
                let standing = standing_in(by, before, known.settings.room.as_ref());
                Event::Join { user, group, standing }
            }
            GroupChange::Leave => {
                if present.as_ref().is_ok_and(|found| found.member.role == Role::Owner) {
                    return Err(refused(Reason::OwnerStays));
                }
                Event::Leave { user, group }
            }
            GroupChange::Appoint(other, role) => {
                at_least(Role::Moderator)?;
                if !is_pseudonym(&other) {
                    self.refuse_erased(&other).await?;
                }
                let known = self.store.membership(&other, &group).await;
                if known.map_err(|error| unreadable(&error))?.is_none() {
                    let message = "this user was never in the group, so that it has no role here";
                    return Err(Refusal::new(Code::NotMember, message));
                }
                Event::Appoint { by: user, user: other, group, role }
            }
        })
    }

    /// Appends an event, waits until the inbox has it, and returns the group as the user sees it then.
    async fn change_and_wait(
        &self,
        by: &Identity,
        group: &ConversationId,
        event: Event,
    ) -> Result<GroupAnswer, Refusal> {
        let other = match &event {
            Event::Appoint { user, .. } => Some(user.clone()),
            _ => None,
        };
        let accepted = self.append_one(event).await?;
        let in_force = self.marks.reached(accepted.lane, accepted.sequence, WAIT).await;
        for user in other.iter().chain([&by.user]) {
            self.access.forget_member(user, group).await;
        }
        let group_now = if in_force { self.view_of(by, group).await? } else { None };
        Ok(GroupAnswer { conversation: group.to_string(), in_force, group: group_now })
    }

    /// Returns a group as a user sees it, also before it joins.
    pub(crate) async fn group(&self, by: &Identity, group: &ConversationId) -> Result<GroupView, Refusal> {
        let found = self.view_of(by, only_group(group)?).await?;
        found.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such group"))
    }

    async fn view_of(&self, by: &Identity, group: &ConversationId) -> Result<Option<GroupView>, Refusal> {
        let found = self.store.conversation(group).await.map_err(|error| unreadable(&error))?;
        let Some(found) = found.filter(|found| found.state == ConversationState::Open) else {
            return Ok(None);
        };
        let member = self.store.membership(&by.user, group).await.map_err(|error| unreadable(&error))?;
        Ok(Some(GroupView {
            conversation: group.to_string(),
            settings: found.settings,
            members: found.members,
            role: member.as_ref().map(|found| found.member.role),
            joined: member.is_some_and(|found| found.member.is_present()),
        }))
    }

    /// Returns the refusal of a join that had no effect.
    async fn why_not_joined(&self, by: &Identity, group: &ConversationId) -> Result<Refusal, Refusal> {
        let found = self.view_of(by, group).await?;
        let is_full = found.as_ref().is_some_and(|found| found.members >= barrage_inbox::MEMBERS_MAX);
        Ok(refused(match found {
            None => Reason::NotMember,
            Some(_) if is_full => Reason::GroupFull,
            Some(found) if found.role == Some(Role::Banned) => Reason::Forbidden,
            Some(found) if found.settings.join == barrage_inbox::JoinPolicy::Badge => Reason::Forbidden,
            Some(_) => Reason::TooManyGroups,
        }))
    }

    /// Returns a page of the members of a group that the user is in. Moderators see applicants and banned users.
    pub(crate) async fn members(
        &self,
        by: &Identity,
        group: &ConversationId,
        after: Option<&UserId>,
    ) -> Result<MembersPage, Refusal> {
        let group = only_group(group)?;
        let own = self.store.membership(&by.user, group).await.map_err(|error| unreadable(&error))?;
        let own = own.filter(|own| own.member.is_present()).ok_or_else(|| refused(Reason::NotMember))?;
        let found = self.store.members(group, after, PAGE_MAX).await.map_err(|error| unreadable(&error))?;
        let next = (found.len() == PAGE_MAX).then(|| found.last().map(|last| last.user.clone())).flatten();
        let sees_all = own.member.role >= Role::Moderator;
        let shown = found.into_iter().filter(|member| sees_all || member.role > Role::Applicant);
        let members = shown.map(|member| MemberView { user: member.user, role: member.role });
        Ok(MembersPage { members: members.collect(), next })
    }

    /// Checks title and figures of a group's settings.
    fn checked(&self, settings: GroupSettings) -> Result<GroupSettings, Refusal> {
        let title = CleanText::new(&settings.title, TITLE_CHARS_MAX);
        let title = title.map_err(|error| Refusal::new(Code::BadText, format!("title: {error}")))?;
        if let barrage_moderation::Named::Refused(hit) = self.moderator.check_name(title.as_str()) {
            let message = format!("this title is not shown here ({}); choose another one", hit.rule);
            return Err(Refusal::new(Code::BadText, message));
        }
        if settings.slow_mode_secs > SLOW_MODE_SECS_MAX {
            return Err(malformed(format!("slow_mode_secs: 0 to {SLOW_MODE_SECS_MAX}")));
        }
        Ok(GroupSettings { title: title.into_string(), ..settings })
    }
}

/// Returns the settings after a change.
fn changed(known: &GroupSettings, request: GroupRequest) -> GroupSettings {
    GroupSettings {
        title: request.title.unwrap_or_else(|| known.title.clone()),
        room: known.room.clone(),
        join: request.join.unwrap_or(known.join),
        history: request.history.unwrap_or(known.history),
        slow_mode_secs: request.slow_mode_secs.unwrap_or(known.slow_mode_secs),
    }
}

/// Refuses the id of a direct conversation.
fn only_group(group: &ConversationId) -> Result<&ConversationId, Refusal> {
    match group.kind() {
        Kind::Group => Ok(group),
        Kind::Direct => Err(Refusal::new(Code::NotFound, "there is no such group")),
    }
}
