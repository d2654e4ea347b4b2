//! Tests that both engines pass: one event after the other.

use barrage_inbox::{
    ConversationId, ConversationNumber, Entry, Event, GroupSettings, Letter, LetterKind, Outcome, Place,
    Position, Refusal, Role, Standing, Version,
};
use barrage_protocol::{MessageId, Sequence, UserId};
use barrage_store::{AwayRange, InboxError, ItemRange};

use super::engine::Engine;
use super::suite::{assert_recounted, project};

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn group() -> ConversationId {
    ConversationId::parse("g.fans").unwrap()
}

pub(crate) fn text(id: u64) -> Letter {
    let id = MessageId::parse(&format!("m{id}")).unwrap();
    Letter { id, kind: LetterKind::Text, body: "{\"text\":\"\u{5f39}\u{5e55}\"}".into() }
}

/// A lane that takes events one by one.
pub(crate) struct Lane<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) at: u64,
}

impl Lane<'_> {
    pub(crate) async fn take(&mut self, event: Event) -> Outcome {
        let after = Sequence(self.at);
        self.at += 1;
        let entry = Entry { sequence: Sequence(self.at), at_ms: 1_000 + self.at, event };
        project(&*self.engine.store, 3, after, &[entry]).await.unwrap().outcomes[0]
    }

    pub(crate) async fn letter(&mut self, sender: &str, to: &str) -> Outcome {
        let (sender, to, letter) = (user(sender), user(to), text(self.at));
        self.take(Event::Letter { sender, to, letter, standing: Standing::Stranger }).await
    }
}

/// A name in an event of another user makes no row: else anybody could fill the table of users with ids.
pub(crate) async fn ids_that_nobody_has_get_no_row(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    lane.take(Event::Create { user: user("host"), group: group(), settings: GroupSettings::default() }).await;
    lane.letter("fan", "host").await;
    lane.take(Event::Block { user: user("host"), other: user("fan") }).await;
    let unblock = |one: &str, other: &str| Event::Unblock { user: user(one), other: user(other) };
    for (one, other) in [("host", "ghost1"), ("ghost2", "host"), ("ghost3", "ghost4")] {
        assert_eq!(lane.take(unblock(one, other)).await, Outcome::Unchanged);
    }
    let appoint = |name: &str| Event::Appoint {
        by: user("host"),
        user: user(name),
        group: group(),
        role: Role::Moderator,
    };
    for name in ["ghost5", "fan"] {
        assert_eq!(lane.take(appoint(name)).await, Outcome::Refused(Refusal::NotMember));
    }
    let mentions = vec![user("ghost6"), user("fan")];
    let post = Event::Post { sender: user("host"), group: group(), letter: text(lane.at), mentions };
    assert!(matches!(lane.take(post).await, Outcome::Sent(..)));
    for ghost in (1..=6).map(|number| user(&format!("ghost{number}"))) {
        let found = engine.store.away(&ghost, AwayRange::after(Version(0)), 10).await.unwrap();
        assert!(found.is_none(), "{ghost} has a row");
    }
    assert_eq!(lane.take(unblock("host", "fan")).await, Outcome::Done, "a block that is there ends");
}

pub(crate) async fn a_letter_writes_six_rows_and_a_post_four(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    lane.letter("fan", "host").await;
    lane.letter("host", "fan").await;
    lane.take(Event::Create { user: user("host"), group: group(), settings: GroupSettings::default() }).await;
    for number in 0..30 {
        let user = user(&format!("fan{number}"));
        lane.take(Event::Join { user, group: group(), standing: Standing::Stranger }).await;
    }
    engine.install_counts().await;
    for _ in 0..3 {
        lane.letter("fan", "host").await;
        assert_eq!(engine.rows_written().await, 6);
        let letter = text(lane.at);
        let post = Event::Post { sender: user("fan7"), group: group(), letter, mentions: Vec::new() };
        assert!(matches!(lane.take(post).await, Outcome::Sent(..)));
        assert_eq!(engine.rows_written().await, 4);
    }
}

