//! Sends this thread's share of the posts, each at its due time, independent of the answers to
//! earlier ones.

use std::cell::Cell;
use std::iter::Peekable;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::code::ErrorBody;
use barrage_protocol::post::{Post, PostAnswer};
use bytes::Bytes;
use hyper::Method;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::context::Context;
use super::marker::Marker;
use super::texts::{Texts, dumped, recorded};
use crate::clock::Moment;
use crate::load::arrivals::{Arrivals, Kind};
use crate::measure::interval::tally;
use crate::net::http::{Call, Encoded, Pool};
use crate::recording::tape::Tape;

/// Posts of one thread that wait for an answer or a connection. A further post is not sent, and
/// counts as failed.
const WAITING_MAX: usize = 4_096;
/// Longest time from a post's due time to its request. A later one counts as late: the planned rate was not kept.
const LATE: Duration = Duration::from_millis(100);
/// Time that a message needs from the uplink's answer to the viewers: a batching window, and more
/// on a busy machine.
const LAST_SECS: f64 = 0.5;

struct Due {
    secs: f64,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Drawn(Kind),
    /// An item of the recording, by its index.
    Recorded(usize),
}

struct Poster {
    context: Rc<Context>,
    uplink: Rc<Pool>,
    texts: Texts,
    tape: Arc<Tape>,
    marker: Marker,
    random: SmallRng,
}

/// Sends until the last phase ends, then waits for the answers.
pub(crate) async fn run(context: Rc<Context>, tape: Arc<Tape>) -> Result<(), String> {
    let scenario = &context.plan.scenario;
    if !scenario.posts() || context.plan.tokens.is_empty() {
        return Ok(());
    }
    let uplink = context.uplink().await?;
    let shard = context.share.shard;
    let seed = context.plan.seed ^ (u64::from(shard) + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let dues: Box<dyn Iterator<Item = Due>> = if scenario.replay.is_some() {
        Box::new(replay(&context, &tape))
    } else {
        Box::new(drawn(&context, seed))
    };
    let mut poster = Poster {
        uplink,
        texts: Texts::new(&tape, scenario.text_chars),
        tape: Arc::clone(&tape),
        marker: Marker::new(context.plan.seed ^ context.plan.start.0, shard),
        random: SmallRng::seed_from_u64(seed),
        context: Rc::clone(&context),
    };
    let mut waiting = JoinSet::new();
    for due in dues {
        let intended = context.plan.start.after(due.secs);
        context.until(intended).await;
        while waiting.try_join_next().is_some() {}
        poster.post(&due, intended, &mut waiting);
    }
    while waiting.join_next().await.is_some() {}
    Ok(())
}

/// Posts of the three kinds, in order of time.
fn drawn(context: &Context, seed: u64) -> impl Iterator<Item = Due> + use<> {
    let scenario = &context.plan.scenario;
    let shards = f64::from(context.share.shards);
    let mut kinds: Vec<(Kind, Peekable<Arrivals>)> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let random = SmallRng::seed_from_u64(seed.rotate_left(kind as u32 + 1));
            let rate = scenario.rate(kind) / shards;
            (kind, Arrivals::new(context.population.clone(), &scenario.phases, kind, rate, random).peekable())
        })
        .collect();
    std::iter::from_fn(move || {
        let next = kinds.iter_mut().filter_map(|(kind, arrivals)| Some((*arrivals.peek()?, *kind, arrivals)));
        let (secs, kind, arrivals) = next.min_by(|a, b| a.0.total_cmp(&b.0))?;
        arrivals.next();
        Some(Due { secs, source: Source::Drawn(kind) })
    })
}

