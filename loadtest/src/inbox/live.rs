//! A host goes live: its followers get a notification, and a share of them joins the room by entry.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::frame::ClientFrame;
use barrage_protocol::inbox::{LiveAnswer, PushKeyAnswer};
use barrage_token::Role;
use hyper::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::push_service::{Pushed, Service};
use super::report::Measured;
use super::run::{self, Course};
use super::scenario::LiveLoad;
use super::site::Site;
use super::socket::Socket;
use crate::clock::Moment;
use crate::error::LoadtestError;
use crate::measure::figure::Figures;
use crate::measure::latency::Latency;
use crate::run::PushService;

/// Keys of a browser that nobody has: what the server encrypts is not opened here.
const KEYS: [&str; 2] = [
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    "BTBZMqHH6r4Tts7J_aSIgg",
];
/// Longest wait for a join that has begun, by entry's ticket and the handshake.
const JOIN_MAX: Duration = Duration::from_secs(60);

/// What a run has seen.
#[derive(Debug, Default)]
struct Crowd {
    /// From the request to go live to the notification of each follower.
    push: Latency,
    /// From the notification to the room, for those who open it.
    join: Latency,
    /// Times that each follower was told.
    told: Vec<u32>,
    strangers: u64,
    /// Joins in each second since the request.
    joins: BTreeMap<u64, u64>,
    failed: BTreeMap<String, u64>,
    /// Followers who were told, once each.
    first: u64,
}

pub(super) async fn run(
    site: Site,
    load: LiveLoad,
    options: &PushService,
    course: &mut Course,
) -> Result<Measured, LoadtestError> {
    let (site, mut service) = (Rc::new(site), Service::start(options).await?);
    let host = load.followers;
    check(&site, host).await?;
    run::for_all(course, "followers", 0..host, |user| follow(&site, &service, user, host)).await?;
    let crowd = Crowd { told: vec![0; host as usize], ..Crowd::default() };
    let crowd = Rc::new(RefCell::new(crowd));
    let (mut joins, end) = (JoinSet::new(), watch::Sender::new(false));
    let began = Moment::now();
    let stream = json!({ "stream": site.user(host), "room": site.room, "title": "New" }).to_string();
    let path = format!("/v1/admin/hosts/{}/live", site.user(host));
    let answer: LiveAnswer = site.admin(Method::POST, &path, &stream).await?;
    let deadline = began.after(load.secs).instant();
    let mut left = u64::from(host);
    while left > 0 && !course.interrupted.get() {
        let Some((device, at)) = next(&mut service, deadline).await else { break };
        if crowd.borrow_mut().take(device, at, began) {
            left -= 1;
            if crowd.borrow_mut().opens(load.opening_share) {
                joins.spawn_local(join(
                    Rc::clone(&site),
                    device,
                    (at, began),
                    Rc::clone(&crowd),
                    end.subscribe(),
                ));
            }
        }
        course.progress.show("notifications", u64::from(host) - left, host.into());
    }
    // What comes twice comes late, and joins end.
    let settled = Instant::now() + course.settle;
    while let Some((device, at)) = next(&mut service, settled).await {
        crowd.borrow_mut().take(device, at, began);
    }
    let told: LiveAnswer = site.admin(Method::POST, &path, &stream).await?;
    let all_joins = joins.len() as u64;
    let joined = async || crowd.borrow().ended() >= all_joins;
    let joins_end = Instant::now() + JOIN_MAX;
    while !joined().await && Instant::now() < joins_end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    end.send_replace(true);
    while joins.join_next().await.is_some() {}
    let measured = crowd.borrow().measured(load, all_joins, &[&answer, &told]);
    Ok(measured)
}

/// Fails with the reason when the server sends to no browser.
async fn check(site: &Site, host: u32) -> Result<(), LoadtestError> {
    let token = site.token(host, Role::Viewer)?;
    let answer = site.done(host, Method::GET, "/v1/push/key", &token, "").await?;
    let answer: PushKeyAnswer = serde_json::from_slice(&answer)
        .map_err(|error| LoadtestError::cannot_run("an answer of GET /v1/push/key", error))?;
    if answer.services.iter().any(|service| service == "web") {
        return Ok(());
    }
    Err(LoadtestError::cannot(
        "the server sends to no browser: set push.contact, push.allow_networks with the load tester's network, and ca_file",
    ))
}

/// Registers a browser of a follower, and follows the host.
async fn follow(site: &Site, service: &Service, user: u32, host: u32) -> Result<(), LoadtestError> {
    let token = site.token(user, Role::Viewer)?;
    let keys = json!({ "p256dh": KEYS[0], "auth": KEYS[1] });
    let subscription = json!({ "endpoint": service.endpoint(user), "expirationTime": null, "keys": keys });
    let device = json!({ "platform": "web", "subscription": subscription }).to_string();
    site.done(user, Method::PUT, "/v1/inbox/devices/load", &token, &device).await?;
    let path = format!("/v1/follows/{}", site.user(host));
    site.done(user, Method::PUT, &path, &token, "").await.map(drop)
}

