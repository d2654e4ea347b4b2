//! Tests that both engines pass.

use std::sync::Arc;

use barrage_inbox::model::{Recount, Tables, Workload};
use barrage_inbox::{
    Changes, ConversationId, ConversationNumber, Entry, Event, GroupSettings, Letter, LetterKind, Outcome,
    Place, Position, Standing, UserNumber, Version,
};
use barrage_protocol::{MessageId, Sequence, UserId};
use barrage_store::{AwayRange, InboxError, InboxStore, ItemRange};

use super::dump;
use super::engine::Engine;

/// Takes a batch up to its last entry.
async fn project(
    store: &dyn InboxStore,
    lane: u16,
    after: Sequence,
    entries: &[Entry],
) -> Result<Changes, InboxError> {
    let up_to = entries.last().map_or(after, |entry| entry.sequence);
    store.project(lane, after, up_to, entries).await
}

/// Random batches of one lane.
fn batches(seed: u64, number: usize, entries_max: u64) -> Vec<Vec<Entry>> {
    let (mut workload, mut tables, mut recount) =
        (Workload::new(seed), Tables::default(), Recount::default());
    let mut batches = Vec::new();
    for _ in 0..number {
        let entries = workload.batch(entries_max, &recount);
        let changes = tables.project(&entries);
        for (entry, outcome) in entries.iter().zip(changes.outcomes) {
            recount.take(entry, outcome);
        }
        batches.push(entries);
    }
    batches
}

async fn project_all(store: &dyn InboxStore, tables: &mut Tables, batches: &[Vec<Entry>]) {
    for entries in batches {
        let after = tables.mark;
        let expected = tables.project(entries);
        let changes = project(store, 0, after, entries).await.unwrap();
        assert_eq!(changes.rows(), expected.rows());
        for (outcome, expected) in changes.outcomes.iter().zip(&expected.outcomes) {
            match (outcome, expected) {
                (Outcome::Sent(_, position), Outcome::Sent(_, known))
                | (Outcome::Duplicate(_, position), Outcome::Duplicate(_, known)) => {
                    assert_eq!(position, known);
                }
                _ => assert_eq!(outcome, expected),
            }
        }
    }
}

fn assert_same(found: &std::collections::BTreeSet<String>, expected: &std::collections::BTreeSet<String>) {
    let missing: Vec<_> = expected.difference(found).take(5).collect();
    let wrong: Vec<_> = found.difference(expected).take(5).collect();
    assert!(missing.is_empty() && wrong.is_empty(), "missing {missing:#?}\nwrong {wrong:#?}");
}

pub(crate) async fn rows_equal_the_tables_of_the_model(engine: Engine) {
    let mut tables = Tables::default();
    for batches in batches(7, 60, 40).chunks(20) {
        project_all(&*engine.store, &mut tables, batches).await;
        assert_same(&dump::of_store(&*engine.store, &tables).await, &dump::of_tables(&tables));
    }
    assert_eq!(engine.store.mark(0).await.unwrap(), tables.mark);
    assert_eq!(engine.store.mark(1).await.unwrap(), Sequence::ZERO);
    // What changed since a version, and the groups that the user is in, whenever they changed.
    for user in tables.users.values() {
        let away = engine.store.away(&user.id, AwayRange::after(user.version), 10).await.unwrap().unwrap();
        assert!(away.hidden.is_empty() && away.undelivered.is_empty());
        assert_eq!(away.lanes, [(0, tables.mark)]);
        assert!(away.memberships.iter().all(|known| known.peer.is_none()));
        let newest = Version(user.version.0 - 1);
        let away = engine.store.away(&user.id, AwayRange::after(newest), 1_000).await.unwrap().unwrap();
        assert!(
            away.memberships.iter().all(|known| known.member.version == user.version || known.peer.is_none())
        );
    }
    let stranger = UserId::parse("stranger").unwrap();
    assert_eq!(engine.store.away(&stranger, AwayRange::after(Version(0)), 10).await.unwrap(), None);
}

