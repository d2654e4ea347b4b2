//! Letters between two users.

use barrage_inbox::{
    Event, Folder, ItemState, Letter, Outcome, Position, Preferences, Receipts, Refusal, Standing, View,
    WritePolicy,
};

use crate::support::{Inbox, direct, letter, place, text, user};

fn accept(inbox: &mut Inbox) {
    let view = View { folder: Some(Folder::Main), ..View::default() };
    let see = Event::See { user: user("host"), conversation: direct("fan", "host"), view };
    assert_eq!(inbox.take(see), Outcome::Done);
}

#[test]
fn letter_writes_six_rows() {
    let mut inbox = Inbox::default();
    inbox.take(letter("fan", "host", "a"));
    assert_eq!(inbox.batch([letter("fan", "host", "b")]).rows(), 6);
    // A batch writes the rows of the two users once.
    assert_eq!(inbox.batch((0..3).map(|n| letter("host", "fan", &format!("c{n}")))).rows(), 8);
}

#[test]
fn stranger_waits_in_the_requests_and_counts_once_accepted() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    for id in ["a", "b", "c"] {
        inbox.take(letter("fan", "host", id));
    }
    inbox.refuses(letter("fan", "host", "d"), Refusal::RequestsOnly);
    assert_eq!((inbox.unread("host", &conversation), inbox.total("host")), (3, 0));
    accept(&mut inbox);
    assert_eq!(inbox.total("host"), 3);
    inbox.take(letter("fan", "host", "e"));
    assert_eq!((inbox.total("host"), inbox.total("fan")), (4, 0));
}

#[test]
fn answer_accepts_the_sender_and_does_not_read() {
    let mut inbox = Inbox::default();
    inbox.take(letter("fan", "host", "a"));
    inbox.take(letter("host", "fan", "b"));
    assert_eq!((inbox.total("host"), inbox.total("fan")), (1, 1));
}

#[test]
fn refused_letter_is_noted_for_its_sender_alone() {
    let mut inbox = Inbox::default();
    inbox.take(Event::Block { user: user("host"), other: user("fan") });
    let before = (inbox.version("host"), inbox.version("fan"));
    inbox.refuses(letter("fan", "host", "a"), Refusal::Blocked);
    inbox.refuses(letter("host", "fan", "b"), Refusal::Blocked);
    let notes: Vec<_> = inbox.tables.undelivered.iter().map(|note| note.id.as_str()).collect();
    assert_eq!(notes, ["a", "b"]);
    assert_eq!((inbox.version("host"), inbox.version("fan")), (before.0 + 1, before.1 + 1));
    assert!(inbox.tables.conversations.is_empty());
    inbox.take(Event::Unblock { user: user("host"), other: user("fan") });
    assert_eq!(inbox.sends(letter("fan", "host", "a")), 1);
    inbox.refuses(letter("fan", "fan", "c"), Refusal::ToOneself);
}

#[test]
fn id_is_one_letter_for_its_sender_also_within_a_batch() {
    let mut inbox = Inbox::default();
    let outcomes = inbox.batch([letter("fan", "host", "a"), letter("fan", "host", "a")]).outcomes;
    assert!(matches!(outcomes[..], [Outcome::Sent(_, Position(1)), Outcome::Duplicate(_, Position(1))]));
    assert!(matches!(inbox.take(letter("fan", "host", "a")), Outcome::Duplicate(_, Position(1))));
    let other = Letter { body: "{}".into(), ..text("a") };
    let other =
        Event::Letter { sender: user("fan"), to: user("host"), letter: other, standing: Standing::Stranger };
    inbox.refuses(other, Refusal::Conflict);
    // The other user's id is another letter.
    assert_eq!(inbox.sends(letter("host", "fan", "a")), 2);
}

#[test]
fn strangers_need_the_receivers_trust_when_it_takes_known_users_alone() {
    let mut inbox = Inbox::default();
    let preferences = Preferences { policy: WritePolicy::Known, receipts: Receipts::Shown };
    inbox.take(Event::Prefer { user: user("host"), preferences });
    inbox.refuses(letter("fan", "host", "a"), Refusal::RequestsOnly);
    let giver = Event::Letter {
        sender: user("fan"),
        to: user("host"),
        letter: text("b"),
        standing: Standing::Trusted,
    };
    inbox.sends(giver);
    assert_eq!(inbox.total("host"), 1);
}

#[test]
fn read_position_is_between_the_last_one_and_the_head() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    for id in ["a", "b", "c"] {
        inbox.take(letter("fan", "host", id));
    }
    accept(&mut inbox);
    let mut read = |name, position| {
        inbox.take(Event::Read(place(name, conversation.clone(), position)));
        inbox.total("host")
    };
    assert_eq!(read("host", 2), 1);
    assert_eq!(read("host", 1), 1);
    assert_eq!(read("host", 0), 1);
    assert_eq!(read("stranger", 3), 1);
    assert_eq!(read("host", u64::MAX), 0);
    assert_eq!(inbox.take(Event::Read(place("host", conversation.clone(), 3))), Outcome::Unchanged);
    let stranger = Event::Read(place("stranger", conversation, 3));
    inbox.refuses(stranger, Refusal::NotMember);
}

