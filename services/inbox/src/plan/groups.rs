//! Groups: who is in them, with which role, and under which rules.

use barrage_protocol::UserId;
use barrage_protocol::inbox::{Folder, GroupSettings, JoinPolicy, Role};

use super::Outcome;
use super::planner::{Decided, Planner};
use crate::conversation::{Conversation, ConversationState, MEMBERS_MAX, joined_position};
use crate::event::{Entry, Standing};
use crate::id::{ConversationId, ConversationNumber, Kind, UserNumber};
use crate::item::Refusal;
use crate::law::{Counters, Mark, ReadMark};
use crate::member::Member;
use crate::user::GROUPS_PER_USER_MAX;

impl Planner {
    pub(super) fn create(
        &mut self,
        entry: &Entry,
        user: &UserId,
        group: &ConversationId,
        settings: &GroupSettings,
    ) -> Decided {
        let owner = self.user(user);
        if group.kind() != Kind::Group {
            return Err(Refusal::Forbidden);
        }
        if let Some(known) = self.rows.conversations.get(group) {
            // The owner may ask again after a lost answer.
            let is_again = known.owner == owner && known.state == ConversationState::Open;
            return if is_again { Ok(Outcome::Unchanged) } else { Err(Refusal::Exists) };
        }
        self.may_join_another(owner)?;
        let number = self.add_conversation(|number| Conversation {
            number,
            id: group.clone(),
            owner,
            peer: None,
            head: Mark::default(),
            sequence: entry.sequence,
            at_ms: entry.at_ms,
            members: 0,
            state: ConversationState::Open,
            settings: settings.clone(),
        });
        self.admit(entry, number, owner, Role::Owner);
        Ok(Outcome::Done)
    }

    pub(super) fn change(
        &mut self,
        entry: &Entry,
        user: &UserId,
        group: &ConversationId,
        settings: &GroupSettings,
    ) -> Decided {
        let (number, user) = (self.open_group(group)?, self.user(user));
        if self.present(number, user)?.role < Role::Moderator {
            return Err(Refusal::Forbidden);
        }
        if self.conversation(number).settings == *settings {
            return Ok(Outcome::Unchanged);
        }
        self.conversation_mut(number, entry).settings = settings.clone();
        self.changes.regrouped.push(number);
        Ok(Outcome::Done)
    }

    /// Deletes a group by its row alone: the rows of its members, 10,000 at most, stay as they are.
    pub(super) fn delete(&mut self, entry: &Entry, user: &UserId, group: &ConversationId) -> Decided {
        let (number, user) = (self.open_group(group)?, self.user(user));
        if self.present(number, user)?.role != Role::Owner {
            return Err(Refusal::Forbidden);
        }
        self.conversation_mut(number, entry).state = ConversationState::Deleted;
        self.changes.regrouped.push(number);
        self.count_group(user, -1);
        Ok(Outcome::Done)
    }

    pub(super) fn join(
        &mut self,
        entry: &Entry,
        user: &UserId,
        group: &ConversationId,
        standing: Standing,
    ) -> Decided {
        let (number, user) = (self.open_group(group)?, self.user(user));
        let (role, left) = self.member(number, user).map_or((None, None), |m| (Some(m.role), m.left));
        if role == Some(Role::Banned) {
            return Err(Refusal::Forbidden);
        }
        if role.is_some() && left.is_none() {
            return Ok(Outcome::Unchanged);
        }
        self.has_place(number)?;
        self.may_join_another(user)?;
        match self.conversation(number).settings.join {
            JoinPolicy::Badge if standing != Standing::Trusted => return Err(Refusal::Forbidden),
            JoinPolicy::Ask => self.apply(number, user),
            // Leaving and joining again does not end a mute.
            _ if role == Some(Role::Muted) => self.admit(entry, number, user, Role::Muted),
            _ => self.admit(entry, number, user, Role::Member),
        }
        Ok(Outcome::Done)
    }

    pub(super) fn leave(&mut self, entry: &Entry, user: &UserId, group: &ConversationId) -> Decided {
        let (number, user) = (self.open_group(group)?, self.user(user));
        match self.member(number, user) {
            None => Err(Refusal::NotMember),
            Some(member) if member.left.is_some() || member.role == Role::Banned => Ok(Outcome::Unchanged),
            Some(member) if member.role == Role::Owner => Err(Refusal::OwnerStays),
            Some(member) => {
                let role = member.role.min(Role::Member);
                self.dismiss(entry, number, user, role);
                Ok(Outcome::Done)
            }
        }
    }

