//! Unread numbers over HTTP equal those of a list, under random letters, reads and recalls.

use std::collections::BTreeMap;

use barrage_testkit::wait;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::person::Person;
use crate::support::{barrage, start_with, text_of};

const USERS: [&str; 3] = ["ann", "bob", "cat"];

/// What a client of the law would keep: the senders of the items of each conversation, and read places.
#[derive(Default)]
struct Lists {
    senders: BTreeMap<String, Vec<&'static str>>,
    pairs: BTreeMap<String, [&'static str; 2]>,
    read: BTreeMap<(String, &'static str), usize>,
}

impl Lists {
    fn unread(&self, conversation: &str, user: &'static str) -> u64 {
        let read = self.read.get(&(conversation.to_owned(), user)).copied().unwrap_or(0);
        let after = self.senders[conversation].iter().skip(read);
        after.filter(|sender| **sender != user).count() as u64
    }
}

#[tokio::test]
async fn unread_numbers_equal_those_of_a_list() {
    let server = start_with(&[("INBOX__LIMITS__READS_DIRECT_MS", "0")]).await;
    let mut people = BTreeMap::new();
    for user in USERS {
        let person = Person::new(&server, user).await;
        person.done("PUT", "/v1/inbox/preferences", json!({ "policy": "everyone" })).await;
        people.insert(user, person);
    }
    let (mut lists, mut rng, mut last) = (Lists::default(), StdRng::seed_from_u64(7), Value::Null);
    for step in 0..120 {
        let user = *USERS.choose(&mut rng).unwrap();
        let other =
            *USERS.iter().filter(|other| **other != user).collect::<Vec<_>>().choose(&mut rng).unwrap();
        let own: Vec<_> = lists.pairs.iter().filter(|(_, pair)| pair.contains(&user)).collect();
        if rng.random_bool(0.6) || own.is_empty() {
            last = people[user].write(other, &format!("m{step}"), &format!("text number {step}")).await;
            let conversation = last["conversation"].as_str().unwrap().to_owned();
            lists.senders.entry(conversation.clone()).or_default().push(user);
            lists.pairs.insert(conversation, [user, other]);
        } else {
            let conversation = (*own.choose(&mut rng).unwrap().0).clone();
            let head = lists.senders[&conversation].len();
            let position = rng.random_range(1..=head);
            // A read of what waits in the lane is taken up to the head: the letters are there first.
            let reads = json!({ "reads": [{ "conversation": conversation, "position": position }] });
            people[user].done("POST", "/v1/inbox/reads", reads).await;
            let read = lists.read.entry((conversation, user)).or_default();
            *read = (*read).max(position);
        }
    }
    // Reads are merged for some milliseconds: the last letters come after them.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    for (user, other) in [("ann", "bob"), ("bob", "cat"), ("cat", "ann")] {
        last = people[user].write(other, "last", "the last text").await;
        lists.senders.get_mut(last["conversation"].as_str().unwrap()).unwrap().push(user);
    }
    for user in USERS {
        let inbox = people[user].inbox_after(&last).await;
        let mut total = 0;
        for conversation in inbox["conversations"].as_array().unwrap() {
            let id = conversation["conversation"].as_str().unwrap();
            let expected = lists.unread(id, user);
            assert_eq!(conversation["unread"].as_u64(), Some(expected), "{user} {conversation}");
            total += expected;
        }
        assert_eq!(inbox["unread"].as_u64(), Some(total), "{user}");
    }
    // The doctor recounts beside the running server, and the courier one user a second.
    let data_dir = server.data_dir().display().to_string();
    let doctor = text_of(&barrage(server.data_dir(), &["doctor", "--data-dir", &data_dir]).await);
    assert!(doctor.contains("inbox: unread numbers of 3 users equal a recount"), "{doctor}");
    wait::until_true(std::time::Duration::from_secs(10), "a recount by the courier", async || {
        server.metric("barrage_inbox_recounts_total").await > 0.0
    })
    .await;
    assert!(server.metric("barrage_inbox_unread_error_total").await < 0.5);
}