pub(crate) async fn present_members_of_each_group_are_found(engine: Engine) {
    let mut tables = Tables::default();
    project_all(&*engine.store, &mut tables, &batches(13, 40, 40)).await;
    let mut expected = std::collections::BTreeMap::new();
    for user in tables.users.values() {
        let away = engine.store.away(&user.id, AwayRange::after(Version(0)), 1_000).await.unwrap();
        for known in away.into_iter().flat_map(|away| away.memberships) {
            let members: &mut std::collections::BTreeSet<_> =
                expected.entry(known.conversation.number).or_default();
            if known.member.is_present() {
                members.insert(user.id.clone());
            }
        }
    }
    assert!(expected.values().any(|members| members.len() > 2));
    for (conversation, members) in expected {
        let found = engine.store.present(conversation).await.unwrap();
        assert_eq!(found.len(), members.len(), "each once");
        assert_eq!(found.into_iter().collect::<std::collections::BTreeSet<_>>(), members);
    }
}

/// Compares the counters of a store with a recount from lists, after many events.
pub(crate) async fn prove(engine: Engine, events: usize) {
    let (mut workload, mut recount) = (Workload::new(1), Recount::default());
    let (mut done, mut after, mut batch) = (0, Sequence::ZERO, 0_u64);
    while done < events {
        let entries = workload.batch(500, &recount);
        let changes = project(&*engine.store, 0, after, &entries).await.unwrap();
        for (entry, outcome) in entries.iter().zip(changes.outcomes) {
            recount.take(entry, outcome);
        }
        after = entries.last().unwrap().sequence;
        (done, batch) = (done + entries.len(), batch + 1);
        if batch.is_multiple_of(10) || done >= events {
            assert_law(&*engine.store, &recount).await;
        }
    }
}

/// Recounts all users from the items.
async fn assert_recounted(store: &dyn InboxStore) {
    let (mut from, mut users) = (UserNumber(0), 0);
    while let Some(found) = store.recount(from).await.unwrap() {
        assert_eq!(found.errors, 0, "{found:?}");
        (from, users) = (UserNumber(found.number.0 + 1), users + 1);
    }
    assert!(users > 0, "no user was recounted");
}

async fn assert_law(store: &dyn InboxStore, recount: &Recount) {
    assert_recounted(store).await;
    let mut unread = std::collections::BTreeMap::new();
    for (user, total) in recount.totals() {
        let away = store.away(&user, AwayRange::after(Version(0)), usize::MAX).await.unwrap().unwrap();
        assert_eq!(away.user.unread, total, "total of {user}");
        for known in away.memberships {
            let is_open = known.conversation.state == barrage_inbox::ConversationState::Open;
            if is_open && known.member.is_present() {
                let number = known.member.unread(known.conversation.head);
                unread.insert((user.clone(), known.conversation.id), number);
            }
        }
    }
    // Users of groups alone have no total.
    let expected = recount.unread().into_iter().filter(|(key, _)| recount.totals().contains_key(&key.0));
    assert_eq!(unread, expected.collect());
}

