//! The Rust client's calls of letters and groups, against a running server.

use barrage_client::{Letters, SendError, Sender, SenderConfig};
use barrage_protocol::Code;
use barrage_protocol::inbox::{
    Accepted, Folder, GroupRequest, GroupSettings, InboxAnswer, InboxQuery, ItemsQuery, LetterOutcome,
    LetterPackage, LetterReportRequest, LetterRequest, MembersQuery, Preferences, ReadPlace, Role, View,
    WritePolicy,
};
use barrage_testkit::Server;

use crate::support::start;

async fn letters(server: &Server, user: &str) -> Letters {
    let token = server.token(user, "*", "viewer").await;
    let sender = Sender::new(SenderConfig::through_entry(format!("http://{}", server.public), token));
    sender.unwrap().letters(&"demo".parse().unwrap())
}

fn text(id: &str, text: &str) -> LetterRequest {
    LetterRequest::Text { id: id.parse().unwrap(), text: text.into(), reply_to: None, mentions: Vec::new() }
}

/// Returns the inbox with a change in it.
async fn after(letters: &Letters, change: &Accepted) -> InboxAnswer {
    let at_least = Some(change.sequence.0);
    let query = InboxQuery { at_least, lane: Some(change.lane), ..InboxQuery::default() };
    letters.sync(&query).await.unwrap()
}

fn code<T: std::fmt::Debug>(answer: Result<T, SendError>) -> Code {
    match answer {
        Err(SendError::Refused(refusal)) => refusal.code,
        other => panic!("no refusal, but {other:?}"),
    }
}

#[tokio::test]
async fn letters_and_views_by_the_rust_client() {
    let server = start().await;
    let (ann, bob) = (letters(&server, "ann").await, letters(&server, "bob").await);
    let everyone = Preferences { policy: WritePolicy::Everyone, ..Preferences::default() };
    bob.prefer(&everyone).await.unwrap();
    let to = "bob".parse().unwrap();
    let sent = ann.send(&to, &text("m1", "one")).await.unwrap();
    assert_eq!(sent.outcome, LetterOutcome::Accepted);
    assert_eq!(ann.send(&to, &text("m1", "one")).await.unwrap().outcome, LetterOutcome::Duplicate);
    let package = LetterPackage { letters: vec![text("m2", "two"), text("m3", "three")] };
    let answers = ann.send_package(&to, &package).await.unwrap().answers;
    let last = Accepted { sequence: answers[1].sequence, lane: answers[1].lane };
    let id = sent.conversation.as_str();
    assert_eq!(after(&bob, &last).await.unread, 3);
    let page = bob.items(id, &ItemsQuery { after: Some(1), ..ItemsQuery::default() }).await.unwrap();
    assert_eq!(page.items.iter().map(|item| item.position).collect::<Vec<_>>(), [2, 3]);
    bob.read(vec![ReadPlace { conversation: id.into(), position: 2 }]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let hidden = bob.hide(id, 1).await.unwrap();
    assert_eq!(after(&bob, &hidden).await.unread, 1);
    assert_eq!(bob.read_places(id).await.unwrap().read, 2);
    ann.recall(id, 3).await.unwrap();
    let view = View { folder: Some(Folder::Archived), ..View::default() };
    let seen = bob.see(id, &view).await.unwrap();
    let inbox = after(&bob, &seen).await;
    assert_eq!((inbox.unread, inbox.conversations[0].folder), (0, Folder::Archived));
    let cleared = bob.clear(id, 3).await.unwrap();
    after(&bob, &cleared).await;
    let left = bob.items(id, &ItemsQuery::default()).await.unwrap().items;
    assert!(left.iter().all(|item| item.recalls == Some(3)), "{left:?}");
    let report = LetterReportRequest {
        user: "ann".parse().unwrap(),
        conversation: id.into(),
        position: None,
        reason: "rude".into(),
    };
    assert!(!bob.report(&report).await.unwrap().duplicate);
    let blocked = bob.block(&"ann".parse().unwrap()).await.unwrap();
    after(&bob, &blocked).await;
    assert_eq!(bob.preferences().await.unwrap().blocked, ["ann".parse().unwrap()]);
    assert_eq!(code(ann.send_to(id, &text("m4", "four")).await), Code::Blocked);
    let ended = bob.unblock(&"ann".parse().unwrap()).await.unwrap();
    after(&bob, &ended).await;
    let package = LetterPackage { letters: vec![text("b1", "five")] };
    assert_eq!(bob.send_package_to(id, &package).await.unwrap().answers.len(), 1);
}

#[tokio::test]
async fn groups_by_the_rust_client() {
    let server = start().await;
    let (ann, bob) = (letters(&server, "ann").await, letters(&server, "bob").await);
    let settings = GroupSettings { title: "Fans".into(), ..GroupSettings::default() };
    let made = ann.create_group(&settings).await.unwrap();
    let id = made.conversation.as_str();
    assert!(made.in_force && !bob.group(id).await.unwrap().joined);
    assert!(bob.join(id).await.unwrap().group.unwrap().joined);
    let sent = ann.send_to(id, &text("g1", "welcome")).await.unwrap();
    let place = Accepted { sequence: sent.sequence, lane: sent.lane };
    assert_eq!(after(&bob, &place).await.unread, 1);
    let title = Some("Friends".into());
    let changed = ann.change_group(id, &GroupRequest { title, ..GroupRequest::default() }).await.unwrap();
    assert_eq!(changed.group.unwrap().settings.title, "Friends");
    let user = "bob".parse().unwrap();
    let ghost = "ghost".parse().unwrap();
    assert_eq!(code(ann.appoint(id, &ghost, Role::Moderator).await), Code::NotMember);
    ann.appoint(id, &user, Role::Moderator).await.unwrap();
    let members = ann.members(id, &MembersQuery::default()).await.unwrap().members;
    let roles: Vec<_> = members.iter().map(|member| (member.user.as_str(), member.role)).collect();
    assert_eq!(roles, [("ann", Role::Owner), ("bob", Role::Moderator)]);
    assert!(!bob.leave(id).await.unwrap().group.unwrap().joined);
    assert_eq!(code(bob.send_to(id, &text("g2", "x")).await), Code::NotMember);
    assert!(ann.delete_group(id).await.unwrap().in_force);
    assert_eq!(code(bob.group(id).await), Code::NotFound);
}