#[test]
fn peer_learns_of_a_read_when_both_show_receipts() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    inbox.take(letter("fan", "host", "a"));
    inbox.take(letter("fan", "host", "b"));
    let before = inbox.version("fan");
    inbox.take(Event::Read(place("host", conversation.clone(), 1)));
    assert_eq!(inbox.version("fan"), before + 1);
    let preferences = Preferences { policy: WritePolicy::Requests, receipts: Receipts::Hidden };
    inbox.take(Event::Prefer { user: user("host"), preferences });
    inbox.take(Event::Read(place("host", conversation, 2)));
    assert_eq!(inbox.version("fan"), before + 1);
}

#[test]
fn peer_that_hides_its_own_receipts_learns_of_no_read() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    inbox.take(letter("fan", "host", "a"));
    let preferences = Preferences { policy: WritePolicy::Requests, receipts: Receipts::Hidden };
    inbox.take(Event::Prefer { user: user("fan"), preferences });
    let before = inbox.version("fan");
    inbox.take(Event::Read(place("host", conversation, 1)));
    assert_eq!(inbox.version("fan"), before);
}

#[test]
fn nobody_blocks_itself() {
    let mut inbox = Inbox::default();
    inbox.refuses(Event::Block { user: user("fan"), other: user("fan") }, Refusal::ToOneself);
}

#[test]
fn recalled_item_keeps_its_place_and_its_count() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    inbox.sends(letter("fan", "host", "a"));
    accept(&mut inbox);
    inbox.refuses(Event::Recall(place("host", conversation.clone(), 1)), Refusal::Forbidden);
    inbox.refuses(Event::Recall(place("fan", conversation.clone(), 9)), Refusal::NoItem);
    assert_eq!(inbox.sends(Event::Recall(place("fan", conversation.clone(), 1))), 2);
    assert_eq!(inbox.take(Event::Recall(place("fan", conversation.clone(), 1))), Outcome::Unchanged);
    inbox.refuses(Event::Recall(place("fan", conversation.clone(), 2)), Refusal::NoItem);
    let items = inbox.tables.items.values().next().unwrap();
    assert_eq!((items[0].state, items[0].body.as_str()), (ItemState::Recalled, ""));
    assert_eq!((items[1].target, inbox.total("host")), (Some(Position(1)), 1));
    // The id of a recalled letter stays used.
    assert!(matches!(inbox.take(letter("fan", "host", "a")), Outcome::Duplicate(_, Position(1))));
    inbox.sends(letter("fan", "host", "b"));
    inbox.now_ms = 121_000;
    inbox.refuses(Event::Recall(place("fan", conversation, 3)), Refusal::TooLate);
}

#[test]
fn hiding_and_clearing_read_up_to_the_place() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    for id in ["a", "b", "c"] {
        inbox.sends(letter("fan", "host", id));
    }
    accept(&mut inbox);
    inbox.take(Event::Hide(place("host", conversation.clone(), 2)));
    assert_eq!((inbox.total("host"), inbox.tables.hidden.len()), (1, 1));
    // A letter that came after the user's view of the head is not cleared.
    inbox.sends(letter("fan", "host", "d"));
    inbox.take(Event::Clear(place("host", conversation.clone(), 3)));
    assert_eq!(inbox.total("host"), 1);
    let member = inbox.member("host", &conversation);
    assert!(!member.may_read(Position(3)) && member.may_read(Position(4)));
    inbox.refuses(Event::Hide(place("host", conversation.clone(), 3)), Refusal::NoItem);
    inbox.refuses(Event::Hide(place("host", conversation, 5)), Refusal::NoItem);
}

#[test]
fn muted_and_archived_conversations_leave_the_total() {
    let (mut inbox, conversation) = (Inbox::default(), direct("fan", "host"));
    inbox.sends(letter("fan", "host", "a"));
    accept(&mut inbox);
    let mut see = |view| {
        inbox.take(Event::See { user: user("host"), conversation: conversation.clone(), view });
        inbox.total("host")
    };
    let view = |folder, notify| View { folder: Some(folder), notify: Some(notify), ..View::default() };
    assert_eq!(see(view(Folder::Main, barrage_inbox::Notify::None)), 0);
    assert_eq!(see(view(Folder::Main, barrage_inbox::Notify::All)), 1);
    assert_eq!(see(view(Folder::Archived, barrage_inbox::Notify::All)), 0);
    let view = View { folder: Some(Folder::Request), ..View::default() };
    let back = Event::See { user: user("host"), conversation, view };
    inbox.refuses(back, Refusal::Forbidden);
}
