//! Mail of a running courier: real lanes, real tables, and the test as a gateway.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{
    Attachments, EmbeddedLanes, EmbeddedMail, Mail, MailEnvelope, MailNews, MailReceiver, SnapshotPart,
    UserHash,
};
use barrage_courier::{CourierConfig, CourierMetrics, Mailer};
use barrage_inbox::{ConversationId, Event, GroupSettings, Letter, LetterKind, Standing};
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::Mail as MailFrame;
use barrage_protocol::{Sequence, UserId};
use barrage_store::SqliteInbox;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::faulty::Faulty;
use crate::support::{Running, append, config, until_taken};

/// A courier with its mailer, and the gateway `g` with some users.
struct World {
    lanes: Arc<EmbeddedLanes>,
    store: Arc<SqliteInbox>,
    courier: Running,
    news: MailReceiver<MailNews>,
    number: u64,
    mailer: (JoinHandle<()>, CancellationToken),
    _folder: TempDir,
}

impl World {
    async fn start(attached: &[&str], lost_every: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteInbox::open(&folder.path().join("inbox.sqlite")).await.unwrap());
        let lanes =
            EmbeddedLanes::open(&EmbeddedLanes::file(folder.path()), Sequence::ZERO, 1 << 20).unwrap();
        let mail = Arc::new(EmbeddedMail::new());
        let mut news = mail.news("g").await.unwrap();
        let metrics = CourierMetrics::new(&prometheus::Registry::new()).unwrap();
        let (queue, mailer) = Mailer::new(&CourierConfig::default(), 1, mail.clone(), store.clone(), metrics);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(mailer.run(shutdown.clone()));
        // The mailer calls the roll when it hears announcements.
        assert_eq!(news.next().await, Some(MailNews::RollCall));
        mail.announce(Attachments {
            gateway: "g".into(),
            snapshot: Some(SnapshotPart { part: 0, parts: 1 }),
            attached: attached.iter().map(|id| UserHash::of(&user(id))).collect(),
            detached: Vec::new(),
        });
        let faulty = Faulty::new(store.clone(), lost_every);
        let few = CourierConfig { batch_events_max: 3, ..config() };
        let courier = Running::start_with(lanes.clone(), faulty, Arc::new(queue), few);
        let mailer = (running, shutdown);
        let mut world = World { lanes, store, courier, news, number: 0, mailer, _folder: folder };
        assert!(world.envelope().await.groups.is_empty(), "the first one makes the courier known");
        assert_eq!(world.number, 1);
        world
    }

    async fn envelope(&mut self) -> MailEnvelope {
        loop {
            let news = tokio::time::timeout(Duration::from_secs(20), self.news.next());
            if let Some(MailNews::Envelope(envelope)) = news.await.expect("something arrives") {
                self.number = envelope.number;
                return envelope;
            }
        }
    }

    /// Returns the next frame of mail with its receivers.
    async fn mail(&mut self) -> (Vec<UserHash>, MailFrame) {
        loop {
            for group in self.envelope().await.groups {
                if let ServerFrame::Mail(mail) = ServerFrame::parse(&group.frame).unwrap() {
                    return (group.users, mail);
                }
            }
        }
    }

    async fn take(&self, events: &[Event]) {
        let last = append(&*self.lanes, events).await;
        until_taken(&*self.store, last).await;
    }

    async fn stop(self) {
        self.courier.stop().await.unwrap();
        self.mailer.1.cancel();
        self.mailer.0.await.unwrap();
    }
}

fn user(id: &str) -> UserId {
    id.parse().unwrap()
}

fn letter(id: &str) -> Letter {
    let body = format!("{{\"text\":\"{id}\"}}");
    Letter { id: id.parse().unwrap(), kind: LetterKind::Text, body }
}

fn letter_to(sender: &str, to: &str, id: &str) -> Event {
    Event::Letter { sender: user(sender), to: user(to), letter: letter(id), standing: Standing::Trusted }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_letter_reaches_the_gateway_of_its_attached_user() {
    let mut world = World::start(&["ann"], 0).await;
    world.take(&[letter_to("bob", "ann", "m1")]).await;
    let (users, mail) = world.mail().await;
    assert_eq!(users, [UserHash::of(&user("ann"))], "bob is attached nowhere");
    assert_eq!((mail.previous, mail.version, mail.unread_direct), (Some(0), Some(1), Some(1)));
    let [view] = &mail.conversations[..] else { panic!("{mail:?}") };
    let item = &view.items[0];
    assert_eq!((view.peer.as_ref(), view.head, view.unread), (Some(&user("bob")), 1, 1));
    assert_eq!((item.sender.as_str(), item.body.as_ref().unwrap().get()), ("bob", r#"{"text":"m1"}"#));
    assert!(item.id.is_none(), "the id is the sender's");
    // Reading on one device brings the numbers to the others.
    let place = barrage_inbox::Place {
        user: user("ann"),
        conversation: ConversationId::direct(&user("ann"), &user("bob")),
        position: barrage_inbox::Position(1),
    };
    world.take(&[Event::Read(place)]).await;
    let (_, mail) = world.mail().await;
    assert_eq!((mail.previous, mail.version, mail.unread_direct), (Some(1), Some(2), Some(0)));
    assert_eq!((mail.conversations[0].unread, mail.conversations[0].read), (0, 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_of_a_group_is_one_frame_for_its_attached_members() {
    let mut world = World::start(&["owner", "ann", "stranger"], 0).await;
    let group = ConversationId::parse("g.fans").unwrap();
    let create =
        Event::Create { user: user("owner"), group: group.clone(), settings: GroupSettings::default() };
    let join = |id: &str| {
        let (user, standing) = (user(id), Standing::Stranger);
        Event::Join { user, group: group.clone(), standing }
    };
    world.take(&[create, join("ann"), join("away")]).await;
    let post = |id| Event::Post {
        sender: user("owner"),
        group: group.clone(),
        letter: letter(id),
        mentions: Vec::new(),
    };
    world.take(&[post("m1"), post("m2")]).await;
    let (mut users, mail) = loop {
        let (users, mail) = world.mail().await;
        if !mail.groups.is_empty() {
            break (users, mail);
        }
    };
    users.sort();
    let mut expected = vec![UserHash::of(&user("owner")), UserHash::of(&user("ann"))];
    expected.sort();
    assert_eq!(users, expected);
    assert_eq!((mail.version, mail.groups.len()), (None, 1));
    let positions: Vec<_> = mail.groups[0].items.iter().map(|item| item.position).collect();
    assert_eq!((mail.groups[0].conversation.as_str(), positions), ("g.fans", vec![1, 2]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_whose_answer_is_lost_is_a_missing_number() {
    // Every second answer to a commit is lost.
    let mut world = World::start(&["ann"], 2).await;
    for number in 0..6 {
        world.take(&[letter_to("bob", "ann", &format!("m{number}"))]).await;
    }
    let (mut number, mut missing) = (world.number, 0);
    while missing == 0 {
        let found = world.envelope().await.number;
        missing += found - number - 1;
        number = found;
        assert!(number < 30, "no number is missing");
    }
    world.stop().await;
}
