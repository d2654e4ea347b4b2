//! What the mailer decides: whom a batch of changes concerns, at which gateways, and in which envelopes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Attachments, MailEnvelope, UserHash};
use barrage_inbox::{
    Changes, Conversation, ConversationNumber, ConversationState, Kind, Member, Position, UserNumber,
};
use barrage_protocol::inbox::ItemView;
use barrage_protocol::mail::GroupItems;
use bytes::Bytes;

use super::attached::{AttachedMap, GatewayNumber};
use super::chains::Chains;
use super::frames::{BODIES_BYTES_MAX, ITEMS_MAX, Rows, body_bytes, group_frame, ring};
use super::groups::Groups;
use super::told::Told;

/// Time for which items of a group are gathered, so that its frames are fewer.
const GROUP_TICK: Duration = Duration::from_millis(20);
/// The same for a group with more than [`HOT_ITEMS`] a second. A member's budget has five frames a second.
const HOT_TICK: Duration = Duration::from_millis(200);
/// Items of the last second from which a group is hot.
const HOT_ITEMS: u32 = 5;
/// Users, and groups, that are remembered as told at most.
const TOLD_MAX: usize = 100_000;

/// An envelope and the name of its gateway.
pub(super) type Sent = (Arc<str>, MailEnvelope);

/// News of one group that wait for its tick.
#[derive(Debug)]
struct Waiting {
    lane: u16,
    news: GroupItems,
    bytes: usize,
    due: Duration,
    /// Members who joined behind an item that waits.
    except: HashSet<UserHash>,
}

/// Items of one group in the current second.
#[derive(Debug, Clone, Copy)]
struct Rate {
    second: u64,
    items: u32,
    items_before: u32,
}

/// State of the mailer. Times are those of one steady clock.
#[derive(Debug)]
pub(super) struct Desk {
    attached: AttachedMap,
    groups: Groups,
    chains: Chains,
    told: Told<UserHash>,
    told_groups: Told<ConversationNumber>,
    waiting: BTreeMap<ConversationNumber, Waiting>,
    rates: HashMap<ConversationNumber, Rate>,
    lanes: u16,
}

/// Bounds of the mailer's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) attached_users_max: usize,
    pub(super) members_max: usize,
}

/// What an announcement made the mailer do.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) sent: Vec<Sent>,
    /// A gateway was unknown, or is back: it must announce all its users.
    pub(super) calls_roll: bool,
    /// Users who were ignored, because too many are attached.
    pub(super) ignored: u64,
}

impl Desk {
    /// `source` is a random number of this run.
    pub(super) fn new(source: u64, lanes: u16, bounds: Bounds) -> Self {
        Desk {
            attached: AttachedMap::new(bounds.attached_users_max),
            groups: Groups::new(bounds.members_max),
            chains: Chains::new(source),
            told: Told::new(TOLD_MAX),
            told_groups: Told::new(TOLD_MAX / 100),
            waiting: BTreeMap::new(),
            rates: HashMap::new(),
            lanes,
        }
    }

    /// Number of users that are attached.
    pub(super) fn attached(&self) -> usize {
        self.attached.len()
    }

