//! A load of letters on a site while faults happen, up to the judgement.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::person::Person;
use super::records::LetterRecords;
use super::writer::{Group, Writer, reads};
use super::{device, person};
use crate::crowd::{gauge, unaccounted};
use crate::figure::{Bound, Figure};
use crate::oracle::{Device, InboxJudgement};
use crate::site::Site;

/// Longest wait after the last fault until all accepted letters are readable and all reads are in force.
const READABLE_MAX: Duration = Duration::from_secs(60);
/// Wait between two looks at the inboxes.
const LOOK: Duration = Duration::from_millis(500);
/// Inboxes that are read at the same time.
const READERS: usize = 8;

/// People, groups and pace of a load of letters.
#[derive(Debug, Clone, Copy)]
pub struct LetterLoad {
    /// Number of users, each with one device.
    pub users: usize,
    /// Number of groups; each user is in one.
    pub groups: usize,
    /// Mean pause of a user between two requests.
    pub pace: Duration,
    /// Duration of the load in seconds.
    pub secs: u64,
    /// Seed of the users' choices.
    pub seed: u64,
}

/// Everything that a run left behind for its scenario.
#[derive(Debug)]
pub struct LettersPlayed {
    /// Comparison of the list with the inboxes.
    pub judgement: InboxJudgement,
    records: Arc<LetterRecords>,
    /// Time from the end of the load until all was readable, in seconds.
    readable_s: f64,
    /// Devices that differ from a new device of their user.
    devices_apart: u64,
    /// Heads, read places and versions that went back at a device.
    went_back: u64,
    /// Answers that made a device begin again.
    resets: u64,
    unread_error_of_courier: u64,
    unaccounted: u64,
    panics: u64,
}

impl LettersPlayed {
    /// Figures of the promise about letters, and of the run.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = self.judgement.figures();
        let count = LetterRecords::count;
        let mut answers = self.records.answer_ms.lock();
        answers.sort_unstable();
        let at = |share: f64| answers.get((answers.len().saturating_sub(1) as f64 * share) as usize);
        let answer_ms = |share| f64::from(at(share).copied().unwrap_or(0));
        figures.extend([
            Figure::none("letters without an answer", count(&self.records.unanswered)),
            Figure::none("devices that differ from a new one", self.devices_apart),
            Figure::none("numbers that went back at a device", self.went_back),
            Figure::none("unread errors that couriers found", self.unread_error_of_courier),
            Figure::none("messages that a conservation ledger misses", self.unaccounted),
            Figure::none("panics in the logs", self.panics),
            Figure::new("all readable after the load", self.readable_s, "s", Bound::AtMost(30.0)),
            Figure::new(
                "letters answered as duplicates",
                count(&self.records.repeated) as f64,
                "",
                Bound::Free,
            ),
            Figure::new("reads answered", count(&self.records.reads) as f64, "", Bound::AtLeast(1.0)),
            Figure::new("devices that began again", self.resets as f64, "", Bound::Free),
            Figure::new("letter answered, p50", answer_ms(0.5), "ms", Bound::Free),
            Figure::new("letter answered, p99", answer_ms(0.99), "ms", Bound::Free),
        ]);
        figures
    }
}

