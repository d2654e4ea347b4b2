//! Mail of attached viewers, over real sockets. The test is the courier.

use std::time::Duration;

use barrage_bus::{Attachments, Mail, MailEnvelope, MailGroup, MailReceiver, UserHash};
use barrage_gateway::GatewayConfig;
use barrage_protocol::Code;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::Bell;
use barrage_testkit::{Frame, RawSocket};
use barrage_token::Role;

use crate::fleet::{Fleet, Member, until};

pub(crate) const FOREVER: u64 = 4_000_000_000;

fn hash(user: &str) -> UserHash {
    UserHash::of(&user.parse().unwrap())
}

/// A courier that sends what the test says.
pub(crate) struct Courier<'a> {
    fleet: &'a Fleet,
    number: u64,
    announced: MailReceiver<Attachments>,
}

impl<'a> Courier<'a> {
    pub(crate) async fn of(fleet: &'a Fleet) -> Self {
        Courier { fleet, number: 0, announced: fleet.mail.attachments().await.unwrap() }
    }

    pub(crate) fn send(&mut self, users: &[&str], frame: &str) {
        self.number += 1;
        let users = users.iter().map(|user| hash(user)).collect();
        let groups = vec![MailGroup { users, frame: frame.to_owned().into() }];
        self.fleet.mail.send("a", MailEnvelope { lane: 0, source: 5, number: self.number, groups });
    }

    /// Sends an envelope without frames, so that the gateway knows this courier.
    pub(crate) fn beat(&mut self) {
        self.number += 1;
        let (lane, source, number) = (0, 5, self.number);
        self.fleet.mail.send("a", MailEnvelope { lane, source, number, groups: Vec::new() });
    }

    /// Loses the next envelope on its way.
    pub(crate) const fn skip(&mut self) {
        self.number += 1;
    }

