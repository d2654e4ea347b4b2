//! The Rust client's device: a program that follows an inbox without a room.

use std::collections::BTreeSet;
use std::time::Duration;

use barrage_client::{Device, DeviceConfig, DeviceEvent, InboxChange, KeptInbox};
use barrage_protocol::inbox::ReadPlace;
use barrage_testkit::{Meddler, Meddling, Server};
use serde_json::{Value, json};

use super::person::Person;
use crate::support::start;

/// Longest wait for an event, with room for a reconnect.
const EVENT_MAX: Duration = Duration::from_secs(20);

/// A program on a device, with what it has written.
struct Program {
    device: Device,
    kept: KeptInbox,
    /// Texts by conversation and position, as a table of the program has them.
    texts: BTreeSet<(u64, String)>,
    unread: u64,
    resets: usize,
    connects: usize,
}

impl Program {
    fn start(entry_url: &str, token: &str, kept: KeptInbox) -> Self {
        let config = DeviceConfig { kept: kept.clone(), ..DeviceConfig::new(entry_url, token) };
        let device = Device::start(config);
        Program { device, kept, texts: BTreeSet::new(), unread: 0, resets: 0, connects: 0 }
    }

    /// Takes and writes events until the program is as expected.
    async fn until(&mut self, expected: &str, is_so: impl Fn(&Program) -> bool) {
        while !is_so(self) {
            let event = tokio::time::timeout(EVENT_MAX, self.device.next()).await;
            match event.unwrap_or_else(|_| panic!("no {expected}: {:?} {:?}", self.texts, self.kept)) {
                Some(DeviceEvent::Change(change)) => self.write(&change),
                Some(DeviceEvent::Attached { .. }) => self.connects += 1,
                Some(DeviceEvent::Reconnecting { .. }) => {}
                other => panic!("no {expected}, but {other:?}"),
            }
        }
    }

    fn write(&mut self, change: &InboxChange) {
        self.resets += usize::from(change.reset);
        for item in change.conversations.iter().flat_map(|row| &row.items) {
            let body: Value = serde_json::from_str(item.body.as_ref().unwrap().get()).unwrap();
            self.texts.insert((item.position, body["text"].as_str().unwrap().to_owned()));
        }
        self.unread = change.unread;
        self.kept.take(change);
    }

    fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Ends the device, and returns what the next start has: the kept part through a file.
    fn end(self) -> KeptInbox {
        serde_json::from_str(&serde_json::to_string(&self.kept).unwrap()).unwrap()
    }
}

fn url(server: &Server) -> String {
    format!("http://{}", server.public)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_gets_letters_of_its_absence_and_unread_falls_on_another_device() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    bob.done("PUT", "/v1/inbox/preferences", json!({ "policy": "everyone" })).await;
    for n in ["1", "2", "3"] {
        ann.write("bob", &format!("m{n}"), n).await;
    }
    let mut phone = Program::start(&url(&server), &bob.token, KeptInbox::default());
    let mut laptop = Program::start(&url(&server), &bob.token, KeptInbox::default());
    for device in [&mut phone, &mut laptop] {
        device.until("letters of the absence", |program| program.unread == 3).await;
        assert_eq!((device.texts(), device.resets), (vec!["1", "2", "3"], 1), "a new device starts anew");
    }
    let conversation = phone.kept.conversations.keys().next().unwrap().clone();
    let read = vec![ReadPlace { conversation, position: 2 }];
    laptop.device.letters().read(read).await.unwrap();
    phone.until("read on the other device", |program| program.unread == 1).await;
    // A program that ends here gets what came meanwhile, and nothing else, at its next start.
    let kept = phone.end();
    ann.write("bob", "m4", "4").await;
    laptop.until("live letter", |program| program.unread == 2).await;
    let mut phone = Program::start(&url(&server), &bob.token, kept);
    phone.until("letter of the second absence", |program| program.unread == 2).await;
    assert_eq!(phone.resets, 0, "the cursor continued");
    assert!(phone.texts().contains(&"4"));
    // What another user kept is of no use to this one.
    let mut other = Program::start(&url(&server), &ann.token, phone.end());
    other.until("inbox of the other user", |program| program.resets == 1).await;
    assert_eq!(other.kept.place.unwrap().user.as_str(), "ann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_takes_a_cut_and_presents_what_it_has_written() {
    let server = start().await;
    let (ann, bob) = (Person::new(&server, "ann").await, Person::new(&server, "bob").await);
    bob.done("PUT", "/v1/inbox/preferences", json!({ "policy": "everyone" })).await;
    let network = Meddler::start(Meddling::Pass).await;
    network.connect_to(server.public);
    let mut program = Program::start(&network.url(), &bob.token, KeptInbox::default());
    ann.write("bob", "m1", "1").await;
    program.until("letter", |program| program.unread == 1).await;
    network.set_and_cut(Meddling::Errors);
    ann.write("bob", "m2", "2").await;
    network.set(Meddling::Pass);
    program.until("letter of the cut", |program| program.unread == 2).await;
    assert_eq!((program.texts(), program.resets), (vec!["1", "2"], 1));
    assert!(program.connects >= 2, "the connection was cut");
    // A change that the program has got and not written is not behind it: the next start gets it again.
    let kept = program.kept.clone();
    ann.write("bob", "m3", "3").await;
    let unwritten = async {
        while !matches!(program.device.next().await, Some(DeviceEvent::Change(change)) if change.unread == 3)
        {
        }
    };
    tokio::time::timeout(EVENT_MAX, unwritten).await.expect("the third letter");
    drop(program);
    let mut again = Program::start(&network.url(), &bob.token, kept);
    again.until("letter that was not written", |program| program.unread == 3).await;
    assert!(again.texts().contains(&"3") && again.resets == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_that_the_server_refuses_closes_the_device() {
    let server = start().await;
    let mut device = Device::start(DeviceConfig::new(url(&server), "no token"));
    let event = tokio::time::timeout(EVENT_MAX, device.next()).await.expect("an event");
    assert!(matches!(event, Some(DeviceEvent::Closed { code: Some(_), .. })), "{event:?}");
    assert!(device.next().await.is_none());
}
