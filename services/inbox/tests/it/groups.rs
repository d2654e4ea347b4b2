//! Groups: members, roles, bounds of time.

use barrage_inbox::{
    ConversationNumber, Counters, Event, GROUPS_PER_USER_MAX, GroupSettings, HistoryPolicy, JoinPolicy,
    MEMBERS_MAX, Mark, Outcome, Position, Refusal, Role, Standing,
};

use crate::support::{Inbox, group, place, post, text, user};

fn create(join: JoinPolicy, history: HistoryPolicy) -> Event {
    let settings = GroupSettings { join, history, ..GroupSettings::default() };
    Event::Create { user: user("host"), group: group(), settings }
}

fn join(name: &str) -> Event {
    Event::Join { user: user(name), group: group(), standing: Standing::Stranger }
}

fn leave(name: &str) -> Event {
    Event::Leave { user: user(name), group: group() }
}

fn appoint(by: &str, name: &str, role: Role) -> Event {
    Event::Appoint { by: user(by), user: user(name), group: group(), role }
}

/// A group of the host with these members.
fn open(members: &[&str]) -> Inbox {
    let mut inbox = Inbox::default();
    inbox.take(create(JoinPolicy::Open, HistoryPolicy::SinceJoin));
    for name in members {
        assert_eq!(inbox.take(join(name)), Outcome::Done);
    }
    inbox
}

#[test]
fn post_writes_four_rows_whatever_the_size() {
    let mut inbox = open(&["a", "b", "c", "d", "e", "f"]);
    assert_eq!(inbox.batch([post("a", "1")]).rows(), 4);
    assert_eq!((inbox.unread("a", &group()), inbox.unread("f", &group())), (0, 1));
}

#[test]
fn ids_that_nobody_has_become_no_users() {
    let mut inbox = open(&["a"]);
    inbox.refuses(appoint("host", "ghost1", Role::Moderator), Refusal::NotMember);
    let unblock = Event::Unblock { user: user("a"), other: user("ghost2") };
    assert_eq!(inbox.take(unblock), Outcome::Unchanged);
    let mentions = vec![user("ghost3")];
    let post = Event::Post { sender: user("a"), group: group(), letter: text("1"), mentions };
    assert_eq!(inbox.sends(post), 1);
    let known: Vec<_> = inbox.tables.users.values().map(|user| user.id.as_str()).collect();
    assert_eq!(known, ["host", "a"]);
    // An event of the same batch that makes the user counts.
    let block = |other: &str| Event::Block { user: user("a"), other: user(other) };
    let unblock = Event::Unblock { user: user("a"), other: user("ghost2") };
    assert_eq!(inbox.batch([block("ghost2"), unblock]).outcomes, [Outcome::Done, Outcome::Done]);
}

#[test]
fn mention_is_a_row_for_each_member_that_is_named() {
    let mut inbox = open(&["a", "b"]);
    let mentions = ["a", "b", "b", "stranger"].map(user).to_vec();
    let event = Event::Post { sender: user("a"), group: group(), letter: text("1"), mentions };
    assert_eq!(inbox.batch([event]).rows(), 5);
}

#[test]
fn member_reads_between_joining_and_leaving() {
    let mut inbox = open(&["a"]);
    inbox.sends(post("a", "1"));
    inbox.take(join("b"));
    assert_eq!(inbox.unread("b", &group()), 0);
    inbox.sends(post("a", "2"));
    assert_eq!(inbox.unread("b", &group()), 1);
    inbox.take(leave("b"));
    inbox.sends(post("a", "3"));
    let member = inbox.member("b", &group());
    assert_eq!([1, 2, 3].map(|position| member.may_read(Position(position))), [false, true, false]);
    assert_eq!(inbox.unread("b", &group()), 0);
    inbox.refuses(post("b", "4"), Refusal::NotMember);
    inbox.refuses(Event::Read(place("b", group(), 3)), Refusal::NotMember);
    inbox.take(join("b"));
    assert_eq!(inbox.unread("b", &group()), 0);
    inbox.sends(post("a", "5"));
    assert_eq!(inbox.unread("b", &group()), 1);
}

