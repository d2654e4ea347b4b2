//! A device that was away for a month, and thousands of devices that come back at once.

use std::rc::Rc;
use std::time::Duration;

use barrage_protocol::inbox::{InboxAnswer, LetterPackageAnswer};
use barrage_token::Role;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::device::{Crowd, Device};
use super::report::Measured;
use super::run::{self, Course};
use super::scenario::AwayLoad;
use super::site::{Site, refusal};
use crate::clock::Moment;
use crate::error::LoadtestError;
use crate::measure::figure::Figures;
use crate::measure::latency::Latency;
use crate::net::http::{Call, Encoded};

/// Letters of one package.
const PACKAGE: u32 = 64;
/// Syncs of the device that was away, which are measured one after the other.
const SYNCS: u32 = 50;
/// Time between two of them: one user may ask some twenty times a second.
const SYNC_EVERY: Duration = Duration::from_millis(100);
/// Longest wait until all items are readable.
const READABLE_MAX: Duration = Duration::from_secs(300);
/// What a device asks for after a month.
const AFTER_A_MONTH: &str = "/v1/inbox?limit=300&top=20&items=20";

/// What the syncs of the device that was away have shown.
#[derive(Debug, Default)]
struct Synced {
    took: Latency,
    bytes: usize,
    plain_bytes: usize,
    round_trips: u32,
    unchanged_bytes: usize,
}

pub(super) async fn run(site: Site, load: AwayLoad, course: &mut Course) -> Result<Measured, LoadtestError> {
    // The user who was away is behind the devices that come back, and its correspondents behind it.
    let crowd = Crowd::new(site, load.devices);
    let reader = load.devices;
    fill(&crowd.site, reader, load, course).await?;
    let synced = sync(&crowd.site, reader).await?;
    let lag = come_back(&crowd, load, course).await?;
    crowd.end.send_replace(true);
    let tally = crowd.tally.borrow();
    let mut figures = Figures::new();
    synced.took.figures("away", &mut figures);
    tally.attach.figures("attach", &mut figures);
    tally.sync.figures("sync", &mut figures);
    let lost = tally.broken.values().sum::<u64>() + u64::from(load.devices - crowd.attached.get());
    let others = [
        ("away.bytes", synced.bytes as f64),
        ("away.round_trips", f64::from(synced.round_trips)),
        ("unchanged.bytes", synced.unchanged_bytes as f64),
        ("devices.lost", lost as f64 / f64::from(load.devices.max(1))),
    ];
    figures.extend(others.map(|(name, value)| (name.to_owned(), value)));
    figures.extend(lag.quantile_ms(0.99).map(|lag| ("tester.lag.p99".to_owned(), lag)));
    let counts = [
        ("items", u64::from(load.items)),
        ("conversations", u64::from(load.conversations)),
        ("plain bytes", synced.plain_bytes as u64),
        ("attached", u64::from(crowd.attached.get())),
        ("syncs", tally.sync.count()),
    ];
    let reasons = [("lost connections", tally.broken.clone()), ("failed syncs", tally.syncs_failed.clone())];
    Ok(Measured::new(figures, &counts, reasons))
}

