//! Polls over HTTP: who runs them, one vote a user, word votes, results in pulses and signals.

use std::collections::BTreeSet;

use barrage_bus::{Event, Subscription, Topic};
use barrage_testkit::wait;
use barrage_token::Role;
use barrage_uplink::{LimitsConfig, PollsConfig, UplinkConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::site::{PATIENCE, Site};

const POLLS: &str = "/v1/rooms/demo/polls";
const MESSAGES: &str = "/v1/rooms/demo/messages";
const ANN: (&str, Role) = ("ann", Role::Viewer);
const MOD: (&str, Role) = ("mod", Role::Moderator);

fn poll(id: &str, change: Value) -> Value {
    let mut poll = json!({ "id": id, "question": "Which way?", "options": ["left", "right"], "secs": 60 });
    if let Value::Object(change) = change {
        poll.as_object_mut().unwrap().extend(change);
    }
    poll
}

async fn open(site: &Site, by: (&str, Role), poll: Value) -> (StatusCode, Value) {
    site.call(by, Method::POST, POLLS, poll).await
}

async fn vote(site: &Site, voter: &str, poll: &str, option: u64) -> (StatusCode, Value) {
    let path = format!("{POLLS}/{poll}/votes");
    site.call((voter, Role::Viewer), Method::POST, &path, json!({ "option": option })).await
}

async fn close(site: &Site, by: (&str, Role), poll: &str) -> (StatusCode, Value) {
    site.call(by, Method::POST, &format!("{POLLS}/{poll}/close"), Value::Null).await
}

fn refused(answer: &(StatusCode, Value)) -> (u16, &str) {
    (answer.0.as_u16(), answer.1["error"]["code"].as_str().unwrap_or("none"))
}

/// Waits for a pulse with votes.
async fn votes_of_pulse(subscription: &mut Subscription) -> Vec<u64> {
    wait::within(PATIENCE, "a pulse with votes", async {
        loop {
            if let Some(Event::Pulse(pulse)) = subscription.next().await
                && let Some(counts) = &pulse.poll
            {
                return counts.votes.clone();
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_poll_is_opened_voted_and_closed_and_each_user_counts_once() {
    let site = Site::start(UplinkConfig { pulse_ms: 20, ..UplinkConfig::default() }).await;
    let mut subscription = site.bus.subscribe(&Topic::Room("demo".parse().unwrap())).await.unwrap();
    assert_eq!(refused(&open(&site, ANN, poll("p1", json!({}))).await), (403, "forbidden"));
    assert_eq!(refused(&open(&site, ("x", Role::Probe), poll("p1", json!({}))).await), (403, "forbidden"));
    let (status, opened) = open(&site, MOD, poll("p1", json!({}))).await;
    assert_eq!(
        (status, &opened["votes"], &opened["duplicate"]),
        (StatusCode::OK, &json!([0, 0]), &json!(false))
    );
    let (_, again) = open(&site, MOD, poll("p1", json!({}))).await;
    assert_eq!((&again["duplicate"], &again["opened_ms"]), (&json!(true), &opened["opened_ms"]));
    for other in [poll("p1", json!({ "secs": 61 })), poll("p2", json!({}))] {
        assert_eq!(refused(&open(&site, MOD, other).await), (409, "conflict"));
    }

    assert_eq!(vote(&site, "ann", "p1", 2).await.1, json!({ "poll": "p1", "option": 2, "duplicate": false }));
    assert_eq!(vote(&site, "ann", "p1", 1).await.1, json!({ "poll": "p1", "option": 2, "duplicate": true }));
    assert_eq!(vote(&site, "bo", "p1", 1).await.1["duplicate"], false);
    for option in [0, 3, 255] {
        assert_eq!(refused(&vote(&site, "cy", "p1", option).await), (400, "bad_request"));
    }
    assert_eq!(refused(&vote(&site, "cy", "nope", 1).await), (404, "not_found"));
    while votes_of_pulse(&mut subscription).await != [1, 1] {}

    assert_eq!(refused(&close(&site, ANN, "p1").await), (403, "forbidden"));
    let (_, closed) = close(&site, MOD, "p1").await;
    assert_eq!((&closed["votes"], &closed["duplicate"]), (&json!([1, 1]), &json!(false)));
    let (_, again) = close(&site, MOD, "p1").await;
    assert_eq!((&again["closed_ms"], &again["duplicate"]), (&closed["closed_ms"], &json!(true)));
    assert_eq!(refused(&vote(&site, "cy", "p1", 1).await), (410, "poll_closed"));
    assert_eq!(refused(&close(&site, MOD, "nope").await), (404, "not_found"));
    assert_eq!(refused(&open(&site, MOD, poll("p1", json!({}))).await), (409, "conflict"));

    let signals: Vec<Value> =
        site.messages().await.iter().map(|message| serde_json::from_slice(&message.body).unwrap()).collect();
    let names: Vec<_> = signals.iter().map(|signal| signal["signal"].as_str().unwrap()).collect();
    assert_eq!(names, ["poll_open", "poll_close"]);
    assert_eq!(signals[1]["poll"]["votes"], json!([1, 1]));
    let (_, listed) = site.call(ANN, Method::GET, POLLS, Value::Null).await;
    assert_eq!(
        (listed["polls"].as_array().unwrap().len(), &listed["polls"][0]["votes"]),
        (1, &json!([1, 1]))
    );
    assert_eq!(site.counter("barrage_uplink_votes_total", "counted"), 2.0);
    assert_eq!(site.counter("barrage_uplink_votes_total", "duplicate"), 1.0);
}

#[tokio::test]
async fn a_poll_closes_at_its_end_by_itself() {
    let site = Site::start(UplinkConfig { pulse_ms: 20, ..UplinkConfig::default() }).await;
    open(&site, MOD, poll("p1", json!({ "secs": 10 }))).await;
    vote(&site, "ann", "p1", 1).await;
    // The poll's time is over at once in the settings, as it is ten seconds later.
    let room: barrage_protocol::RoomId = "demo".parse().unwrap();
    let mut settings = site.bus.settings().borrow().rooms[&room].clone();
    settings.poll.as_mut().unwrap().ends_ms = 1;
    site.bus.change(barrage_bus::Change::Room(room, settings)).await.unwrap();
    wait::until_true(PATIENCE, "the result", async || {
        let messages = site.messages().await;
        let last: Value = serde_json::from_slice(&messages.last().unwrap().body).unwrap();
        last["signal"] == "poll_close" && last["poll"]["votes"] == json!([1, 0])
    })
    .await;
    wait::until_true(PATIENCE, "the end of the poll in the settings", async || {
        refused(&vote(&site, "bo", "p1", 1).await) == (410, "poll_closed")
            && open(&site, MOD, poll("p2", json!({}))).await.0 == StatusCode::OK
    })
    .await;
}

#[tokio::test]
async fn chat_votes_where_the_poll_says_so() {
    let site = Site::start(UplinkConfig::default()).await;
    let chat = async |voter: &str, id: &str, text: &str| {
        let post = json!({ "type": "chat", "id": id, "text": text });
        let (status, answer) = site.call((voter, Role::Viewer), Method::POST, MESSAGES, post).await;
        assert_eq!((status, &answer["outcome"]), (StatusCode::OK, &json!("broadcast")), "{answer}");
        answer["vote"].clone()
    };
    open(&site, MOD, poll("quiet", json!({}))).await;
    assert_eq!(chat("ann", "m1", "1").await, Value::Null, "the poll does not count chat");
    close(&site, MOD, "quiet").await;
    open(&site, MOD, poll("loud", json!({ "words": true }))).await;
    assert_eq!(chat("ann", "m2", " 2 ").await, json!({ "poll": "loud", "option": 2, "duplicate": false }));
    assert_eq!(chat("ann", "m3", "left").await["duplicate"], true);
    assert_eq!(chat("bo", "m4", "LEFT").await["option"], 1);
    assert_eq!(chat("bo", "m5", "left or right?").await, Value::Null);
    assert_eq!(chat("guest-0123456789abcdef", "m6", "1").await, Value::Null, "a guest votes by its address");
    assert_eq!(close(&site, MOD, "loud").await.1["votes"], json!([1, 1]));
}

#[tokio::test]
async fn guests_are_bounded_by_address_and_may_be_excluded() {
    let polls = PollsConfig { guest_votes_per_address: 3, ..PollsConfig::default() };
    let site = Site::start(UplinkConfig { polls, ..UplinkConfig::default() }).await;
    open(&site, MOD, poll("p1", json!({}))).await;
    let mut codes = BTreeSet::new();
    let mut counted = 0;
    for n in 0..10 {
        let answer = vote(&site, &format!("guest-{n:016x}"), "p1", 1).await;
        match refused(&answer) {
            (200, _) => counted += 1,
            (_, code) => {
                codes.insert(code.to_owned());
                assert_eq!(answer.1["error"]["limit"]["rule"], "guest_votes_per_address");
                assert!(answer.1["error"]["retry_after_ms"].as_u64().unwrap() > 0);
            }
        }
    }
    assert_eq!((counted, codes), (3, BTreeSet::from(["rate_limited".into()])));
    assert_eq!(vote(&site, "ann", "p1", 1).await.0, StatusCode::OK, "a user with an account is not bounded");
    assert_eq!(close(&site, MOD, "p1").await.1["votes"], json!([4, 0]));
    open(&site, MOD, poll("p2", json!({ "guests": false }))).await;
    assert_eq!(refused(&vote(&site, "guest-1", "p2", 1).await), (403, "forbidden"));
}

#[tokio::test]
async fn polls_of_bad_form_are_refused() {
    let site = Site::start(UplinkConfig::default()).await;
    let options: Vec<_> = (0..1_000).map(|n| n.to_string()).collect();
    for (change, code) in [
        (json!({ "options": options }), "bad_request"),
        (json!({ "secs": 0 }), "bad_request"),
        (json!({ "question": "\u{200B}" }), "bad_text"),
        (json!({ "colour": "red" }), "bad_request"),
        (json!({ "options": "left" }), "bad_request"),
    ] {
        assert_eq!(refused(&open(&site, MOD, poll("p", change)).await).1, code);
    }
    assert_eq!(refused(&open(&site, MOD, poll("a b", json!({}))).await), (400, "bad_request"));
    assert_eq!(refused(&vote(&site, "ann", "a%20b", 1).await), (400, "bad_request"));
    let closed = site.call(MOD, Method::POST, "/v1/rooms/none/polls", poll("p", json!({}))).await;
    assert_eq!(refused(&closed), (404, "unknown_room"));
}

#[tokio::test]
async fn reactions_are_summed_by_name_and_others_are_refused() {
    let site = Site::start(UplinkConfig { pulse_ms: 20, ..UplinkConfig::default() }).await;
    let mut subscription = site.bus.subscribe(&Topic::Room("demo".parse().unwrap())).await.unwrap();
    let react = async |id: &str, name: &str, count: u64| {
        let post = json!({ "type": "reaction", "id": id, "name": name, "count": count });
        site.call(ANN, Method::POST, MESSAGES, post).await
    };
    assert_eq!(react("r1", "fire", 3).await.1, json!({ "outcome": "broadcast" }));
    assert_eq!(react("r1", "fire", 3).await.1, json!({ "outcome": "duplicate" }));
    react("r2", "clap", 1).await;
    for (name, count) in [("bomb", 1), ("fire", 0), ("fire", 1_001), ("", 1)] {
        assert_eq!(refused(&react("r3", name, count).await), (400, "bad_request"), "{name} {count}");
    }
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    while sums.len() < 2 || sums["fire"] < 3 {
        let event = wait::within(PATIENCE, "a pulse", subscription.next()).await;
        if let Some(Event::Pulse(pulse)) = event {
            for (name, count) in &pulse.reactions {
                *sums.entry(name.clone()).or_default() += count;
            }
        }
    }
    assert_eq!((sums["fire"], sums["clap"]), (3, 1));
}

#[tokio::test]
async fn doubled_votes_through_two_uplinks_count_once_and_one_of_them_signals_the_result() {
    let limits = LimitsConfig { address_per_s: 100_000, ..LimitsConfig::default() };
    let config = UplinkConfig { pulse_ms: 20, limits, ..UplinkConfig::default() };
    let one = Site::start(config.clone()).await;
    let two = one.start_beside(config);
    open(&one, MOD, poll("p1", json!({}))).await;
    let mut counted = [0_u64; 2];
    for n in 0..20 {
        let voter = format!("u{n}");
        let (first, second) = tokio::join!(vote(&one, &voter, "p1", 1), vote(&two, &voter, "p1", 2));
        let both = [&first.1, &second.1];
        assert_eq!(first.1["option"], second.1["option"], "{both:?}");
        let new = both.iter().filter(|answer| answer["duplicate"] == false).count();
        assert_eq!(new, 1, "{both:?}");
        counted[usize::try_from(first.1["option"].as_u64().unwrap()).unwrap() - 1] += 1;
    }
    let (closed, again) = tokio::join!(close(&one, MOD, "p1"), close(&two, MOD, "p1"));
    assert_eq!((&closed.1["votes"], &again.1["votes"]), (&json!(counted), &json!(counted)));
    let signals = one.messages().await;
    let closes =
        signals.iter().filter(|message| String::from_utf8_lossy(&message.body).contains("poll_close"));
    assert_eq!(closes.count(), 1);
}