async fn next(service: &mut Service, deadline: Instant) -> Option<Pushed> {
    tokio::time::timeout_at(deadline, service.pushed.recv()).await.ok().flatten()
}

/// Joins the room as a browser does after a click, and stays until the end.
async fn join(
    site: Rc<Site>,
    user: u32,
    (told, began): (Moment, Moment),
    crowd: Rc<RefCell<Crowd>>,
    mut end: watch::Receiver<bool>,
) {
    let token = match site.token(user, Role::Viewer) {
        Ok(token) => token,
        Err(error) => return crowd.borrow_mut().fail(error.to_string()),
    };
    let mut socket = match Socket::attach(&site, &token).await {
        Ok(socket) => socket,
        Err(reason) => return crowd.borrow_mut().fail(reason),
    };
    crowd.borrow_mut().joined(Moment::now(), told, began);
    let mut pings = tokio::time::interval(socket.ping_every);
    loop {
        tokio::select! {
            frame = socket.next() => if frame.is_err() { return },
            _ = pings.tick() => {
                if socket.send(&ClientFrame::Ping { id: 0 }).await.is_err() { return }
            }
            _ = end.changed() => return,
        }
    }
}

impl Crowd {
    /// Counts a notification. Returns whether it is the follower's first one.
    fn take(&mut self, device: u32, at: Moment, began: Moment) -> bool {
        let Some(told) = self.told.get_mut(device as usize) else {
            self.strangers += 1;
            return false;
        };
        *told += 1;
        if *told == 1 {
            self.push.record(at.since(began));
        }
        *told == 1
    }

    /// Returns whether the next follower opens the room. An even share has no peaks of its own.
    fn opens(&mut self, share: f64) -> bool {
        let opened = |told: u64| (told as f64 * share + 1e-6).floor();
        self.first += 1;
        opened(self.first) > opened(self.first - 1)
    }

    fn joined(&mut self, now: Moment, told: Moment, began: Moment) {
        self.join.record(now.since(told));
        *self.joins.entry(now.since(began).as_secs()).or_default() += 1;
    }

    fn fail(&mut self, reason: String) {
        *self.failed.entry(reason).or_default() += 1;
    }

    /// Joins that have an outcome.
    fn ended(&self) -> u64 {
        self.joins.values().sum::<u64>() + self.failed.values().sum::<u64>()
    }

    fn measured(&self, load: LiveLoad, opened: u64, answers: &[&LiveAnswer]) -> Measured {
        let mut figures = Figures::new();
        self.push.figures("push", &mut figures);
        self.join.figures("open", &mut figures);
        let missing = self.told.iter().filter(|told| **told == 0).count();
        let twice: u64 = self.told.iter().map(|told| u64::from(told.saturating_sub(1))).sum();
        let peak = self.joins.values().copied().max().unwrap_or(0) as f64;
        let failed = opened - self.joins.values().sum::<u64>();
        let others = [
            ("pushes.missing", missing as f64 / f64::from(load.followers)),
            ("pushes.twice", twice as f64),
            ("joins_per_s.peak", peak),
            ("joins.of_plan", peak / load.planned_joins_per_s),
            ("joins.failed", failed as f64 / (opened as f64).max(1.0)),
        ];
        figures.extend(others.map(|(name, value)| (name.to_owned(), value)));
        let counts = [
            ("followers", answers[0].followers),
            ("told by the server", answers[1].told),
            ("pushes", self.told.iter().map(|told| u64::from(*told)).sum()),
            ("pushes for others", self.strangers),
            ("joins", opened - failed),
        ];
        Measured::new(figures, &counts, [("failed joins", self.failed.clone())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn notifications_are_counted_for_each_follower_and_joins_for_each_second() {
        let mut crowd = Crowd { told: vec![0; 4], ..Crowd::default() };
        let began = Moment(S);
        assert!(crowd.take(0, Moment(2 * S), began) && crowd.take(2, Moment(3 * S), began));
        assert!(!crowd.take(2, Moment(4 * S), began) && !crowd.take(9, Moment(4 * S), began));
        for at_s in [2, 2, 2, 3] {
            crowd.joined(Moment(at_s * S + 5), Moment(2 * S), began);
        }
        crowd.fail("connect".into());
        assert_eq!(crowd.ended(), 5);
        let load = LiveLoad { followers: 4, opening_share: 0.5, planned_joins_per_s: 2.0, secs: 1.0 };
        let answer = LiveAnswer {
            stream: "s".into(),
            host: barrage_protocol::UserId::parse("host").unwrap(),
            followers: 4,
            told: 3,
            ended: true,
        };
        let measured = format!("{:?}", crowd.measured(load, 5, &[&answer, &answer]));
        for part in [
            r#""pushes.missing": 0.5"#,
            r#""pushes.twice": 1.0"#,
            r#""joins_per_s.peak": 3.0"#,
            r#""joins.of_plan": 1.5"#,
            r#""joins.failed": 0.2"#,
            r#""pushes for others": 1"#,
        ] {
            assert!(measured.contains(part), "{part}: {measured}");
        }
        let opens = (0..10).filter(|_| crowd.opens(0.3)).count();
        assert_eq!(opens, 3);
    }
}
