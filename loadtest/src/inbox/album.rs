//! People who upload pictures at an even pace, and readers of each picture.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use barrage_token::Role;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::picture;
use super::report::Measured;
use super::run::Course;
use super::scenario::AlbumLoad;
use super::site::{Site, refusal};
use crate::clock::Moment;
use crate::error::LoadtestError;
use crate::measure::figure::Figures;
use crate::measure::latency::Latency;
use crate::net::http::{Call, Pool};

/// Longest wait for the check of a picture.
const CHECK_MAX: Duration = Duration::from_secs(60);
/// Time between two looks for its end.
const LOOK: Duration = Duration::from_millis(100);
/// Longest side of the form that is read: that of a message.
const FORM: &str = "480";

/// What became of the pictures of a run.
#[derive(Debug, Default)]
struct Album {
    /// From the intended time until all bytes were taken.
    upload: Latency,
    /// From the intended time until the picture can be sent.
    ready: Latency,
    /// Time of one reading.
    read: Latency,
    lag: Latency,
    all: u64,
    readable: u64,
    reads: u64,
    wrong: u64,
    refused: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
}

/// Why a picture cannot be sent or read.
#[derive(Debug)]
enum Trouble {
    Refused(String),
    Failed(String),
    Wrong,
}

/// One picture: its times, and the trouble at its end.
#[derive(Debug, Default)]
struct Shown {
    upload: Option<Duration>,
    ready: Option<Duration>,
    reads: Vec<Duration>,
    trouble: Option<Trouble>,
}

pub(super) async fn run(site: Site, load: AlbumLoad, course: &mut Course) -> Result<Measured, LoadtestError> {
    if site.media.is_empty() {
        return Err(LoadtestError::cannot("entry names no media; start the server with media.listen"));
    }
    let (site, mut album, mut pictures) = (Rc::new(site), Album::default(), JoinSet::new());
    let (count, start) = ((load.per_s * load.secs).round() as u32, Moment::now().after(0.1));
    for number in 0..count {
        let intended = start.after(f64::from(number) / load.per_s);
        tokio::time::sleep_until(intended.instant()).await;
        album.lag.record(Moment::now().since(intended));
        if course.interrupted.get() {
            break;
        }
        let site = Rc::clone(&site);
        pictures.spawn_local(async move { show(&site, load, number, intended).await });
        course.progress.show("pictures", number.into(), count.into());
        while let Some(Ok(shown)) = pictures.try_join_next() {
            album.take(shown);
        }
    }
    while let Some(shown) = pictures.join_next().await {
        album.take(shown.map_err(|error| LoadtestError::cannot_run("a task of a picture", error))?);
    }
    let secs = Moment::now().since(start).as_secs_f64().max(load.secs);
    Ok(album.measured(secs))
}

/// Uploads a picture, waits for its check, and reads it.
async fn show(site: &Site, load: AlbumLoad, number: u32, intended: Moment) -> Shown {
    let mut shown = Shown::default();
    if let Err(trouble) = try_show(site, load, number, intended, &mut shown).await {
        shown.trouble = Some(trouble);
    }
    shown
}

async fn try_show(
    site: &Site,
    load: AlbumLoad,
    number: u32,
    intended: Moment,
    shown: &mut Shown,
) -> Result<(), Trouble> {
    let user = number % load.users;
    let token = site.token(user, Role::Viewer).map_err(|error| Trouble::Failed(error.to_string()))?;
    let pool = &site.media[user as usize % site.media.len()];
    let seed = barrage_clock::since_unix_epoch().as_nanos() as u64 ^ u64::from(number) << 32;
    let picture = picture::png(load.side_px, seed);
    let digest: String = Sha256::digest(&picture).iter().map(|byte| format!("{byte:02x}")).collect();
    let upload = upload(pool, &token, picture).await?;
    shown.upload = Some(Moment::now().since(intended));
    let view = checked(pool, &token, &upload).await?;
    shown.ready = Some(Moment::now().since(intended));
    if view["media"]["digest"] != digest.as_str() {
        return Err(Trouble::Wrong);
    }
    let forms = view["media"]["variants"].as_array();
    let form = forms.and_then(|forms| forms.iter().find(|form| form["name"] == FORM).or(forms.last()));
    let form = form.ok_or(Trouble::Wrong)?;
    let (url, length) = (form["url"].as_str().unwrap_or_default(), form["length"].as_u64());
    let path = url.find("/v1/").and_then(|at| url.get(at..)).unwrap_or(url);
    for _ in 0..load.reads {
        let began = Moment::now();
        let bytes = ask(pool, &Call::get(path), StatusCode::OK).await?;
        if Some(bytes.len() as u64) != length {
            return Err(Trouble::Wrong);
        }
        shown.reads.push(Moment::now().since(began));
    }
    Ok(())
}

