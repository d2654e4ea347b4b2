//! Live mail of the whole product: a letter by HTTP is a frame at the other user a moment later.

use std::time::Duration;

use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::Mail;
use barrage_testkit::{Frame, RawSocket, Server, wait};
use serde_json::json;

use crate::support::start;

/// Joins a room with a token, and attaches to the user's mail.
async fn attached(server: &Server, token: &str) -> RawSocket {
    let mut socket = RawSocket::join(server.public, "demo", Some(token), None).await;
    socket.send_text(r#"{"type":"attach"}"#).await;
    while !matches!(next(&mut socket).await, ServerFrame::Attached(_)) {}
    socket
}

async fn next(socket: &mut RawSocket) -> ServerFrame {
    loop {
        match socket.next_within(Duration::from_secs(20)).await {
            Some(Frame::Protocol(frame, _)) => return frame,
            Some(Frame::Pong(_)) => {}
            other => panic!("no frame, but {other:?}"),
        }
    }
}

/// Returns the next mail with a version. Bells before it tell of the courier's start.
async fn next_mail(socket: &mut RawSocket) -> Mail {
    loop {
        match next(socket).await {
            ServerFrame::Mail(mail) if mail.version.is_some() => return mail,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letter_and_its_reading_reach_all_devices_at_once() {
    let server = start().await;
    let (ann, bob) =
        (server.token("ann", "demo", "viewer").await, server.token("bob", "demo", "viewer").await);
    let mut devices = [attached(&server, &bob).await, attached(&server, &bob).await];
    let mut sender = attached(&server, &ann).await;
    // A letter before the courier knows the devices is a bell to them.
    wait::until_true(Duration::from_secs(20), "a courier that knows the users", async || {
        server.metric("barrage_courier_attached_users").await >= 2.0
    })
    .await;
    let letter = json!({ "type": "text", "id": "m1", "text": "hello" }).to_string();
    let answer = server.post("/v1/users/bob/messages", &ann, letter).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let mut conversation = String::new();
    for device in &mut devices {
        let mail = next_mail(device).await;
        let view = &mail.conversations[0];
        assert_eq!((mail.previous, mail.version), (Some(0), Some(1)));
        assert_eq!((view.peer.as_ref().unwrap().as_str(), view.head, view.unread), ("ann", 1, 1));
        assert!(view.items[0].body.as_ref().unwrap().get().contains("hello"));
        conversation.clone_from(&view.conversation);
    }
    // The sender's own devices get it, too, with its id.
    let own = next_mail(&mut sender).await;
    assert_eq!(own.conversations[0].items[0].id.as_ref().unwrap().as_str(), "m1");
    let reads = json!({ "reads": [{ "conversation": conversation, "position": 1 }] }).to_string();
    assert_eq!(server.post("/v1/inbox/reads", &bob, reads).await.status, 200);
    for device in &mut devices {
        let mail = next_mail(device).await;
        assert_eq!((mail.version, mail.conversations[0].unread), (Some(2), 0));
    }
    assert!(server.metric("barrage_gateway_attached").await >= 3.0);
}