    pub(super) fn appoint(
        &mut self,
        entry: &Entry,
        by: &UserId,
        user: &UserId,
        group: &ConversationId,
        role: Role,
    ) -> Decided {
        let (number, by) = (self.open_group(group)?, self.user(by));
        let user = self.named(user).ok_or(Refusal::NotMember)?;
        let rights = self.present(number, by)?.role;
        let member = self.member(number, user).ok_or(Refusal::NotMember)?;
        let (old, is_present, left) = (member.role, member.is_present(), member.left);
        let may = rights >= Role::Moderator && rights > old && role != Role::Applicant;
        if !may || (role >= rights && rights != Role::Owner) {
            return Err(Refusal::Forbidden);
        }
        if old == role {
            return Ok(Outcome::Unchanged);
        }
        match role {
            Role::Banned => self.dismiss(entry, number, user, Role::Banned),
            Role::Owner if !is_present => return Err(Refusal::NotMember),
            Role::Owner => {
                self.conversation_mut(number, entry).owner = user;
                self.settle(number, by, 0, |member| member.role = Role::Moderator);
                self.settle(number, user, 0, |member| member.role = Role::Owner);
            }
            _ if old == Role::Applicant && left.is_none() => {
                self.has_place(number)?;
                self.may_join_another(user)?;
                self.admit(entry, number, user, role);
            }
            // The end of a ban lets the user join again, and does not bring it back.
            _ if old == Role::Banned => self.settle(number, user, 0, |m| m.role = role.min(Role::Member)),
            _ if !is_present => return Err(Refusal::NotMember),
            _ => self.settle(number, user, 0, |member| member.role = role),
        }
        Ok(Outcome::Done)
    }

    fn has_place(&self, number: ConversationNumber) -> Result<(), Refusal> {
        if self.conversation(number).members < MEMBERS_MAX { Ok(()) } else { Err(Refusal::GroupFull) }
    }

    fn may_join_another(&self, user: UserNumber) -> Result<(), Refusal> {
        let groups = self.rows.groups.get(&user).copied().unwrap_or(0);
        if groups < GROUPS_PER_USER_MAX { Ok(()) } else { Err(Refusal::TooManyGroups) }
    }

    fn count_group(&mut self, user: UserNumber, change: i32) {
        let groups = self.rows.groups.entry(user).or_default();
        *groups = groups.saturating_add_signed(change);
    }

    /// Lets a user wait for a moderator.
    fn apply(&mut self, number: ConversationNumber, user: UserNumber) {
        let head = self.conversation(number).head;
        let member = self.rows.members.entry((number, user));
        let member = member.or_insert_with(|| Member::new(user, number, Counters::at_head(head, 0)));
        member.left = None;
        self.settle(number, user, 0, |member| member.role = Role::Applicant);
    }

    /// Makes a user a present member who has read everything up to now.
    fn admit(&mut self, entry: &Entry, number: ConversationNumber, user: UserNumber, role: Role) {
        let conversation = self.conversation_mut(number, entry);
        conversation.members += 1;
        let (head, joined) =
            (conversation.head, joined_position(conversation.settings.history, conversation.head));
        let member = self.rows.members.entry((number, user));
        member.or_insert_with(|| Member::new(user, number, Counters::default()));
        self.settle(number, user, 0, |member| {
            member.counters = Counters::at_head(head, member.counters.own_count);
            member.joined = joined;
            member.left = None;
            member.role = role;
            member.folder = Folder::Main;
            member.marked = false;
        });
        self.count_group(user, 1);
    }

    /// Ends a membership or an application at the head. The row stays: it bounds what the user may read.
    fn dismiss(&mut self, entry: &Entry, number: ConversationNumber, user: UserNumber, role: Role) {
        let head = self.conversation(number).head;
        let was_present = self.member(number, user).is_some_and(Member::is_present);
        if was_present {
            let conversation = self.conversation_mut(number, entry);
            conversation.members = conversation.members.saturating_sub(1);
            self.count_group(user, -1);
        }
        self.settle(number, user, 0, |member| {
            let own = member.counters.own_count;
            member.counters.read_to(ReadMark { at: head, own });
            member.left = member.left.or(Some(head.position));
            member.role = role;
        });
    }
}