pub(crate) async fn old_items_are_removed_and_unread_stays_right(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    for _ in 0..4 {
        lane.letter("host", "fan").await;
        lane.letter("fan", "host").await;
    }
    lane.take(Event::Create { user: user("host"), group: group(), settings: GroupSettings::default() }).await;
    for name in ["fan", "cat"] {
        let joined = Event::Join { user: user(name), group: group(), standing: Standing::Stranger };
        lane.take(joined).await;
    }
    for name in ["fan", "host", "fan", "host", "host"] {
        let letter = text(lane.at);
        lane.take(Event::Post { sender: user(name), group: group(), letter, mentions: vec![user("cat")] })
            .await;
    }
    let store = &*engine.store;
    let conversation = ConversationId::direct(&user("host"), &user("fan"));
    lane.take(Event::Hide(Place { user: user("host"), conversation, position: Position(1) })).await;
    let hidden = async || {
        store.away(&user("host"), AwayRange::after(Version(0)), 10).await.unwrap().unwrap().hidden.len()
    };
    assert_eq!(hidden().await, 1);
    let oldest = store.oldest(ConversationNumber(0), 10).await.unwrap();
    assert_eq!(oldest.iter().map(|one| one.at_ms).collect::<Vec<_>>(), [Some(1_001), Some(1_012)]);
    let [direct, grouped] = [oldest[0].number, oldest[1].number];
    let position = Sequence(lane.at);
    let error = store.trim(3, Sequence(lane.at - 1), direct, 1_006).await.unwrap_err();
    assert!(matches!(error, InboxError::Fenced { lane: 3, .. }), "{error:?}");
    assert_eq!(store.trim(3, position, direct, 1_006).await.unwrap(), 5);
    // The oldest three of the group, both of the fan among them.
    assert_eq!(store.trim(3, position, grouped, 1_015).await.unwrap(), 3);
    assert_eq!(store.trim(3, position, grouped, 1_015).await.unwrap(), 0);
    let left = store.items(&group(), ItemRange::After(Position(0)), 10).await.unwrap();
    assert_eq!(left.iter().map(|stored| stored.item.position.0).collect::<Vec<_>>(), [4, 5]);
    let unread = async |name: &str| {
        let away = store.away(&user(name), AwayRange::after(Version(0)), 10).await.unwrap().unwrap();
        (away.user.unread, away.group_unread, away.mentions.len())
    };
    assert_eq!(hidden().await, 0, "what is gone is not hidden any more");
    // Eight letters of which five are gone: two of the host's are left, and one of the fan's.
    assert_eq!((unread("host").await, unread("fan").await), ((2, 0, 0), (1, 2, 0)));
    assert_eq!(unread("cat").await, (0, 2, 2));
    assert_recounted(store).await;
    // Own items that are gone stay own: a later place counts them, too.
    for name in ["fan", "host"] {
        let read = Place { user: user(name), conversation: group(), position: Position(4) };
        lane.take(Event::Read(read)).await;
    }
    lane.letter("host", "fan").await;
    assert_recounted(store).await;
    assert_eq!(unread("fan").await, (2, 1, 0));
    // A later removal finds no own item of the fan any more, and the fan's counter stays.
    assert_eq!(store.trim(3, Sequence(lane.at), grouped, 1_017).await.unwrap(), 2);
    assert_recounted(store).await;
    assert_eq!(unread("fan").await, (2, 0, 0));
}

pub(crate) async fn erased_user_has_another_id_once_and_no_number_moves(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    lane.letter("host", "fan").await;
    lane.letter("fan", "host").await;
    let (store, erased) = (&*engine.store, user("erased:0"));
    assert_eq!(store.erase(&user("fan"), 10).await.unwrap(), 1);
    assert!(store.rename(&user("fan"), &erased).await.unwrap());
    assert!(!store.rename(&user("fan"), &user("erased:1")).await.unwrap(), "the row has its id no more");
    assert!(!store.rename(&user("host"), &erased).await.unwrap(), "no two rows have one id");
    let away = async |name: &str| store.away(&user(name), AwayRange::after(Version(0)), 10).await.unwrap();
    assert!(away("fan").await.is_none());
    let host = away("host").await.unwrap();
    assert_eq!((host.user.unread, host.memberships[0].peer.as_ref()), (1, Some(&erased)));
    let conversation = &host.memberships[0].conversation.id;
    let items = store.items(conversation, ItemRange::After(Position(0)), 10).await.unwrap();
    assert_eq!(items.iter().map(|stored| stored.sender.as_str()).collect::<Vec<_>>(), ["host", "erased:0"]);
    assert_recounted(store).await;
}

