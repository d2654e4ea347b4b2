//! Posts, their ids, and the log on a disk: `dedup` has kills and clocks that step, `power` has power cuts and
//! wrong bits.

mod check;
mod events;

use std::collections::BTreeMap;
use std::pin::Pin;

use barrage_bus::{BusConfig, BusError, Draft, Event, Log, Receipt, Subscription, Topic};
use barrage_protocol::{Class, RoomId, Sequence};

use super::kind::{Broken, Kind};
use crate::disk::{Honesty, Image};
use crate::must;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::site::{End, Site, now, poll};
use crate::trace::Trace;

/// Kills, retries, packages, ids of others, and clocks that step.
pub(super) const DEDUP: Kind = Kind {
    name: "dedup",
    about: "an id of a sender is one message, however often it is posted and whoever dies",
    events: 60,
    mutations: &[Mutation::IdChangesOnRetry, Mutation::OneIdRemembered],
    start: |_, mutation| Box::new(World::new(Weather::Kills, mutation)),
};

/// Power cuts with lost, torn and wrong bytes.
pub(super) const POWER: Kind = Kind {
    name: "power",
    about: "no answered gift is lost, no position is given twice, and no subscriber sees what a restart loses",
    events: 60,
    mutations: &[Mutation::DiskForgetsSync, Mutation::DiskForgetsMark],
    start: |_, mutation| Box::new(World::new(Weather::PowerCuts, mutation)),
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Kills,
    PowerCuts,
}

const ROOMS: [&str; 2] = ["one", "two"];
const SENDERS: [&str; 2] = ["ann", "bob"];

/// What a sender wants to say once.
#[derive(Debug, Clone)]
struct Post {
    room: usize,
    sender: usize,
    class: Class,
    /// Id under which it is posted.
    id: String,
    /// Answers that its sender saw.
    answered: Option<Sequence>,
    times: usize,
}

type Answer = Pin<Box<dyn Future<Output = Result<Vec<Receipt>, BusError>>>>;

/// A call that is not answered yet, and the posts in it.
struct Call {
    posts: Vec<usize>,
    answer: Answer,
}

/// A committed message, as the sequencer's answer had it.
#[derive(Debug, Clone, Copy)]
struct Given {
    post: usize,
    /// An answer said that it is new; answers that call it a duplicate may be heard before.
    is_new: bool,
    /// The disk has it for certain.
    synced: bool,
    /// A power cut or a wrong bit may have taken it.
    may_be_lost: bool,
}

struct World {
    site: Site,
    weather: Weather,
    mutation: Option<Mutation>,
    posts: Vec<Post>,
    calls: Vec<Call>,
    given: BTreeMap<Sequence, Given>,
    archived: Sequence,
    subscriptions: Vec<(usize, Subscription, Sequence)>,
    /// Gifts that a subscriber has seen.
    seen: Vec<Sequence>,
    /// Bits have changed: the log may refuse to open.
    has_rot: bool,
    /// Power was cut, or bits have changed: the log may have lost chat of which nobody heard.
    has_loss: bool,
    is_dead: bool,
}

fn room(index: usize) -> RoomId {
    ROOMS[index].parse().expect("a room id")
}

impl World {
    fn new(weather: Weather, mutation: Option<Mutation>) -> Self {
        let mut config = BusConfig::default();
        if mutation == Some(Mutation::OneIdRemembered) {
            config.dedup_per_room_max = 1;
        }
        let mut world = World {
            site: Site::new(config),
            weather,
            mutation,
            posts: Vec::new(),
            calls: Vec::new(),
            given: BTreeMap::new(),
            archived: Sequence::ZERO,
            subscriptions: Vec::new(),
            seen: Vec::new(),
            has_rot: false,
            has_loss: false,
            is_dead: false,
        };
        world.subscribe();
        world
    }

    fn subscribe(&mut self) {
        let subscribe = |index| {
            let topic = Topic::Room(room(index));
            let subscription = now(self.site.bus().subscribe(&topic)).expect("a subscription");
            let start = subscription.start;
            (index, subscription, start)
        };
        self.subscriptions = (0..ROOMS.len()).map(subscribe).collect();
    }

