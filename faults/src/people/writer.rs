//! A user who writes and reads, one request after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::person::Person;
use super::records::LetterRecords;
use crate::oracle::Accepted;

/// Other users to whom a user writes.
const FRIENDS: usize = 3;
/// Longest wait for the answer of a letter: beyond every fault.
const LETTER_MAX: Duration = Duration::from_secs(90);

/// A group with its members.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Conversation of the group.
    pub(super) id: String,
    /// Users who are in it.
    pub(super) members: Vec<String>,
}

/// A writer with the people and the group to write to.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) person: Arc<Person>,
    pub(super) records: Arc<LetterRecords>,
    /// All users, the writer included.
    pub(super) people: Arc<[String]>,
    /// Place of the writer among them.
    pub(super) number: usize,
    /// Group of the writer.
    pub(super) group: Group,
    pub(super) chance: StdRng,
}

impl Writer {
    /// Writes and reads with pauses of `pace` on average, until the records say to stop.
    pub(super) async fn run(mut self, pace: Duration) {
        // Conversations of this user, with the number of own letters in each.
        let mut own: HashMap<String, u64> = HashMap::new();
        for letter in 0_u64.. {
            let pause = pace.mul_f64(self.chance.random_range(0.5..1.5));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.records.stop.cancelled() => return,
            }
            let choice = self.chance.random_range(0..100);
            if choice < 15 && !own.is_empty() {
                self.read_some(&own).await;
                continue;
            }
            let text = format!("letter {letter} of {}", self.person.user);
            let (path, members) = if choice < 75 {
                let step = self.chance.random_range(1..=FRIENDS);
                let to = self.people[(self.number + step) % self.people.len()].clone();
                (format!("/v1/users/{to}/messages"), vec![self.person.user.clone(), to])
            } else {
                (format!("/v1/conversations/{}/messages", self.group.id), self.group.members.clone())
            };
            if let Some(conversation) = self.write(&path, &format!("m{letter}"), text, &members).await {
                *own.entry(conversation).or_default() += 1;
            }
        }
    }

    /// Sends one letter until it is answered. Returns its conversation.
    async fn write(&self, path: &str, id: &str, text: String, members: &[String]) -> Option<String> {
        self.records.sends(&text);
        let body = json!({ "type": "text", "id": id, "text": text });
        let began = barrage_clock::now();
        let answer = self.person.ask("POST", path, &body, began + LETTER_MAX).await;
        let Some(answer) = answer.filter(|answer| answer.status == 200) else {
            self.records.unanswered.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        if answer.body["outcome"] == "duplicate" {
            self.records.repeated.fetch_add(1, Ordering::Relaxed);
        }
        self.records.answer_ms.lock().push(millis(began));
        let conversation = answer.body["conversation"].as_str().unwrap().to_owned();
        let sequence = answer.body["sequence"].as_u64().unwrap();
        let lane = u16::try_from(answer.body["lane"].as_u64().unwrap()).unwrap();
        let members: Vec<_> = members.iter().map(String::as_str).collect();
        self.records.accepts(Accepted { conversation: conversation.clone(), text, sequence }, lane, &members);
        Some(conversation)
    }

    /// Reads a conversation up to a place in it. Such a read may be lost: the uplink merges it with others.
    async fn read_some(&mut self, own: &HashMap<String, u64>) {
        let mut conversations: Vec<_> = own.keys().cloned().collect();
        conversations.sort_unstable();
        let conversation = conversations.swap_remove(self.chance.random_range(0..conversations.len()));
        let position = self.chance.random_range(1..=own[&conversation]);
        self.records.asks_read(&self.person.user, &conversation, position);
        let body = reads(&conversation, position);
        let until = barrage_clock::now() + LETTER_MAX;
        if self.person.ask("POST", "/v1/inbox/reads", &body, until).await.is_some() {
            self.records.reads.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Body of a request that reads one conversation.
pub(super) fn reads(conversation: &str, position: u64) -> Value {
    json!({ "reads": [{ "conversation": conversation, "position": position }] })
}

fn millis(began: Instant) -> u32 {
    u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX)
}
