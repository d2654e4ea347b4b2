//! The law of unread against a recount from lists.

use std::collections::{BTreeMap, BTreeSet};

use barrage_inbox::model::{Recount, Tables, Workload};
use barrage_inbox::{ConversationState, Item, Kind, Member};
use barrage_protocol::MessageId;

/// Compares the counters of all present members and the totals of all users with the recount.
fn assert_law(tables: &Tables, recount: &Recount, context: &str) {
    let mut unread = BTreeMap::new();
    for member in tables.members.values().filter(|member| member.is_present()) {
        let conversation = &tables.conversations[&member.conversation];
        if conversation.state == ConversationState::Open {
            let key = (tables.users[&member.user].id.clone(), conversation.id.clone());
            unread.insert(key, member.unread(conversation.head));
        }
    }
    assert_eq!(unread, recount.unread(), "{context}");
    for (user, total) in recount.totals() {
        let number = tables.user_number(&user).unwrap();
        assert_eq!(tables.users[&number].unread, total, "{context}: total of {user}");
    }
}

/// Checks what every batch must keep: dense positions, versions without gaps, one row for each key.
fn assert_chains(tables: &Tables, before: &Tables, context: &str) {
    for user in tables.users.values() {
        let old = before.users.get(&user.number).map_or(0, |old| old.version.0);
        assert!(user.version.0 == old || user.version.0 == old + 1, "{context}: version of {}", user.id);
        let is_changed = before.users.get(&user.number).is_some_and(|old| old != user);
        assert!(!is_changed || user.version.0 == old + 1, "{context}: {} changed without a version", user.id);
    }
    for (key, member) in &tables.members {
        let is_changed = before.members.get(key) != Some(member);
        let version = tables.users[&key.1].version;
        let raised = before.users.get(&key.1).is_none_or(|old| old.version != version);
        assert!(!is_changed || (raised && member.version == version), "{context}: {member:?}");
    }
    for (number, items) in &tables.items {
        let head = tables.conversations[number].head;
        assert_eq!(u64::try_from(items.len()).unwrap(), head.position.0, "{context}");
        for (position, item) in (1..).zip(items) {
            assert_eq!(item.position.0, position, "{context}");
        }
    }
}

fn run(seed: u64, events: usize, entries_max: u64, checked_every: usize) -> Tables {
    let mut workload = Workload::new(seed);
    let (mut tables, mut recount) = (Tables::default(), Recount::default());
    let (mut done, mut batches) = (0, 0);
    while done < events {
        let entries = workload.batch(entries_max, &recount);
        let before = (batches % checked_every == 0).then(|| tables.clone());
        let changes = tables.project(&entries);
        for (entry, outcome) in entries.iter().zip(&changes.outcomes) {
            recount.take(entry, *outcome);
        }
        done += entries.len();
        batches += 1;
        let context = format!("seed {seed}, event {done}");
        if let Some(before) = before {
            assert_law(&tables, &recount, &context);
            assert_chains(&tables, &before, &context);
        }
    }
    assert_law(&tables, &recount, &format!("seed {seed}, the end"));
    tables
}

#[test]
fn unread_equals_the_recount_after_every_batch() {
    for seed in 0..60 {
        run(seed, 400, [1, 5, 20, 60][usize::try_from(seed % 4).unwrap()], 1);
    }
}

/// The number of events that the law is proved with: see docs/adr/0079.
#[test]
#[ignore = "takes a minute without optimisation"]
fn unread_equals_the_recount_after_a_million_events() {
    for seed in 1_000..1_010 {
        run(seed, 100_000, 500, 10);
    }
}

#[test]
fn rows_do_not_depend_on_the_size_of_batches() {
    for seed in 0..10 {
        let mut workload = Workload::new(seed);
        let (mut whole, mut single, mut recount) = (Tables::default(), Tables::default(), Recount::default());
        for _ in 0..40 {
            let entries = workload.batch(20, &recount);
            let changes = whole.project(&entries);
            for (entry, outcome) in entries.iter().zip(&changes.outcomes) {
                recount.take(entry, *outcome);
                let alone = single.project(std::slice::from_ref(entry));
                assert_eq!(alone.outcomes.len(), 1);
            }
        }
        assert_law(&single, &recount, "batches of one");
        assert_eq!(by_id(&whole), by_id(&single), "seed {seed}");
    }
}

/// Returns items and members under the ids of users and conversations: numbers follow the batches.
fn by_id(tables: &Tables) -> BTreeSet<String> {
    let user = |number| tables.users[&number].id.as_str();
    let items = tables.items.values().flatten().map(|item| {
        let conversation = &tables.conversations[&item.conversation].id;
        let sender = user(item.sender);
        let id = item.id.as_ref().map(MessageId::as_str);
        let Item { position, count, own, state, kind, body, target, .. } = item;
        format!(
            "{conversation} {position:?} {sender} {id:?} {count} {own} {state:?} {kind:?} {body} {target:?}"
        )
    });
    let members = tables.members.values().map(|member| {
        let conversation = &tables.conversations[&member.conversation].id;
        let name = user(member.user);
        let Member { folder, role, joined, left, counters, cleared, .. } = member;
        format!("{conversation} {name} {folder:?} {role:?} {joined:?} {left:?} {counters:?} {cleared:?}")
    });
    items.chain(members).collect()
}

#[test]
fn workload_reaches_every_kind_of_rows() {
    let tables = run(3, 20_000, 50, 1_000);
    let kinds = tables.conversations.values().map(|c| c.id.kind());
    assert!(kinds.clone().any(|kind| kind == Kind::Direct) && kinds.clone().any(|kind| kind == Kind::Group));
    assert!(!tables.hidden.is_empty() && !tables.mentions.is_empty());
    assert!(!tables.blocks.is_empty() && !tables.undelivered.is_empty());
    assert!(tables.members.values().any(|member| member.left.is_some()));
    assert!(tables.items.values().flatten().any(|item| item.target.is_some()));
    assert!(tables.users.values().any(|user| user.unread > 0));
}
