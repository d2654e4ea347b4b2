//! Devices: one that asks for changes all the time, and a new one that asks once.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::inbox::InboxAnswer;
use serde_json::Value;

use super::person::{ANSWER_MAX, Person};
use super::records::LetterRecords;
use crate::oracle::{Conversation, Device, Inbox, Item};

/// Seconds that the device waits for a change.
const WAIT_SECS: u64 = 5;
/// Longest time for which the server lets a request wait for a place of a lane, less a little.
const AT_LEAST_MAX: Duration = Duration::from_millis(1_900);
/// Wait after a request without an answer.
const PAUSE: Duration = Duration::from_millis(200);

/// Keeps a device in step by long polls until the end of the run. Returns it.
pub(super) async fn keep(person: Arc<Person>, records: Arc<LetterRecords>) -> Device {
    let mut device = Device::default();
    loop {
        let cursor = device.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/inbox?limit=300&top=2&items=2&wait_secs={WAIT_SECS}{cursor}");
        let longest = ANSWER_MAX + Duration::from_secs(WAIT_SECS);
        let asked = person.try_once("GET", &path, &Value::Null, longest);
        let answer = tokio::select! {
            answer = asked => answer,
            () = records.end.cancelled() => break,
        };
        match answer.filter(|answer| answer.status == 200) {
            Some(answer) => _ = device.take(parsed(answer.body)),
            None => tokio::time::sleep(PAUSE).await,
        }
    }
    device
}

/// Asks until a device has everything.
pub(super) async fn catch_up(person: &Person, device: &mut Device) {
    loop {
        let cursor = device.cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/v1/inbox?limit=300&top=1&items=1{cursor}");
        if !device.take(parsed(person.done("GET", &path, &Value::Null).await)) {
            return;
        }
    }
}

/// Asks for all conversations, as a new device.
async fn summary(person: &Person) -> InboxAnswer {
    let answer = parsed(person.done("GET", "/v1/inbox?limit=300&top=1&items=1", &Value::Null).await);
    assert!(!answer.more, "a user of the run has more than 300 conversations");
    answer
}

/// Reads the numbers of an inbox again. Its items stay those that were read.
pub(super) async fn renew(person: &Person, inbox: &mut Inbox) {
    let answer = summary(person).await;
    inbox.unread = answer.unread;
    for view in answer.conversations {
        let known = inbox.conversations.iter_mut().find(|known| known.id == view.conversation);
        if let Some(known) = known {
            (known.head, known.read, known.unread) = (view.head, view.read, view.unread);
        }
    }
}

/// Waits up to two seconds until the inbox has a place of a lane. Returns whether it has.
pub(super) async fn reaches(person: &Person, lane: u16, sequence: u64) -> bool {
    let path = format!("/v1/inbox?limit=1&top=1&items=1&at_least={sequence}&lane={lane}");
    let began = barrage_clock::now();
    person.done("GET", &path, &Value::Null).await;
    // An answer that waited for its longest time may lack the place.
    began.elapsed() < AT_LEAST_MAX
}

/// Reads a user's whole inbox with all items, as a new device that scrolls through everything.
pub(super) async fn whole(person: &Person) -> Inbox {
    let answer = summary(person).await;
    let mut conversations = Vec::new();
    for view in answer.conversations {
        let (mut items, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/v1/conversations/{}/messages?after={after}&limit=200", view.conversation);
            let page = person.done("GET", &path, &Value::Null).await;
            items.extend(page["items"].as_array().into_iter().flatten().map(item));
            after = items.last().map_or(0, |item: &Item| item.position);
            if page["more"] != true || after >= view.head {
                break;
            }
        }
        items.retain(|item| item.position <= view.head);
        let (head, read, unread) = (view.head, view.read, view.unread);
        conversations.push(Conversation { id: view.conversation, head, read, unread, items });
    }
    Inbox { user: person.user.clone(), unread: answer.unread, conversations }
}

fn parsed(body: Value) -> InboxAnswer {
    serde_json::from_value(body).expect("an answer of GET /v1/inbox")
}

fn item(value: &Value) -> Item {
    Item {
        position: value["position"].as_u64().unwrap_or_default(),
        sender: value["sender"].as_str().unwrap_or_default().to_owned(),
        text: value["body"]["text"].as_str().unwrap_or_default().to_owned(),
    }
}