pub(crate) async fn a_batch_out_of_order_is_refused(engine: Engine) {
    let entry = |sequence| Entry {
        sequence: Sequence(sequence),
        at_ms: 1,
        event: Event::Block { user: user("a"), other: user("b") },
    };
    for (after, entries) in [(5, vec![entry(5)]), (0, vec![entry(2), entry(2)]), (0, vec![entry(1 << 53)])] {
        let error = project(&*engine.store, 0, Sequence(after), &entries).await.unwrap_err();
        assert!(matches!(error, InboxError::Unacceptable(_)), "{error:?}");
    }
    // What could not be read at the end of a batch moves the lane on too.
    let error = engine.store.project(4, Sequence::ZERO, Sequence(1), &[entry(2)]).await.unwrap_err();
    assert!(matches!(error, InboxError::Unacceptable(_)), "{error:?}");
    engine.store.project(4, Sequence::ZERO, Sequence(9), &[entry(2)]).await.unwrap();
    engine.store.project(4, Sequence(9), Sequence(12), &[]).await.unwrap();
    assert_eq!(engine.store.mark(4).await.unwrap(), Sequence(12));
    let many: Vec<_> = (1..=1_001).map(entry).collect();
    let error = project(&*engine.store, 0, Sequence::ZERO, &many).await.unwrap_err();
    assert!(matches!(error, InboxError::Unacceptable(_)) && !error.is_retryable(), "{error:?}");
    let error = project(&*engine.store, 0, Sequence(7), &[entry(8)]).await.unwrap_err();
    assert!(matches!(error, InboxError::Fenced { lane: 0, expected: Sequence(7) }), "{error:?}");
    project(&*engine.store, 0, Sequence::ZERO, &[entry(8)]).await.unwrap();
    // A batch that comes again after a lost answer is fenced, and so has no second effect.
    let error = project(&*engine.store, 0, Sequence::ZERO, &[entry(8)]).await.unwrap_err();
    assert!(matches!(error, InboxError::Fenced { .. }), "{error:?}");
}

pub(crate) async fn items_are_read_in_both_directions(engine: Engine) {
    let mut lane = Lane { engine: &engine, at: 0 };
    for _ in 0..5 {
        lane.letter("fan", "host").await;
        lane.letter("host", "fan").await;
    }
    let id = ConversationId::direct(&user("fan"), &user("host"));
    let positions = async |range, limit| {
        let items = engine.store.items(&id, range, limit).await.unwrap();
        items.iter().map(|stored| stored.item.position.0).collect::<Vec<_>>()
    };
    assert_eq!(positions(ItemRange::After(Position(3)), 3).await, [4, 5, 6]);
    assert_eq!(positions(ItemRange::Before(Position(4)), 2).await, [2, 3]);
    assert_eq!(positions(ItemRange::Before(Position(u64::MAX)), 2).await, [9, 10]);
    assert_eq!(positions(ItemRange::After(Position(u64::MAX)), 2).await, [0; 0]);
    let stranger = ConversationId::direct(&user("fan"), &user("stranger"));
    assert!(engine.store.items(&stranger, ItemRange::After(Position(0)), 9).await.unwrap().is_empty());
}

pub(crate) async fn several_processes_can_open_new_tables_at_once(engine: Engine) {
    engine.store.close().await;
    engine.drop_tables().await;
    let stores = tokio::join!(engine.again(), engine.again(), engine.again());
    for store in [stores.0, stores.1, stores.2] {
        assert_eq!(store.mark(0).await.unwrap(), Sequence::ZERO);
    }
}