    /// Returns the groups whose members must be learned before [`Desk::take`].
    pub(super) fn unknown_groups(&self, changes: &Changes) -> Vec<ConversationNumber> {
        if self.attached.is_empty() {
            return Vec::new();
        }
        let conversations = changes.conversations.iter().chain(&changes.seen);
        let all: HashSet<_> =
            conversations.filter(|row| row.id.kind() == Kind::Group).map(|row| row.number).collect();
        let written =
            changes.items.iter().map(|item| item.conversation).filter(|number| all.contains(number));
        let mut groups: Vec<_> = written.chain(changes.regrouped.iter().copied()).collect();
        groups.retain(|group| !self.groups.knows(*group));
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// Learns the members of a group.
    pub(super) fn learn(&mut self, group: ConversationNumber, members: HashSet<UserHash>) {
        self.groups.learn(group, members);
    }

    /// Takes the changes of a batch; returns the envelopes to send now.
    pub(super) fn take(&mut self, lane: u16, changes: &Changes, now: Duration) -> Vec<Sent> {
        let hashes: HashMap<UserNumber, UserHash> =
            changes.users.iter().map(|user| (user.number, UserHash::of(&user.id))).collect();
        let rows = Rows::of(changes);
        for user in &changes.users {
            let hash = hashes[&user.number];
            self.told.tell(hash, now);
            if self.attached.is_attached(&hash) {
                self.add(lane, hash, &rows.frame(user));
            }
        }
        for group in rows.regrouped() {
            self.regroup(lane, group, now);
        }
        self.follow_members(changes, &hashes);
        for new in rows.groups() {
            self.told_groups.tell(new.group, now);
            let (from, until) = (new.items[0].position, new.items[new.items.len() - 1].position);
            let joined = self.ring_joiners(lane, (new.group, from, until), &changes.members, &hashes);
            for item in new.items {
                if let Some(item) = rows.group_item(item) {
                    self.gather(lane, (new.group, &joined), item, now);
                }
            }
        }
        self.flush(now)
    }

    /// Adds another title, other rules or the end of a group to its news that wait.
    fn regroup(&mut self, lane: u16, group: &Conversation, now: Duration) {
        self.told_groups.tell(group.number, now);
        // One frame in the longer time, however often a moderator changes them.
        let waiting = self.waiting(lane, group.number, &group.id.to_string(), now + HOT_TICK);
        waiting.news.group = Some(group.settings.clone());
        waiting.news.deleted = group.state == ConversationState::Deleted;
    }

    /// Takes changes of members into the known groups. Items that wait are for the members from before.
    fn follow_members(&mut self, changes: &Changes, hashes: &HashMap<UserNumber, UserHash>) {
        for member in changes.members.iter().filter(|member| member.peer.is_none()) {
            let Some(hash) = hashes.get(&member.user) else { continue };
            // A sender's row changes with each item, and its membership does not.
            if self.groups.has(member.conversation, hash) != member.is_present() {
                self.send_waiting(member.conversation);
                self.groups.set(member.conversation, *hash, member.is_present());
            }
        }
        for conversation in changes.conversations.iter().filter(|it| it.state == ConversationState::Deleted) {
            self.send_waiting(conversation.number);
            self.groups.forget(conversation.number);
            self.rates.remove(&conversation.number);
        }
    }

    /// Rings those who joined within the items of a batch, and returns them: some of the items are not for them.
    fn ring_joiners(
        &mut self,
        lane: u16,
        (group, from, until): (ConversationNumber, Position, Position),
        members: &[Member],
        hashes: &HashMap<UserNumber, UserHash>,
    ) -> HashSet<UserHash> {
        let joined = members.iter().filter(|member| {
            member.conversation == group && member.is_present() && (from..=until).contains(&member.joined)
        });
        let joined: HashSet<_> = joined.filter_map(|member| hashes.get(&member.user)).copied().collect();
        for hash in &joined {
            self.add(lane, *hash, &ring());
        }
        joined
    }

    fn add(&mut self, lane: u16, user: UserHash, frame: &Bytes) {
        for gateway in self.attached.gateways_of(&user) {
            self.chains.add(gateway, lane, &[user], frame);
        }
    }

    /// Adds an item to those of its group that wait.
    fn gather(
        &mut self,
        lane: u16,
        (group, except): (ConversationNumber, &HashSet<UserHash>),
        (conversation, item): (String, ItemView),
        now: Duration,
    ) {
        let tick = if self.is_hot(group, now) { HOT_TICK } else { GROUP_TICK };
        let waiting = self.waiting(lane, group, &conversation, now + tick);
        waiting.except.extend(except);
        waiting.bytes += body_bytes(&item);
        waiting.news.items.push(item);
        if waiting.news.items.len() >= ITEMS_MAX || waiting.bytes >= BODIES_BYTES_MAX {
            self.send_waiting(group);
        }
    }

    /// Returns the news of a group that wait, which are due at a time at the latest.
    fn waiting(
        &mut self,
        lane: u16,
        group: ConversationNumber,
        conversation: &str,
        due: Duration,
    ) -> &mut Waiting {
        let waiting = self.waiting.entry(group).or_insert_with(|| Waiting {
            lane,
            news: GroupItems {
                conversation: conversation.to_owned(),
                items: Vec::new(),
                group: None,
                deleted: false,
            },
            bytes: 0,
            due,
            except: HashSet::new(),
        });
        waiting.due = waiting.due.min(due);
        waiting
    }

    /// Counts an item; returns whether its group has many.
    fn is_hot(&mut self, group: ConversationNumber, now: Duration) -> bool {
        let second = now.as_secs();
        let rate = self.rates.entry(group).or_insert(Rate { second, items: 0, items_before: 0 });
        if rate.second != second {
            let before = if rate.second + 1 == second { rate.items } else { 0 };
            *rate = Rate { second, items: 0, items_before: before };
        }
        rate.items = rate.items.saturating_add(1);
        rate.items.max(rate.items_before) > HOT_ITEMS
    }

    /// Puts the news of a group that wait into envelopes, one for each gateway with members.
    fn send_waiting(&mut self, group: ConversationNumber) {
        let Some(waiting) = self.waiting.remove(&group) else { return };
        let Some(members) = self.groups.members(group) else {
            // Forgotten meanwhile: the gateways take it for a loss.
            self.chains.skip(waiting.lane);
            return;
        };
        let mut by_gateway: BTreeMap<GatewayNumber, Vec<UserHash>> = BTreeMap::new();
        for member in members.difference(&waiting.except) {
            for gateway in self.attached.gateways_of(member) {
                by_gateway.entry(gateway).or_default().push(*member);
            }
        }
        let frame = group_frame(waiting.news);
        for (gateway, users) in by_gateway {
            self.chains.add(gateway, waiting.lane, &users, &frame);
        }
    }

    /// Returns the time at which the next group is due.
    pub(super) fn due(&self) -> Option<Duration> {
        self.waiting.values().map(|waiting| waiting.due).min()
    }

    /// Sends what is due.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Sent> {
        let due: Vec<_> =
            self.waiting.iter().filter(|(_, it)| it.due <= now).map(|(group, _)| *group).collect();
        due.into_iter().for_each(|group| self.send_waiting(group));
        self.flush(now)
    }