/// Sends the items of the month, in packages, and waits until all are readable.
async fn fill(site: &Site, reader: u32, load: AwayLoad, course: &mut Course) -> Result<(), LoadtestError> {
    let path = format!("/v1/users/{}/packages", site.user(reader));
    let each = load.items / load.conversations;
    let write = async |number: u32| -> Result<(), LoadtestError> {
        // A backend's token: none of its letters waits for an answer.
        let (user, token) = (reader + 1 + number, site.token(reader + 1 + number, Role::Admin)?);
        for first in (0..each).step_by(PACKAGE as usize) {
            let letters: Vec<_> = (first..each.min(first + PACKAGE)).map(|at| letter(number, at)).collect();
            let body = json!({ "letters": letters }).to_string();
            let answer = site.done(user, Method::POST, &path, &token, &body).await?;
            let answered = serde_json::from_slice::<LetterPackageAnswer>(&answer).is_ok();
            if !answered {
                return Err(LoadtestError::cannot("the answer to a package is nonsense"));
            }
        }
        Ok(())
    };
    run::for_all(course, "conversations", 0..load.conversations, write).await?;
    let (token, expected) = (site.token(reader, Role::Viewer)?, u64::from(each * load.conversations));
    let began = Moment::now();
    loop {
        let (_, answer) = ask(site, reader, "/v1/inbox?limit=1&top=1&items=1", &token, Encoded::No).await?;
        let answer: InboxAnswer = parse(&answer)?;
        course.progress.show("readable items", answer.unread, expected);
        if answer.unread >= expected {
            return Ok(());
        }
        if Moment::now().since(began) > READABLE_MAX {
            let found = answer.unread;
            return Err(LoadtestError::cannot(format!(
                "{found} of {expected} items are readable after {} s",
                READABLE_MAX.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn letter(number: u32, at: u32) -> serde_json::Value {
    json!({ "type": "text", "id": format!("m{at}"), "text": format!("前方高能预警，第 {number} 位的第 {at} 封") })
}

/// Lets new devices of the user sync one after the other.
async fn sync(site: &Site, reader: u32) -> Result<Synced, LoadtestError> {
    let token = site.token(reader, Role::Viewer)?;
    let mut synced = Synced { round_trips: 1, ..Synced::default() };
    let (_, plain) = ask(site, reader, AFTER_A_MONTH, &token, Encoded::No).await?;
    synced.plain_bytes = plain.len();
    let mut answer: InboxAnswer = parse(&plain)?;
    while answer.more {
        synced.round_trips += 1;
        let path = format!("{AFTER_A_MONTH}&cursor={}", answer.cursor);
        answer = parse(&ask(site, reader, &path, &token, Encoded::No).await?.1)?;
    }
    let path = format!("{AFTER_A_MONTH}&cursor={}", answer.cursor);
    synced.unchanged_bytes = ask(site, reader, &path, &token, Encoded::No).await?.1.len();
    for _ in 0..SYNCS {
        tokio::time::sleep(SYNC_EVERY).await;
        let (took, body) = ask(site, reader, AFTER_A_MONTH, &token, Encoded::Gzip).await?;
        synced.took.record(took);
        synced.bytes = synced.bytes.max(body.len());
    }
    Ok(synced)
}

/// Lets devices come back at an even pace, and waits until all are attached. Returns the delays of the tester's
/// own timers.
async fn come_back(crowd: &Rc<Crowd>, load: AwayLoad, course: &mut Course) -> Result<Latency, LoadtestError> {
    let (mut lag, start) = (Latency::default(), Moment::now().after(0.1));
    for user in 0..load.devices {
        let intended = start.after(load.within_secs * f64::from(user) / f64::from(load.devices));
        tokio::time::sleep_until(intended.instant()).await;
        lag.record(Moment::now().since(intended));
        tokio::task::spawn_local(Device::new(crowd, user)?.run());
        course.progress.show("devices", crowd.attached.get().into(), load.devices.into());
        if course.interrupted.get() {
            break;
        }
    }
    let deadline = start.after(load.within_secs + 60.0);
    while crowd.attached.get() < load.devices && Moment::now() < deadline && !course.interrupted.get() {
        course.progress.show("devices", crowd.attached.get().into(), load.devices.into());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(lag)
}

/// Asks once. Returns the time and the body as it came.
async fn ask(
    site: &Site,
    user: u32,
    path: &str,
    token: &str,
    encoded: Encoded,
) -> Result<(Duration, bytes::Bytes), LoadtestError> {
    let began = Moment::now();
    let answer = site.ask(user, &Call { token: Some(token), ..Call::get(path) }, encoded).await;
    let took = Moment::now().since(began);
    match answer {
        Ok((StatusCode::OK, body)) => Ok((took, body)),
        Ok((status, body)) => Err(LoadtestError::cannot(format!("GET {path}: {}", refusal(status, &body)))),
        Err(error) => Err(LoadtestError::cannot_run(format!("GET {path}"), error)),
    }
}

fn parse(body: &[u8]) -> Result<InboxAnswer, LoadtestError> {
    serde_json::from_slice(body)
        .map_err(|error| LoadtestError::cannot_run("an answer of GET /v1/inbox", error))
}