pub(crate) async fn a_fault_at_any_statement_leaves_nothing_of_the_batch(engine: Engine) {
    let mut tables = Tables::default();
    let batches = batches(11, 11, 15);
    let (last, first) = batches.split_last().unwrap();
    project_all(&*engine.store, &mut tables, first).await;
    engine.install_faults().await;
    let before = dump::of_tables(&tables);
    let (after, rows) = (tables.mark, engine.rows().await);
    let mut faults = 0;
    loop {
        engine.fail_at(faults + 1).await;
        match project(&*engine.store, 0, after, last).await {
            Ok(_) => break,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
        faults += 1;
        assert_eq!(engine.store.mark(0).await.unwrap(), after);
        if faults.is_multiple_of(7) {
            assert_same(&dump::of_store(&*engine.store, &tables).await, &before);
        }
        // A user whom the batch names for the first time may stay, without a version.
        let rows = engine.rows().await - rows;
        assert!((0..=7).contains(&rows), "{rows} rows of a batch that failed");
    }
    assert!(faults > 10, "{faults} statements");
    tables.project(last);
    assert_same(&dump::of_store(&*engine.store, &tables).await, &dump::of_tables(&tables));
}

pub(crate) async fn couriers_of_one_lane_do_not_double(engine: Engine) {
    let batches = Arc::new(batches(13, 40, 20));
    let entries: Arc<Vec<Entry>> = Arc::new(batches.iter().flatten().cloned().collect());
    let mut couriers = Vec::new();
    for number in 0..2_usize {
        let (store, entries) = (engine.again().await, Arc::clone(&entries));
        couriers.push(tokio::spawn(async move {
            let mut fenced = 0;
            loop {
                let after = store.mark(0).await.unwrap();
                // Two couriers cut the lane into different batches.
                let waiting = entries.iter().filter(|entry| entry.sequence > after);
                let batch: Vec<_> = waiting.take(5 + 3 * number).cloned().collect();
                if batch.is_empty() {
                    return fenced;
                }
                match project(&*store, 0, after, &batch).await {
                    Ok(_) => {}
                    Err(InboxError::Fenced { lane: 0, expected }) if expected == after => fenced += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }));
    }
    let mut fenced = 0;
    for courier in couriers {
        fenced += courier.await.unwrap();
    }
    assert!(fenced > 0, "the couriers never met");
    // Versions count batches, which differ: compare all but them.
    let mut tables = Tables::default();
    tables.project(&entries);
    let mut recount = Recount::default();
    let mut single = Tables::default();
    for entry in entries.iter() {
        let outcome = single.project(std::slice::from_ref(entry)).outcomes[0];
        recount.take(entry, outcome);
    }
    assert_law(&*engine.store, &recount).await;
    let items = |lines: std::collections::BTreeSet<String>| {
        lines.into_iter().filter(|line| line.starts_with("item")).collect()
    };
    let found = dump::of_store(&*engine.store, &tables).await;
    assert_same(&items(found), &items(dump::of_tables(&single)));
}

/// Each lane has the conversations whose id hashes to it; blocks and rules, which have lanes of users, stay out.
fn lanes(batches: &[Vec<Entry>]) -> [Vec<Entry>; 2] {
    let mut lanes = [Vec::new(), Vec::new()];
    for entry in batches.iter().flatten() {
        let is_of_user =
            matches!(entry.event, Event::Prefer { .. } | Event::Block { .. } | Event::Unblock { .. });
        let hash: u32 = entry.event.lane_key().bytes().map(u32::from).sum();
        if !is_of_user {
            lanes[usize::from(hash % 2 == 1)].push(entry.clone());
        }
    }
    lanes
}

pub(crate) async fn couriers_of_two_lanes_share_users_without_a_deadlock(engine: Engine) {
    let lanes = lanes(&batches(17, 60, 20));
    let mut couriers = Vec::new();
    for (lane, entries) in (0_u16..).zip(lanes) {
        let store = engine.again().await;
        couriers.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            let mut after = Sequence::ZERO;
            for batch in entries.chunks(9) {
                let changes = project(&*store, lane, after, batch).await.unwrap();
                after = batch.last().unwrap().sequence;
                taken.extend(batch.iter().cloned().zip(changes.outcomes));
            }
            taken
        }));
    }
    let mut recount = Recount::default();
    for courier in couriers {
        for (entry, outcome) in courier.await.unwrap() {
            recount.take(&entry, outcome);
        }
    }
    assert_law(&*engine.store, &recount).await;
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn group() -> ConversationId {
    ConversationId::parse("g.fans").unwrap()
}

fn text(id: u64) -> Letter {
    let id = MessageId::parse(&format!("m{id}")).unwrap();
    Letter { id, kind: LetterKind::Text, body: "{\"text\":\"\u{5f39}\u{5e55}\"}".into() }
}

/// A lane that takes events one by one.
struct Lane<'a> {
    engine: &'a Engine,
    at: u64,
}

impl Lane<'_> {
    async fn take(&mut self, event: Event) -> Outcome {
        let after = Sequence(self.at);
        self.at += 1;
        let entry = Entry { sequence: Sequence(self.at), at_ms: 1_000 + self.at, event };
        project(&*self.engine.store, 3, after, &[entry]).await.unwrap().outcomes[0]
    }

    async fn letter(&mut self, sender: &str, to: &str) -> Outcome {
        let (sender, to, letter) = (user(sender), user(to), text(self.at));
        self.take(Event::Letter { sender, to, letter, standing: Standing::Stranger }).await
    }
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
