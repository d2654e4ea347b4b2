//! Letters at an even pace, sent at their intended times whatever the server does.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;
use std::time::Duration;

use barrage_token::Role;
use bytes::Bytes;
use hyper::Method;
use tokio::task::JoinSet;

use super::board::To;
use super::device::Crowd;
use super::progress::Progress;
use super::site::refusal;
use crate::clock::Moment;
use crate::error::LoadtestError;
use crate::measure::latency::Latency;
use crate::net::http::{Call, Encoded};

/// Outcomes of all letters of a run.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// From the intended time to the answer.
    pub(super) post: Latency,
    /// Delay of the tester's own timers.
    pub(super) lag: Latency,
    pub(super) all: u64,
    /// Letters refused with a code, by code.
    pub(super) refused: BTreeMap<String, u64>,
    /// Letters without an answer, by reason.
    pub(super) failed: BTreeMap<String, u64>,
    /// Duration of the load in seconds.
    pub(super) secs: f64,
}

/// A letter to send: its sender, path and receiving devices.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) from: u32,
    pub(super) path: String,
    pub(super) to: To,
}

/// Sends letters at an even pace for a time, or until `stop`. Returns when each has an outcome.
pub(super) async fn send(
    crowd: &Rc<Crowd>,
    (per_s, secs): (f64, f64),
    mut draft: impl FnMut(u32) -> Draft,
    progress: &mut Progress,
    stop: &dyn Fn() -> bool,
) -> Result<Sent, LoadtestError> {
    let (mut sent, mut tokens) = (Sent::default(), BTreeMap::<u32, String>::new());
    let (mut posts, start) = (JoinSet::new(), Moment::now().after(0.1));
    let count = (per_s * secs).round() as u32;
    for number in 0..count {
        let intended = start.after(f64::from(number) / per_s);
        tokio::time::sleep_until(intended.instant()).await;
        sent.lag.record(Moment::now().since(intended));
        if stop() {
            break;
        }
        let draft = draft(number);
        let token = match tokens.entry(draft.from) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(new) => new.insert(crowd.site.token(draft.from, Role::Viewer)?).clone(),
        };
        let crowd = Rc::clone(crowd);
        posts.spawn_local(async move { post(&crowd, draft, number, intended, &token).await });
        progress.show("letters", number.into(), count.into());
        while let Some(Ok(outcome)) = posts.try_join_next() {
            sent.take(outcome);
        }
    }
    while let Some(outcome) = posts.join_next().await {
        sent.take(outcome.map_err(|error| LoadtestError::cannot_run("a task of a letter", error))?);
    }
    sent.secs = Moment::now().since(start).as_secs_f64().max(f64::from(count) / per_s);
    Ok(sent)
}

/// What became of one letter.
enum Outcome {
    Accepted(Duration),
    Refused(String),
    Failed(String),
}

async fn post(crowd: &Crowd, draft: Draft, number: u32, intended: Moment, token: &str) -> Outcome {
    let word = crowd.board.borrow_mut().send(intended, draft.to);
    let body = format!(r#"{{"type":"text","id":"m{number}","text":"前方高能预警 {word}"}}"#);
    let call = Call {
        method: Method::POST,
        path: &draft.path,
        token: Some(token),
        body: Bytes::from(body),
        fields: &[],
    };
    match crowd.site.ask(draft.from, &call, Encoded::No).await {
        Ok((status, _)) if status.is_success() => {
            crowd.board.borrow_mut().accept(&word);
            Outcome::Accepted(Moment::now().since(intended))
        }
        Ok((status, body)) => Outcome::Refused(refusal(status, &body)),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

impl Sent {
    fn take(&mut self, outcome: Outcome) {
        self.all += 1;
        match outcome {
            Outcome::Accepted(took) => self.post.record(took),
            Outcome::Refused(code) => *self.refused.entry(code).or_default() += 1,
            Outcome::Failed(reason) => *self.failed.entry(reason).or_default() += 1,
        }
    }
}