/// A moderator takes back items of others, and none from before it joined.
#[test]
fn moderator_recalls_only_what_it_may_read() {
    let mut inbox = open(&["a"]);
    inbox.sends(post("a", "1"));
    inbox.take(join("b"));
    inbox.sends(post("a", "2"));
    inbox.take(appoint("host", "b", Role::Moderator));
    inbox.refuses(Event::Recall(place("b", group(), 1)), Refusal::NoItem);
    assert_eq!(inbox.sends(Event::Recall(place("b", group(), 2))), 3);
}

#[test]
fn removed_member_reads_nothing_and_does_not_come_back() {
    let mut inbox = open(&["a", "b"]);
    inbox.sends(post("a", "1"));
    inbox.take(appoint("host", "b", Role::Banned));
    assert!(!inbox.member("b", &group()).may_read(Position(1)));
    inbox.refuses(join("b"), Refusal::Forbidden);
    inbox.take(appoint("host", "b", Role::Member));
    inbox.refuses(post("b", "2"), Refusal::NotMember);
    assert_eq!(inbox.take(join("b")), Outcome::Done);
}

#[test]
fn nobody_acts_on_the_same_role_or_a_higher_one() {
    let mut inbox = open(&["a", "b", "c"]);
    inbox.refuses(appoint("a", "b", Role::Muted), Refusal::Forbidden);
    inbox.take(appoint("host", "a", Role::Moderator));
    inbox.take(appoint("host", "b", Role::Moderator));
    for (by, name, role) in [
        ("a", "b", Role::Banned),
        ("a", "host", Role::Banned),
        ("a", "c", Role::Moderator),
        ("a", "a", Role::Owner),
        ("host", "host", Role::Member),
        ("host", "c", Role::Applicant),
    ] {
        inbox.refuses(appoint(by, name, role), Refusal::Forbidden);
    }
    inbox.take(appoint("a", "c", Role::Muted));
    inbox.refuses(post("c", "1"), Refusal::Muted);
    inbox.take(leave("c"));
    inbox.take(join("c"));
    inbox.refuses(post("c", "1"), Refusal::Muted);
}

#[test]
fn group_has_one_owner_who_hands_it_over_before_leaving() {
    let mut inbox = open(&["a"]);
    inbox.refuses(leave("host"), Refusal::OwnerStays);
    inbox.take(appoint("host", "a", Role::Owner));
    assert_eq!(inbox.member("a", &group()).role, Role::Owner);
    assert_eq!(inbox.take(leave("host")), Outcome::Done);
    inbox.refuses(Event::Delete { user: user("host"), group: group() }, Refusal::NotMember);
    assert_eq!(inbox.take(Event::Delete { user: user("a"), group: group() }), Outcome::Done);
    inbox.refuses(join("b"), Refusal::NotMember);
    inbox.refuses(create(JoinPolicy::Open, HistoryPolicy::All), Refusal::Exists);
}

#[test]
fn applicant_waits_for_a_moderator() {
    let mut inbox = Inbox::default();
    inbox.take(create(JoinPolicy::Ask, HistoryPolicy::All));
    inbox.sends(post("host", "1"));
    inbox.take(join("a"));
    inbox.refuses(post("a", "2"), Refusal::NotMember);
    assert!(!inbox.member("a", &group()).may_read(Position(1)));
    inbox.take(appoint("host", "a", Role::Member));
    inbox.sends(post("a", "3"));
    assert!(inbox.member("a", &group()).may_read(Position(1)));
    assert_eq!(inbox.unread("a", &group()), 0);
}

#[test]
fn badge_group_admits_holders_alone() {
    let mut inbox = Inbox::default();
    inbox.take(create(JoinPolicy::Badge, HistoryPolicy::All));
    inbox.refuses(join("a"), Refusal::Forbidden);
    let holder = Event::Join { user: user("a"), group: group(), standing: Standing::Trusted };
    assert_eq!(inbox.take(holder), Outcome::Done);
}