/// Lets people write while `act` does its faults, then compares all inboxes with the list. `act` ends with
/// all processes running.
pub async fn play_letters(
    site: &mut Site,
    load: LetterLoad,
    act: impl AsyncFnOnce(&mut Site, Duration),
) -> LettersPlayed {
    let people = people(site, load.users);
    let groups = prepare(&people, load.groups).await;
    let records = Arc::new(LetterRecords::default());
    let (mut writers, mut devices) = (JoinSet::new(), Vec::new());
    let names: Arc<[String]> = people.iter().map(|person| person.user.clone()).collect();
    let mut chance = StdRng::seed_from_u64(load.seed);
    for (number, person) in people.iter().enumerate() {
        let writer = Writer {
            person: Arc::clone(person),
            records: Arc::clone(&records),
            people: Arc::clone(&names),
            number,
            group: groups[number % groups.len()].clone(),
            chance: StdRng::seed_from_u64(chance.random()),
        };
        writers.spawn(writer.run(load.pace));
        devices.push(tokio::spawn(device::keep(Arc::clone(person), Arc::clone(&records))));
    }
    act(site, Duration::from_secs(load.secs)).await;
    records.stop.cancel();
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    let (judgement, readable_s) = settled(&people, &records).await;
    records.end.cancel();
    let (mut devices_apart, mut went_back, mut resets) = (0, 0, 0);
    for (person, kept) in people.iter().zip(devices) {
        let (mut kept, mut new) = (kept.await.unwrap(), Device::default());
        device::catch_up(person, &mut kept).await;
        device::catch_up(person, &mut new).await;
        devices_apart += u64::from(!kept.is_in_step_with(&new));
        went_back += kept.went_back;
        resets += kept.resets;
    }
    let mut unread_error_of_courier = 0;
    for (_, admin) in &site.admins {
        unread_error_of_courier +=
            gauge(*admin, "barrage_inbox_unread_error_total").await.unwrap_or(0.0) as u64;
    }
    if let Ok(folder) = std::env::var("FAULT_LOGS") {
        site.keep_logs(folder.as_ref());
    }
    let (unaccounted, panics) = (unaccounted(site).await, site.panics());
    let played = LettersPlayed {
        judgement,
        records,
        readable_s,
        devices_apart,
        went_back,
        resets,
        unread_error_of_courier,
        unaccounted,
        panics,
    };
    if !played.figures().iter().all(Figure::passes) {
        let examples = played.judgement.examples.join("\n");
        drop(writeln!(std::io::stderr().lock(), "{examples}\n{}", site.logs()));
    }
    played
}

/// Makes the users with their tokens.
fn people(site: &Site, users: usize) -> Vec<Arc<Person>> {
    let http = reqwest::Client::builder().connect_timeout(person::ANSWER_MAX).build().unwrap();
    let uplinks: Arc<[String]> = site.uplinks().into();
    let person = |number: usize| {
        let user = format!("person-{number}");
        let token = site.token(&user, "viewer");
        Arc::new(Person::new(user, token, http.clone(), Arc::clone(&uplinks)))
    };
    (0..users).map(person).collect()
}

/// Lets all users write to each other, and makes the groups. Returns them.
async fn prepare(people: &[Arc<Person>], groups: usize) -> Vec<Group> {
    for person in people {
        person.done("PUT", "/v1/inbox/preferences", &json!({ "policy": "everyone" })).await;
    }
    let mut made = Vec::new();
    for number in 0..groups {
        let members: Vec<_> = people.iter().skip(number).step_by(groups).collect();
        let (owner, others) = members.split_first().expect("more users than groups");
        let group = owner.done("POST", "/v1/groups", &json!({ "title": format!("group {number}") })).await;
        let id = group["conversation"].as_str().unwrap().to_owned();
        for person in others {
            person.done("POST", &format!("/v1/groups/{id}/join"), &Value::Null).await;
        }
        let members = members.iter().map(|person| person.user.clone()).collect();
        made.push(Group { id, members });
    }
    made
}

/// Waits until all letters are readable, lets each user read to a place in each conversation, and judges when
/// the reads are in force. Returns the judgement and the time of the first wait in seconds.
async fn settled(people: &[Arc<Person>], records: &LetterRecords) -> (InboxJudgement, f64) {
    let began = barrage_clock::now();
    let newest = records.newest.lock().clone();
    for (lane, sequence) in newest {
        while !device::reaches(&people[0], lane, sequence).await && began.elapsed() < READABLE_MAX {}
    }
    let readable_s = began.elapsed().as_secs_f64();
    let mut inboxes: Vec<_> =
        stream::iter(people).map(|person| device::whole(person)).buffered(READERS).collect().await;
    for (person, inbox) in people.iter().zip(&inboxes) {
        for (number, conversation) in inbox.conversations.iter().enumerate() {
            // Some are read to the end, and some up to the middle.
            let position = conversation.head / (number as u64 % 3 + 1);
            if position == 0 {
                continue;
            }
            records.asks_read(&person.user, &conversation.id, position);
            person.done("POST", "/v1/inbox/reads", &reads(&conversation.id, position)).await;
            let key = (person.user.clone(), conversation.id.clone());
            records.kept.lock().reads.entry(key).or_default().least = position;
        }
    }
    let began = barrage_clock::now();
    loop {
        tokio::time::sleep(LOOK).await;
        for (person, inbox) in people.iter().zip(&mut inboxes) {
            device::renew(person, inbox).await;
        }
        let judged = InboxJudgement::new(&records.kept.lock(), &inboxes);
        if judged.reads_wrong == 0 || began.elapsed() > READABLE_MAX {
            return (judged, readable_s);
        }
    }
}