/// Sends a picture, and returns the path of its upload.
async fn upload(pool: &Pool, token: &str, picture: Vec<u8>) -> Result<String, Trouble> {
    let version = ("tus-resumable", "1.0.0".to_owned());
    let fields = [
        version,
        ("upload-length", picture.len().to_string()),
        ("content-type", "application/offset+octet-stream".to_owned()),
    ];
    let body = Bytes::from(picture);
    let call = Call { method: Method::POST, path: "/v1/uploads", token: Some(token), body, fields: &fields };
    let (status, answer, location) =
        pool.call_for_location(&call).await.map_err(|error| Trouble::Failed(error.to_string()))?;
    if status != StatusCode::CREATED {
        return Err(Trouble::Refused(refusal(status, &answer)));
    }
    location.ok_or_else(|| Trouble::Failed("an upload without a place".into()))
}

/// Waits for the check of an upload, and returns its view.
async fn checked(pool: &Pool, token: &str, upload: &str) -> Result<Value, Trouble> {
    let path = upload.find("/v1/").and_then(|at| upload.get(at..)).unwrap_or(upload);
    let fields = [("tus-resumable", "1.0.0".to_owned())];
    let began = Moment::now();
    while Moment::now().since(began) < CHECK_MAX {
        let call = Call { token: Some(token), fields: &fields, ..Call::get(path) };
        let answer = ask(pool, &call, StatusCode::OK).await?;
        let view: Value =
            serde_json::from_slice(&answer).map_err(|_| Trouble::Failed("nonsense".to_owned()))?;
        match view["state"].as_str() {
            Some("ready") => return Ok(view),
            Some("refused") => {
                let code = view["refusal"]["code"].as_str().unwrap_or("refused");
                return Err(Trouble::Refused(code.to_owned()));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    Err(Trouble::Failed("not checked in time".into()))
}

async fn ask(pool: &Pool, call: &Call<'_>, expected: StatusCode) -> Result<Bytes, Trouble> {
    match pool.call(call).await {
        Ok((status, body)) if status == expected => Ok(body),
        Ok((status, body)) => Err(Trouble::Refused(refusal(status, &body))),
        Err(error) => Err(Trouble::Failed(error.to_string())),
    }
}

impl Album {
    fn take(&mut self, shown: Shown) {
        self.all += 1;
        shown.upload.into_iter().for_each(|took| self.upload.record(took));
        if let Some(took) = shown.ready {
            self.ready.record(took);
            self.readable += 1;
        }
        self.reads += shown.reads.len() as u64;
        shown.reads.into_iter().for_each(|took| self.read.record(took));
        match shown.trouble {
            Some(Trouble::Refused(code)) => *self.refused.entry(code).or_default() += 1,
            Some(Trouble::Failed(reason)) => *self.failed.entry(reason).or_default() += 1,
            Some(Trouble::Wrong) => self.wrong += 1,
            None => {}
        }
    }

    fn measured(self, secs: f64) -> Measured {
        let mut figures = Figures::new();
        self.upload.figures("upload", &mut figures);
        self.ready.figures("ready", &mut figures);
        self.read.figures("read", &mut figures);
        let share =
            |map: &BTreeMap<String, u64>| map.values().sum::<u64>() as f64 / (self.all as f64).max(1.0);
        let others = [
            ("pictures_per_s", self.readable as f64 / secs),
            ("pictures.refused", share(&self.refused)),
            ("pictures.failed", share(&self.failed)),
            ("pictures.wrong", self.wrong as f64),
        ];
        figures.extend(others.map(|(name, value)| (name.to_owned(), value)));
        figures.extend(self.lag.quantile_ms(0.99).map(|lag| ("tester.lag.p99".to_owned(), lag)));
        let counts = [("pictures", self.all), ("ready", self.readable), ("reads", self.reads)];
        let reasons = [("refused pictures", self.refused), ("failed pictures", self.failed)];
        Measured::new(figures, &counts, reasons)
    }
}