    fn flush(&mut self, now: Duration) -> Vec<Sent> {
        let envelopes = self.chains.flush(now);
        self.named(envelopes)
    }

    fn named(&self, envelopes: Vec<(GatewayNumber, MailEnvelope)>) -> Vec<Sent> {
        envelopes.into_iter().map(|(to, envelope)| (Arc::clone(self.attached.name(to)), envelope)).collect()
    }

    /// Takes an announcement. Users who attached while they were told of something are rung.
    pub(super) fn announce(&mut self, attachments: &Attachments, now: Duration) -> Answered {
        let announced = self.attached.announce(attachments, now);
        let Some(gateway) = announced.gateway else {
            return Answered { ignored: attachments.attached.len() as u64, ..Answered::default() };
        };
        // All users of a gateway that is new here are rung by the gateway itself: it does not know this courier.
        if !announced.is_new {
            let is_snapshot = attachments.snapshot.is_some();
            let late = announced.arrived.iter().copied();
            // Whom only a snapshot names has been there for an unknown time.
            let late: Vec<_> = late.filter(|user| is_snapshot || self.was_told(user, now)).collect();
            self.chains.add(gateway, 0, &late, &ring());
        }
        let mut sent = self.flush(now);
        if announced.is_new {
            let first = self.chains.beat(std::iter::once(gateway), self.lanes, now);
            sent.extend(self.named(first));
        }
        Answered { sent, calls_roll: announced.is_new, ignored: announced.ignored }
    }

    fn was_told(&self, user: &UserHash, now: Duration) -> bool {
        if self.told.was_told(user, now) {
            return true;
        }
        // A group that is forgotten may have the user as a member.
        let may_have =
            |group: &ConversationNumber| self.groups.has(*group, user) || !self.groups.knows(*group);
        self.told_groups.all(now).is_none_or(|mut groups| groups.any(may_have))
    }

    /// Does what is due once a second: empty envelopes, and gateways that are silent.
    pub(super) fn beat(&mut self, now: Duration) -> Vec<Sent> {
        for gone in self.attached.expire(now) {
            self.chains.forget(gone);
        }
        let gateways: Vec<_> = self.attached.gateways().collect();
        let envelopes = self.chains.beat(gateways.into_iter(), self.lanes, now);
        self.named(envelopes)
    }

    /// Removes what is over. A walk over all users.
    pub(super) fn sweep(&mut self, now: Duration) {
        self.attached.sweep();
        self.rates.retain(|_, rate| rate.second + 2 > now.as_secs());
    }

    /// Notes that changes of a lane were lost: every gateway takes it for a loss of mail.
    pub(super) fn lose(&mut self, lane: u16) {
        self.chains.skip(lane);
        self.groups.forget_all();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests;