/// This thread's share of the recording, at its own pace.
fn replay(context: &Context, tape: &Tape) -> impl Iterator<Item = Due> + use<> {
    let replay = context.plan.scenario.replay.clone().unwrap_or_default();
    let end = context.population.secs();
    let (shard, shards) = (context.share.shard as usize, context.share.shards as usize);
    tape.offsets_ms().into_iter().enumerate().skip(shard).step_by(shards).filter_map(
        move |(at, offset_ms)| {
            let secs = (offset_ms as f64 / 1_000.0 - replay.from_secs) / replay.speed;
            let due = Due { secs: replay.at_secs + secs, source: Source::Recorded(at) };
            (secs >= 0.0 && due.secs < end).then_some(due)
        },
    )
}

impl Poster {
    fn post(&mut self, due: &Due, intended: Moment, waiting: &mut JoinSet<()>) {
        let Ok(id) = self.marker.next(intended).parse() else { return };
        let tokens = self.context.plan.tokens.len();
        let anybody = self.random.random_range(0..tokens);
        let (room, sender, (kind, post)) = match (due.source, &*self.tape) {
            (Source::Recorded(at), Tape::Danmaku(recording)) => {
                (0, anybody, recorded(&recording.items[at], id))
            }
            (Source::Recorded(at), Tape::Dump(dump)) => {
                let known = dump.posts[at];
                (0, known.user as usize % tokens, (known.kind, dumped(&known, id, &mut self.random)))
            }
            (Source::Drawn(kind), _) => {
                (self.room(due.secs), anybody, (kind, self.texts.draw(kind, id, &mut self.random)))
            }
        };
        self.context.interval.borrow_mut().posts.due(kind);
        if waiting.len() >= WAITING_MAX {
            let posts = &mut self.context.interval.borrow_mut().posts;
            tally(&mut posts.failed, "queue full", 1);
            posts.late += 1;
            return;
        }
        let (context, uplink) = (Rc::clone(&self.context), Rc::clone(&self.uplink));
        waiting.spawn_local(async move { send(&context, &uplink, room, sender, &post, intended).await });
    }

    /// The room of one of the viewers that should be present.
    fn room(&mut self, secs: f64) -> usize {
        let present = self.context.population.at(secs).map_or(1.0, |(viewers, _)| viewers);
        self.context.popularity.room_of(self.random.random_range(0..(present as u32).max(1)))
    }
}

async fn send(context: &Context, uplink: &Pool, room: usize, sender: usize, post: &Post, intended: Moment) {
    let path = format!("/v1/rooms/{}/messages", context.popularity.rooms()[room]);
    let body = Bytes::from(serde_json::to_vec(post).expect("posts are plain data"));
    let token = Some(context.plan.tokens[sender].as_str());
    let is_in_time = Cell::new(false);
    let begins = || is_in_time.set(Moment::now().since(intended) <= LATE);
    let call = Call { method: Method::POST, path: &path, token, body, fields: &[] };
    let answer = uplink.call_then(&call, Encoded::No, begins).await;
    let latency = Moment::now().since(intended);
    let mut interval = context.interval.borrow_mut();
    interval.posts.late += u64::from(!is_in_time.get());
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(error) => return tally(&mut interval.posts.failed, &error.to_string(), 1),
    };
    interval.post.record(latency);
    if !status.is_success() {
        let code = serde_json::from_slice::<ErrorBody>(&body).map(|refused| refused.error.code.label());
        let code = code.map_or_else(|_| format!("status {}", status.as_u16()), str::to_owned);
        return tally(&mut interval.posts.refused, &code, 1);
    }
    match serde_json::from_slice::<PostAnswer>(&body) {
        Ok(answer) => {
            interval.posts.answered(answer.outcome);
            // A post answered just before the viewers leave is owed to no viewer, unless one of
            // them received it.
            let in_time = Moment::now() < context.plan.start.after(context.end_secs() - LAST_SECS);
            if let Some(sequence) = answer.sequence.filter(|_| in_time) {
                let id = post.id().as_str();
                context.seen.borrow_mut().accepted(room, post.class(), sequence.0, id);
            }
        }
        Err(_) => tally(&mut interval.posts.failed, "nonsense", 1),
    }
}
