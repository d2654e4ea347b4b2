//! Random events of a few users, groups and conversations, the same for the same seed.

use barrage_protocol::inbox::{
    Folder, GroupSettings, HistoryPolicy, JoinPolicy, LetterKind, Notify, Preferences, Receipts, Role, View,
    WritePolicy,
};
use barrage_protocol::{MessageId, Sequence, UserId};

use super::recount::Recount;
use crate::event::{Entry, Event, Letter, Place, Standing};
use crate::id::ConversationId;
use crate::law::Position;

/// Users of a workload: few, so that they meet often.
const USERS: u64 = 7;
const GROUPS: u64 = 4;

/// Makes events one after the other.
#[derive(Debug, Clone)]
pub struct Workload {
    state: u64,
    users: Vec<UserId>,
    groups: Vec<ConversationId>,
    sequence: u64,
    at_ms: u64,
    ids: u64,
}

impl Workload {
    /// Begins a workload that follows from the seed alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let users = (0..USERS).map(|n| UserId::parse(&format!("u{n}:@.x")));
        let groups = (0..GROUPS).map(|n| ConversationId::parse(&format!("g.fans-{n}")));
        Workload {
            state: seed,
            users: users.map(|id| id.expect("the alphabet allows it")).collect(),
            groups: groups.map(|id| id.expect("the alphabet allows it")).collect(),
            sequence: 0,
            at_ms: 1_700_000_000_000,
            ids: 0,
        }
    }

    /// Returns a batch of 1 to `entries_max` events.
    pub fn batch(&mut self, entries_max: u64, known: &Recount) -> Vec<Entry> {
        let entries = 1 + self.below(entries_max);
        (0..entries).map(|_| self.entry(known)).collect()
    }

    /// Returns a random number below a bound, by SplitMix64.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    fn entry(&mut self, known: &Recount) -> Entry {
        // Positions in a lane may skip; recalls come too late now and then.
        self.sequence += 1 + self.below(2);
        self.at_ms += if self.below(100) == 0 { 130_000 } else { self.below(500) };
        let event = self.event(known);
        Entry { sequence: Sequence(self.sequence), at_ms: self.at_ms, event }
    }

    fn event(&mut self, known: &Recount) -> Event {
        match self.below(100) {
            0..35 => self.letter(),
            35..55 => self.post(),
            55..72 => Event::Read(self.place(known)),
            72..75 => Event::Hide(self.place(known)),
            75..77 => Event::Clear(self.place(known)),
            77..81 => Event::Recall(self.place(known)),
            81..86 => self.see(),
            86 => self.prefer(),
            87 => Event::Block { user: self.user(), other: self.user() },
            88..90 => Event::Unblock { user: self.user(), other: self.user() },
            _ => self.group_event(),
        }
    }

    fn letter(&mut self) -> Event {
        let (sender, to) = (self.user(), self.user());
        Event::Letter { sender, to, letter: self.text(), standing: self.standing() }
    }

    fn post(&mut self) -> Event {
        let mentions = (0..self.below(4).saturating_sub(1)).map(|_| self.user()).collect();
        Event::Post { sender: self.user(), group: self.group(), letter: self.text(), mentions }
    }

    fn see(&mut self) -> Event {
        let pick = self.below(6);
        let view = View {
            folder: [None, Some(Folder::Main), Some(Folder::Archived), Some(Folder::Request)][self.index(4)],
            notify: [None, Some(Notify::All), Some(Notify::Mention), Some(Notify::None)][self.index(4)],
            pinned: (pick == 0).then_some(true),
            marked: (pick == 1).then_some(true),
        };
        Event::See { user: self.user(), conversation: self.conversation(), view }
    }

    fn prefer(&mut self) -> Event {
        let policies = [WritePolicy::Everyone, WritePolicy::Requests, WritePolicy::Known];
        let receipts = [Receipts::Shown, Receipts::Hidden];
        let preferences = Preferences { policy: policies[self.index(3)], receipts: receipts[self.index(2)] };
        Event::Prefer { user: self.user(), preferences }
    }

    fn group_event(&mut self) -> Event {
        let (user, group) = (self.user(), self.group());
        match self.below(40) {
            0..12 => Event::Join { user, group, standing: self.standing() },
            12..17 => Event::Leave { user, group },
            17..25 => Event::Create { user, group, settings: self.settings() },
            25..29 => Event::Change { user, group, settings: self.settings() },
            // A deleted group stays so: rare, that the others have a long life.
            29 if self.below(200) == 0 => Event::Delete { user, group },
            _ => {
                let roles =
                    [Role::Banned, Role::Applicant, Role::Muted, Role::Member, Role::Moderator, Role::Owner];
                Event::Appoint { by: self.user(), user, group, role: roles[self.index(6)] }
            }
        }
    }

    fn settings(&mut self) -> GroupSettings {
        let joins = [JoinPolicy::Open, JoinPolicy::Open, JoinPolicy::Ask, JoinPolicy::Badge];
        let histories = [HistoryPolicy::SinceJoin, HistoryPolicy::All];
        GroupSettings {
            title: format!("粉丝 {}", self.below(3)),
            room: None,
            join: joins[self.index(4)],
            history: histories[self.index(2)],
            slow_mode_secs: 0,
        }
    }

    fn text(&mut self) -> Letter {
        // Now and then an old id comes again, with the same body or another one.
        let is_again = self.ids > 0 && self.below(25) == 0;
        let number = if is_again { self.ids - self.below(self.ids.min(20)) } else { self.ids + 1 };
        self.ids = self.ids.max(number);
        let other = if is_again && self.below(2) == 0 { "!" } else { "" };
        let id = MessageId::parse(&format!("m{number}")).expect("the alphabet allows it");
        Letter { id, kind: LetterKind::Text, body: format!("{{\"text\":\"{number}{other}\"}}") }
    }

    fn place(&mut self, known: &Recount) -> Place {
        let (user, conversation) = (self.user(), self.conversation());
        let head = known.head_position(&conversation).0;
        // Mostly near the head, and sometimes beyond it.
        let position = match self.below(10) {
            0 => self.below(head + 1),
            1 => [0, (1 << 53) - 1, u64::MAX >> 1][self.index(3)],
            _ => (head + 3).saturating_sub(self.below(12)),
        };
        Place { user, conversation, position: Position(position) }
    }

    fn conversation(&mut self) -> ConversationId {
        if self.below(3) == 0 { self.group() } else { ConversationId::direct(&self.user(), &self.user()) }
    }

    fn standing(&mut self) -> Standing {
        if self.below(5) == 0 { Standing::Trusted } else { Standing::Stranger }
    }

    fn user(&mut self) -> UserId {
        let place = self.index(USERS);
        self.users[place].clone()
    }

    fn group(&mut self) -> ConversationId {
        let place = self.index(GROUPS);
        self.groups[place].clone()
    }

    fn index(&mut self, bound: u64) -> usize {
        usize::try_from(self.below(bound)).unwrap_or(0)
    }
}