    fn draft(&self, index: usize, fingerprint: u64) -> Draft {
        let post = &self.posts[index];
        Draft {
            room: room(post.room),
            class: post.class,
            sender: Some(SENDERS[post.sender].parse().expect("a user id")),
            id: Some(post.id.parse().expect("a message id")),
            fingerprint,
            to: None,
            trace: None,
            body: format!(r#"{{"type":"gift","post":{index}}}"#).into(),
        }
    }

    fn add_post(&mut self, room: usize, rng: &mut Rng) -> usize {
        let class = rng.weighted(&[(5, Class::Gift), (1, Class::Signal), (4, Class::Chat)]);
        let sender = rng.below(SENDERS.len());
        // Both senders count their posts from one, so that their ids are the same.
        let number = self.posts.iter().filter(|post| post.sender == sender).count();
        self.posts.push(Post { room, sender, class, id: format!("id-{number}"), answered: None, times: 0 });
        self.posts.len() - 1
    }

    fn call(&mut self, posts: Vec<usize>, fingerprint: impl Fn(usize) -> u64) {
        let mut drafts = Vec::new();
        for index in &posts {
            let post = &mut self.posts[*index];
            post.times += 1;
            if self.mutation == Some(Mutation::IdChangesOnRetry) && post.times > 1 {
                post.id = format!("again-{index}-{}", post.times);
            }
            drafts.push(self.draft(*index, fingerprint(*index)));
        }
        let bus = std::sync::Arc::clone(self.site.bus());
        let mut answer: Answer = Box::pin(async move { bus.publish(drafts).await });
        // The first poll puts the command into the queue.
        match poll(&mut answer) {
            Some(_) => {}
            None => self.calls.push(Call { posts, answer }),
        }
    }

    fn commit(&mut self, rng: &mut Rng, lost_percent: usize, trace: &mut Trace) -> Result<(), Broken> {
        let committed = self.site.commit();
        for mut call in std::mem::take(&mut self.calls) {
            let Some(answer) = poll(&mut call.answer) else {
                self.calls.push(call);
                continue;
            };
            let is_lost = rng.percent(lost_percent);
            match answer {
                Ok(receipts) => {
                    for (post, receipt) in call.posts.into_iter().zip(receipts) {
                        trace.note(format_args!(
                            "post {post} at {}{}{}",
                            receipt.sequence,
                            if receipt.duplicate { ", a duplicate" } else { "" },
                            if is_lost { ", the answer is lost" } else { "" }
                        ));
                        self.receipt(post, receipt, !is_lost)?;
                    }
                }
                Err(error) => trace.note(format_args!("refused: {error}")),
            }
        }
        if committed.synced {
            self.given.values_mut().for_each(|given| given.synced = true);
        }
        self.watch()
    }

    /// Takes what the sequencer says about a post, whether or not its sender hears it.
    fn receipt(&mut self, post: usize, receipt: Receipt, is_heard: bool) -> Result<(), Broken> {
        match self.given.get_mut(&receipt.sequence) {
            Some(known) if known.post == post => {
                let is_first = !known.is_new;
                known.is_new |= !receipt.duplicate;
                must!(
                    receipt.duplicate || is_first,
                    "position {} is given twice to post {post}",
                    receipt.sequence
                );
            }
            Some(known) => {
                must!(
                    false,
                    "position {} is given to post {} and to post {post}",
                    receipt.sequence,
                    known.post
                );
            }
            None => {
                // Of a duplicate, the call of the first one was given up before its answer came.
                let synced = self.posts[post].class.is_precious();
                self.given.insert(
                    receipt.sequence,
                    Given { post, is_new: !receipt.duplicate, synced, may_be_lost: false },
                );
            }
        }
        if is_heard && let Some(before) = self.posts[post].answered.replace(receipt.sequence) {
            let is_lost = self.given.get(&before).is_some_and(|given| given.may_be_lost);
            must!(
                before == receipt.sequence || is_lost,
                "post {post} is at {before} and at {}",
                receipt.sequence
            );
        }
        Ok(())
    }

    /// Reads what subscribers got: a chain without a gap.
    fn watch(&mut self) -> Result<(), Broken> {
        for (index, subscription, last) in &mut self.subscriptions {
            while let Some(event) = subscription.try_next() {
                let Event::Message(message) = event else { continue };
                must!(
                    message.previous == *last,
                    "a subscriber of {} got {} after {last}, which follows {}",
                    ROOMS[*index],
                    message.sequence,
                    message.previous
                );
                *last = message.sequence;
                if message.class.is_precious() {
                    self.seen.push(message.sequence);
                }
            }
        }
        Ok(())
    }

    fn restart(&mut self, end: End, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        trace.note(format_args!("the process ends: {end:?}"));
        self.calls.clear();
        self.subscriptions.clear();
        match end {
            End::Stop | End::Kill => {}
            End::PowerCut(_) => {
                self.has_loss = true;
                // That defect is about positions alone.
                let all = self.mutation == Some(Mutation::DiskForgetsMark);
                self.given.values_mut().for_each(|given| given.may_be_lost |= all || !given.synced);
                self.seen.retain(|_| !all);
            }
            End::Rot => {
                (self.has_rot, self.has_loss) = (true, true);
                self.seen.clear();
                self.given.values_mut().for_each(|given| given.may_be_lost = true);
            }
        }
        if end == End::Stop {
            self.given.values_mut().for_each(|given| given.synced = true);
        }
        let forgets = self.mutation == Some(Mutation::DiskForgetsMark);
        let archived = if forgets { Sequence::ZERO } else { self.archived };
        let defect = |image: Image| if forgets { image.without_mark() } else { image };
        match self.site.restart(end, rng, archived, defect) {
            Ok(()) => {
                self.subscribe();
                Ok(())
            }
            Err(error) => {
                must!(self.has_rot, "the log cannot be opened after {end:?}: {error}");
                trace.note(format_args!("the log refuses to open"));
                self.is_dead = true;
                Ok(())
            }
        }
    }

    fn end(&self, rng: &mut Rng) -> End {
        let forgets = matches!(self.mutation, Some(Mutation::DiskForgetsSync | Mutation::DiskForgetsMark));
        let honesty = if forgets { Honesty::Forgets } else { Honesty::Honest };
        match self.weather {
            Weather::Kills => rng.weighted(&[(3, End::Kill), (1, End::Stop)]),
            Weather::PowerCuts => {
                let rot = usize::from(self.mutation.is_none());
                rng.weighted(&[(4, End::PowerCut(honesty)), (2, End::Kill), (1, End::Stop), (rot, End::Rot)])
            }
        }
    }
}