#[test]
fn members_and_groups_have_bounds() {
    let mut inbox = open(&["a"]);
    let conversation = inbox.tables.conversations.get_mut(&ConversationNumber(1)).unwrap();
    conversation.members = MEMBERS_MAX;
    inbox.refuses(join("b"), Refusal::GroupFull);
    inbox.take(leave("a"));
    assert_eq!(inbox.take(join("b")), Outcome::Done);

    for number in 0..GROUPS_PER_USER_MAX - 1 {
        let group = barrage_inbox::ConversationId::parse(&format!("g.{number}")).unwrap();
        let event = Event::Create { user: user("b"), group, settings: GroupSettings::default() };
        assert_eq!(inbox.take(event), Outcome::Done);
    }
    let one_more = barrage_inbox::ConversationId::parse("g.one-more").unwrap();
    let event = Event::Create { user: user("b"), group: one_more, settings: GroupSettings::default() };
    inbox.refuses(event, Refusal::TooManyGroups);
}

/// An application may wait until the group is full, or until the applicant is in as many groups as it may be.
#[test]
fn applicant_is_admitted_within_the_bounds_alone() {
    let mut inbox = Inbox::default();
    inbox.take(create(JoinPolicy::Ask, HistoryPolicy::SinceJoin));
    inbox.take(join("b"));
    let members = |inbox: &mut Inbox, count| {
        inbox.tables.conversations.get_mut(&ConversationNumber(1)).unwrap().members = count;
    };
    members(&mut inbox, MEMBERS_MAX);
    inbox.refuses(appoint("host", "b", Role::Member), Refusal::GroupFull);
    members(&mut inbox, 1);
    for number in 0..GROUPS_PER_USER_MAX {
        let group = barrage_inbox::ConversationId::parse(&format!("g.{number}")).unwrap();
        inbox.take(Event::Create { user: user("b"), group, settings: GroupSettings::default() });
    }
    inbox.refuses(appoint("host", "b", Role::Member), Refusal::TooManyGroups);
    assert!(!inbox.member("b", &group()).is_present());
}

#[test]
fn read_before_the_head_leaves_out_own_posts() {
    let mut inbox = open(&["a", "b"]);
    for (name, id) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "4"), ("a", "5")] {
        inbox.sends(post(name, id));
    }
    inbox.take(Event::Read(place("a", group(), 2)));
    let head = Mark { position: Position(5), count: 5 };
    let expected = Counters { read: Mark { position: Position(2), count: 2 }, own_count: 3, own_read: 1 };
    assert_eq!(inbox.member("a", &group()).counters, expected);
    assert_eq!(expected.unread(head), 1);
}

#[test]
fn event_of_a_group_has_no_effect_on_letters_or_on_nothing() {
    let mut inbox = Inbox::default();
    inbox.sends(crate::support::letter("a", "b", "1"));
    let before = inbox.tables.clone();
    let strange = [crate::support::direct("a", "b"), crate::support::direct("c", "d"), group()];
    for group in strange {
        let (user, settings) = (user("a"), GroupSettings::default());
        let post = Event::Post {
            sender: user.clone(),
            group: group.clone(),
            letter: text("2"),
            mentions: vec![user.clone(); 50],
        };
        // A post that has no effect is noted for its sender, as a letter is.
        inbox.refuses(post, Refusal::NotMember);
        for event in [
            Event::Change { user: user.clone(), group: group.clone(), settings },
            Event::Delete { user: user.clone(), group: group.clone() },
            Event::Leave { user: user.clone(), group: group.clone() },
            Event::Join { user: user.clone(), group: group.clone(), standing: Standing::Trusted },
            Event::Appoint { by: user.clone(), user: user.clone(), group: group.clone(), role: Role::Owner },
            Event::Recall(place("a", group.clone(), u64::MAX)),
            Event::Hide(place("a", group.clone(), 0)),
            Event::Read(place("e", group, u64::MAX)),
        ] {
            assert!(matches!(inbox.take(event), Outcome::Refused(_)));
        }
    }
    let taken = crate::support::direct("a", "b");
    let create = Event::Create { user: user("a"), group: taken, settings: GroupSettings::default() };
    inbox.refuses(create, Refusal::Forbidden);
    assert_eq!(inbox.tables.members, before.members);
    assert_eq!(inbox.tables.conversations, before.conversations);
    assert_eq!(inbox.tables.undelivered.len(), 3);
}