    /// Waits until the gateway has announced that a user is attached, or is no more.
    pub(crate) async fn hears(&mut self, user: &str, is_attached: bool) {
        let heard = async {
            loop {
                let announced = self.announced.next().await.unwrap();
                let users = if is_attached { announced.attached } else { announced.detached };
                if users.contains(&hash(user)) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(15), heard).await.expect("the gateway announces it");
    }
}

pub(crate) async fn start(fleet: &Fleet) -> Member {
    fleet.start(GatewayConfig { id: "a".into(), ..GatewayConfig::default() }).await
}

async fn join(fleet: &Fleet, member: &Member, user: &str) -> RawSocket {
    let token = fleet.token_of(user, Role::Viewer, FOREVER);
    RawSocket::join(member.address, "demo", Some(&token), None).await
}

async fn attached(fleet: &Fleet, member: &Member, user: &str) -> RawSocket {
    let mut socket = join(fleet, member, user).await;
    socket.send_text(r#"{"type":"attach"}"#).await;
    while !matches!(next(&mut socket).await, ServerFrame::Attached(_)) {}
    socket
}

pub(crate) async fn next(socket: &mut RawSocket) -> ServerFrame {
    loop {
        match socket.next().await {
            Frame::Protocol(ServerFrame::Batch(_), _) | Frame::Pong(_) => {}
            Frame::Protocol(frame, _) => return frame,
            other => panic!("no frame, but {other:?}"),
        }
    }
}

/// Returns the next frame of mail or bell; `None` when a pong comes first.
pub(crate) async fn mail_before_pong(socket: &mut RawSocket) -> Option<ServerFrame> {
    socket.send_text(r#"{"type":"ping","id":1}"#).await;
    loop {
        match next(socket).await {
            ServerFrame::Pong(_) => return None,
            frame @ (ServerFrame::Mail(_) | ServerFrame::Bell(_)) => return Some(frame),
            _ => {}
        }
    }
}

pub(crate) fn version(frame: &ServerFrame) -> u64 {
    let ServerFrame::Mail(mail) = frame else { panic!("no mail, but {frame:?}") };
    mail.version.unwrap()
}

pub(crate) fn mail(version: u64) -> String {
    format!(r#"{{"type":"mail","previous":{},"version":{version}}}"#, version - 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_reaches_the_attached_devices_of_its_user_and_no_one_else() {
    let fleet = Fleet::new().await;
    let member = start(&fleet).await;
    let mut courier = Courier::of(&fleet).await;
    let mut devices = [attached(&fleet, &member, "ann").await, attached(&fleet, &member, "ann").await];
    let (mut other, mut apart) = (attached(&fleet, &member, "bob").await, join(&fleet, &member, "ann").await);
    courier.hears("ann", true).await;
    courier.hears("bob", true).await;
    courier.beat();
    // A courier that is new to the gateway may have lost mail.
    for socket in devices.iter_mut().chain([&mut other]) {
        let bell = Bell { version: None, spread_ms: Some(10_000) };
        assert!(matches!(next(socket).await, ServerFrame::Bell(found) if found == bell));
    }
    courier.send(&["ann", "nobody"], &mail(7));
    for socket in &mut devices {
        assert_eq!(version(&next(socket).await), 7);
    }
    assert!(mail_before_pong(&mut other).await.is_none());
    assert!(matches!(apart.next().await, Frame::Protocol(ServerFrame::Hello(_), _)));
    assert!(mail_before_pong(&mut apart).await.is_none());
    // One device leaves, and the other detaches: only then is the user announced as gone.
    let [first, mut second] = devices;
    drop(first);
    until(|| member.metric("barrage_gateway_attached") == 2).await;
    courier.send(&["ann"], &mail(8));
    assert_eq!(version(&next(&mut second).await), 8);
    second.send_text(r#"{"type":"detach"}"#).await;
    courier.hears("ann", false).await;
    courier.send(&["ann", "bob"], &mail(9));
    assert_eq!(version(&next(&mut other).await), 9);
    assert!(mail_before_pong(&mut second).await.is_none());
    let took = || member.metric_of("barrage_gateway_mail_frames_total", &["took"]);
    until(|| took() == 4).await;
    assert_eq!(member.metric_of("barrage_gateway_mail_frames_total", &["delivered"]), 4);
    assert_eq!(member.metric("barrage_conservation_error"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_envelope_rings_all_attached_viewers_spread_over_time() {
    let fleet = Fleet::new().await;
    let member = start(&fleet).await;
    let mut courier = Courier::of(&fleet).await;
    // The gateway knows the courier before anybody is there to be rung.
    courier.beat();
    until(|| member.metric("barrage_gateway_mail_losses_total") == 1).await;
    let (mut ann, mut bob) = (attached(&fleet, &member, "ann").await, attached(&fleet, &member, "bob").await);
    courier.send(&["ann"], &mail(1));
    assert_eq!(version(&next(&mut ann).await), 1);
    assert!(mail_before_pong(&mut bob).await.is_none());
    courier.skip();
    courier.beat();
    for socket in [&mut ann, &mut bob] {
        assert!(matches!(next(socket).await, ServerFrame::Bell(Bell { spread_ms: Some(10_000), .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_mail_becomes_a_bell_and_the_connection_lives() {
    let fleet = Fleet::new().await;
    let member = start(&fleet).await;
    let mut courier = Courier::of(&fleet).await;
    courier.beat();
    until(|| member.metric("barrage_gateway_mail_losses_total") == 1).await;
    let mut ann = attached(&fleet, &member, "ann").await;
    let long = format!(r#"{{"type":"mail","previous":0,"version":1,"pad":"{}"}}"#, "x".repeat(2_000));
    for _ in 0..500 {
        courier.send(&["ann"], &long);
    }
    let mut frames = 0;
    let bell = loop {
        match next(&mut ann).await {
            ServerFrame::Mail(_) => frames += 1,
            ServerFrame::Bell(bell) => break bell,
            _ => {}
        }
    };
    assert_eq!(bell, Bell::default());
    assert!((5..=20).contains(&frames), "{frames} frames before the bell");
    let fate = |fate: &str| member.metric_of("barrage_gateway_mail_frames_total", &[fate]);
    until(|| fate("took") == 500).await;
    assert_eq!(fate("delivered") + fate("collapsed"), 500);
    // A room's messages come as ever.
    let gift = fleet.gift("g1").await;
    loop {
        if let Frame::Protocol(ServerFrame::Batch(batch), _) = ann.next().await
            && batch.messages.iter().any(|message| message.sequence.0 == gift)
        {
            break;
        }
    }
    drop(ann);
    until(|| member.metric("barrage_gateway_attached") == 0).await;
    assert_eq!(member.metric("barrage_conservation_error"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_and_floods_of_attaches_are_refused() {
    let fleet = Fleet::new().await;
    let member = start(&fleet).await;
    let mut guest = RawSocket::join(member.address, "demo", None, None).await;
    guest.send_text(r#"{"type":"attach"}"#).await;
    loop {
        if let ServerFrame::Error(refusal) = next(&mut guest).await {
            break assert_eq!(refusal.code, Code::Unauthorized);
        }
    }
    let mut ann = join(&fleet, &member, "ann").await;
    for _ in 0..1_000 {
        ann.send_text(r#"{"type":"attach"}"#).await;
    }
    let mut answers = 0;
    loop {
        match next(&mut ann).await {
            ServerFrame::Attached(_) => answers += 1,
            ServerFrame::Error(refusal) => break assert_eq!(refusal.code, Code::RateLimited),
            _ => {}
        }
    }
    assert!(answers <= 20, "{answers} answers");
    until(|| member.metric("barrage_gateway_attached") == 0).await;
}
