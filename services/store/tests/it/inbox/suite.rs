//! Tests that both engines pass: batches of a workload, faults and several couriers.

use std::sync::Arc;

use barrage_inbox::model::{Recount, Tables, Workload};
use barrage_inbox::{Changes, Entry, Event, Outcome, UserNumber, Version};
use barrage_protocol::{Sequence, UserId};
use barrage_store::{AwayRange, InboxError, InboxStore};

use super::dump;
use super::engine::Engine;

/// Takes a batch up to its last entry.
pub(super) async fn project(
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
pub(super) async fn assert_recounted(store: &dyn InboxStore) {
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
