//! Polls through a running server: `kill -9` while users vote, and votes as viewers get them.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_testkit::{Frame, RawSocket, Server, ServerOptions, wait};
use serde_json::{Value, json};

use crate::support::{BINARY, start};

const POLLS: &str = "/v1/rooms/demo/polls";
/// Longest wait for an effect.
const EFFECT_MAX: Duration = Duration::from_secs(30);
/// Kills of the server while users vote.
const KILLS: usize = 4;

fn poll(id: &str) -> String {
    json!({ "id": id, "question": "Which?", "options": ["a", "b", "c"], "secs": 3_600 }).to_string()
}

/// A guest who has voted: token, and option of the answer.
type Voter = (String, u64);

/// Lets one new guest after the other vote until the server is gone.
async fn vote_until_killed(server: Arc<Server>) -> Vec<Voter> {
    let mut answered = Vec::new();
    for n in 0.. {
        let Some(guest) = server.try_post("/v1/guest", "none", r#"{"name":"Ann"}"#).await else { break };
        let Some(token) = guest.body["token"].as_str().map(str::to_owned) else { break };
        let vote = json!({ "option": n % 3 + 1 }).to_string();
        let Some(answer) = server.try_post(&format!("{POLLS}/p/votes"), &token, vote).await else { break };
        assert_eq!(answer.status, 200, "{answer:?}");
        answered.push((token, answer.body["option"].as_u64().unwrap()));
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answered_votes_are_counted_once_after_kills() {
    let dir = tempfile::tempdir().unwrap();
    let environment = ["LIMITS__ADDRESS_PER_S", "POLLS__GUEST_VOTES_PER_ADDRESS"]
        .map(|limit| (format!("BARRAGE_UPLINK__{limit}"), "100000".to_owned()));
    let data_dir = Some(dir.path().join("data"));
    let options = ServerOptions { environment: environment.into(), data_dir, ..ServerOptions::default() };
    let mut server = Arc::new(Server::start(BINARY, options.clone()).await);
    let moderator = server.token("mod", "demo", "moderator").await;
    assert_eq!(server.post(POLLS, &moderator, poll("p")).await.status, 200);
    let mut answered = Vec::new();
    for round in 0..KILLS {
        let voters = [0, 1].map(|_| tokio::spawn(vote_until_killed(Arc::clone(&server))));
        tokio::time::sleep(Duration::from_millis(150 + 70 * round as u64)).await;
        server.kill_by_id().await;
        for voter in voters {
            answered.extend(voter.await.unwrap());
        }
        drop(server);
        server = Arc::new(Server::start(BINARY, options.clone()).await);
    }
    // Everyone votes again, for something else: who was answered keeps the option.
    let mut expected = [0_u64; 3];
    for (token, option) in &answered {
        let other = json!({ "option": option % 3 + 1 }).to_string();
        let again = server.post(&format!("{POLLS}/p/votes"), token, other).await;
        assert_eq!(again.body, json!({ "poll": "p", "option": option, "duplicate": true }));
        expected[usize::try_from(*option).unwrap() - 1] += 1;
    }
    let closed = server.post(&format!("{POLLS}/p/close"), &moderator, "{}").await;
    let votes: Vec<u64> = serde_json::from_value(closed.body["votes"].clone()).unwrap();
    // Each kill may have met one vote of each voter that was stored and not answered.
    let unanswered: u64 = votes.iter().zip(expected).map(|(votes, expected)| votes - expected).sum();
    assert!(unanswered <= 2 * KILLS as u64, "{votes:?} instead of {expected:?}");
    assert!(answered.len() > KILLS, "too few for the test: {}", answered.len());
    println!("{} votes were answered, {unanswered} more were stored before a kill", answered.len());
}

#[tokio::test]
async fn viewers_get_the_opening_the_votes_and_the_result() {
    let server = start().await;
    let moderator = server.token("mod", "demo", "moderator").await;
    let ann = server.token("ann", "demo", "viewer").await;
    let mut early = RawSocket::joined(server.public, "demo").await;
    assert_eq!(server.post(POLLS, &moderator, poll("p")).await.status, 200);
    let voted = server.post(&format!("{POLLS}/p/votes"), &ann, r#"{"option":2}"#).await;
    assert_eq!(voted.status, 200, "{voted:?}");
    let mut late = RawSocket::joined(server.public, "demo").await;
    for socket in [&mut early, &mut late] {
        wait::within(EFFECT_MAX, "a pulse with the vote", async {
            loop {
                let Frame::Protocol(ServerFrame::Batch(batch), _) = socket.next().await else { continue };
                let pulse = batch.pulse.unwrap_or_default();
                if pulse.polls.iter().any(|counts| counts.votes == [0, 1, 0]) {
                    return;
                }
            }
        })
        .await;
    }
    let closed = server.post(&format!("{POLLS}/p/close"), &moderator, "{}").await;
    assert_eq!(closed.body["votes"], json!([0, 1, 0]));
    let mut bodies = Vec::<Value>::new();
    while !bodies.iter().any(|body| body["signal"] == "poll_close") {
        for message in wait::within(EFFECT_MAX, "the result", early.next_batch()).await.messages {
            bodies.push(serde_json::from_str(message.body.get()).unwrap());
        }
    }
    assert_eq!(bodies.last().unwrap()["poll"]["votes"], json!([0, 1, 0]));
    let late = server.post(&format!("{POLLS}/p/votes"), &ann, r#"{"option":1}"#).await;
    assert_eq!((late.status, late.code()), (410, "poll_closed"));
}
