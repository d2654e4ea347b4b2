//! A viewer's chain: a bus with its ranges, a gateway that makes batches, a network that loses, repeats and
//! reorders them, and the client's chain.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use barrage_bus::{BusConfig, Draft, Event, Log, Range, RangeLimits, Subscription, Topic};
use barrage_client::{HoldLimits, RoomChain, Step};
use barrage_protocol::batch::LeftOut;
use barrage_protocol::frame::{Batch, BatchMessage, RepairAnswer};
use barrage_protocol::{Class, Message, RoomId, Sequence};

use super::kind::{Broken, Kind, Scenario};
use crate::must;
use crate::mutation::Mutation;
use crate::rng::Rng;
use crate::site::{Site, now, poll};
use crate::trace::Trace;

pub(super) const KIND: Kind = Kind {
    name: "chain",
    about: "a viewer sees every gift once and in order, and every chat that it does not see is counted",
    events: 120,
    mutations: &[Mutation::ChainWithoutOrder, Mutation::RepairLosesFirst],
    start: |_, mutation| Box::new(World::new(mutation)),
};

/// Chat that the bus keeps for repairs, so that some repairs are partial.
const CHAT_KEPT: usize = 12;
/// Frames on the way to the client at most.
const FRAMES_MAX: usize = 64;

struct World {
    site: Site,
    mutation: Option<Mutation>,
    now: Duration,
    /// Messages of the room in the order of the bus, as the bus gave them.
    sent: BTreeMap<Sequence, Class>,
    count: usize,
    gateway: Gateway,
    network: VecDeque<Batch>,
    asks: VecDeque<(Sequence, Sequence)>,
    chain: RoomChain,
    seen: Vec<Sequence>,
    /// Chat that batches reported as left out or skipped.
    reported_chat: u64,
    /// Ranges that the client gave up.
    lost: Vec<Sequence>,
}

/// What the gateway has of the room.
struct Gateway {
    subscription: Subscription,
    /// End of the newest batch.
    position: Sequence,
    waiting: Vec<std::sync::Arc<Message>>,
}

fn room() -> RoomId {
    "room".parse().expect("a room id")
}

fn limits(sizes: usize) -> RangeLimits {
    RangeLimits { chat_max: 3 + sizes, precious_max: 2 + sizes, bytes_max: 400 * (1 + sizes) }
}

fn batch(previous: Sequence, sequence: Sequence, messages: &[std::sync::Arc<Message>]) -> Batch {
    let item = |message: &std::sync::Arc<Message>| BatchMessage {
        sequence: message.sequence,
        class: message.class,
        body: serde_json::from_slice(&message.body).expect("a body is JSON"),
    };
    Batch {
        room: room(),
        previous,
        sequence,
        messages: messages.iter().map(item).collect(),
        left_out: LeftOut::default(),
        pulse: None,
        repair: None,
        state: None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Post,
    Batch,
    Arrive,
    Lose,
    Repeat,
    Swap,
    Answer,
    LoseAsk,
    Time,
    Reconnect,
}

impl World {
    fn new(mutation: Option<Mutation>) -> Self {
        let site = Site::new(BusConfig { chat_per_room_max: CHAT_KEPT, ..BusConfig::default() });
        let subscription = now(site.bus().subscribe(&Topic::Room(room()))).expect("a subscription");
        let position = subscription.start;
        World {
            site,
            mutation,
            now: Duration::ZERO,
            sent: BTreeMap::new(),
            count: 0,
            gateway: Gateway { subscription, position, waiting: Vec::new() },
            network: VecDeque::new(),
            asks: VecDeque::new(),
            chain: RoomChain::with_limits(position, HoldLimits::default()),
            seen: Vec::new(),
            reported_chat: 0,
            lost: Vec::new(),
        }
    }

    fn post(&mut self, rng: &mut Rng) -> Result<(), Broken> {
        let count = rng.between(1, 6) as usize;
        let draft = |number: usize, class| Draft {
            room: room(),
            class,
            sender: None,
            id: None,
            fingerprint: 0,
            to: None,
            trace: None,
            body: format!(r#"{{"number":{number}}}"#).into(),
        };
        let classes: Vec<_> = (0..count)
            .map(|_| rng.weighted(&[(1, Class::Signal), (3, Class::Gift), (6, Class::Chat)]))
            .collect();
        let drafts = classes.iter().enumerate().map(|(at, class)| draft(self.count + at, *class)).collect();
        self.count += count;
        let bus = std::sync::Arc::clone(self.site.bus());
        let mut answer = Box::pin(async move { bus.publish(drafts).await });
        drop(poll(&mut answer));
        self.site.commit();
        let Some(Ok(receipts)) = poll(&mut answer) else { return Err(Broken("a post is refused".into())) };
        self.sent.extend(receipts.iter().map(|receipt| receipt.sequence).zip(classes));
        while let Some(event) = self.gateway.subscription.try_next() {
            if let Event::Message(message) = event {
                self.gateway.waiting.push(message);
            }
        }
        Ok(())
    }

    /// Makes a batch of what waits at the gateway, perhaps without its chat.
    fn make_batch(&mut self, thins: bool) {
        let waiting = std::mem::take(&mut self.gateway.waiting);
        let Some(last) = waiting.last().map(|message| message.sequence) else { return };
        let kept: Vec<_> = waiting.iter().filter(|it| !thins || it.class.is_precious()).cloned().collect();
        let mut made = batch(self.gateway.position, last, &kept);
        made.left_out.chat = (waiting.len() - kept.len()) as u64;
        self.gateway.position = last;
        if self.network.len() < FRAMES_MAX {
            self.network.push_back(made);
        }
    }

    fn read(&self, after: Sequence, before: Sequence, sizes: usize) -> Result<Range, Broken> {
        now(self.site.bus().range(&Topic::Room(room()), after, Some(before), limits(sizes)))
            .map_err(|error| Broken(error.to_string()))
    }

    /// Puts the answer to a repair or a part of a resume on the way. Returns where it ends.
    fn repair(&mut self, after: Sequence, before: Sequence, sizes: usize) -> Result<Sequence, Broken> {
        let range = self.read(after, before, sizes)?;
        let mut made = batch(after, range.covered_to, &range.messages);
        made.left_out.chat = range.skipped;
        made.repair = Some(RepairAnswer { outcome: range.outcome, skipped: range.skipped });
        if self.mutation == Some(Mutation::RepairLosesFirst) && !made.messages.is_empty() {
            made.messages.remove(0);
        }
        if self.network.len() < FRAMES_MAX {
            self.network.push_back(made);
        }
        Ok(range.covered_to)
    }

    fn arrive(&mut self, batch: Batch, trace: &mut Trace) -> Result<(), Broken> {
        trace.note(format_args!(
            "{} ({}, {}] arrives with {}",
            if batch.repair.is_some() { "repair" } else { "batch" },
            batch.previous,
            batch.sequence,
            batch.messages.len()
        ));
        let steps = match self.mutation {
            Some(Mutation::ChainWithoutOrder) => vec![Step::Deliver(batch)],
            _ => self.chain.take(batch, self.now),
        };
        self.steps(steps, trace)
    }

    fn steps(&mut self, steps: Vec<Step>, trace: &mut Trace) -> Result<(), Broken> {
        for step in steps {
            match step {
                Step::Deliver(batch) => self.deliver(&batch)?,
                Step::Ask { after, before } => {
                    trace.note(format_args!("the client asks for ({after}, {before})"));
                    self.asks.push_back((after, before));
                }
                Step::Lost { up_to } => {
                    trace.note(format_args!("the client gives up what is before {up_to}"));
                    self.lost.push(up_to);
                }
            }
        }
        Ok(())
    }

    fn deliver(&mut self, batch: &Batch) -> Result<(), Broken> {
        self.reported_chat += batch.left_out.chat;
        for message in &batch.messages {
            let last = self.seen.last().copied().unwrap_or_default();
            must!(message.sequence > last, "the viewer sees {} after {last}", message.sequence);
            must!(
                self.sent.get(&message.sequence) == Some(&message.class),
                "the viewer sees {}, which nobody sent",
                message.sequence
            );
            self.seen.push(message.sequence);
        }
        Ok(())
    }

    /// Connects again: what was on the way is lost, and the gateway answers the resume.
    fn reconnect(&mut self, resumes: bool, sizes: usize, trace: &mut Trace) -> Result<(), Broken> {
        self.network.clear();
        self.asks.clear();
        let newest = self.gateway.position;
        trace.note(format_args!("the client resumes after {} at {newest}", self.chain.position()));
        self.chain.resumed(newest, self.now);
        let (mut after, end) = (self.chain.position(), Sequence(newest.0 + 1));
        while resumes && after < newest {
            let covered_to = self.repair(after, end, sizes)?;
            if covered_to <= after {
                break;
            }
            after = covered_to;
        }
        Ok(())
    }

    fn answer_all(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        loop {
            if let Some(batch) = self.network.pop_front() {
                self.arrive(batch, trace)?;
            } else if let Some((after, before)) = self.asks.pop_front() {
                self.repair(after, before, 4)?;
            } else {
                return Ok(());
            }
        }
    }
}

impl Scenario for World {
    fn event(&mut self, rng: &mut Rng, trace: &mut Trace) -> Result<(), Broken> {
        let happens = rng.weighted(&[
            (14, Happens::Post),
            (14, Happens::Batch),
            (25, Happens::Arrive),
            (6, Happens::Lose),
            (4, Happens::Repeat),
            (8, Happens::Swap),
            (10, Happens::Answer),
            (3, Happens::LoseAsk),
            (8, Happens::Time),
            (2, Happens::Reconnect),
        ]);
        let frame = rng.below(self.network.len());
        match happens {
            Happens::Post => self.post(rng)?,
            Happens::Batch => self.make_batch(rng.percent(20)),
            Happens::Arrive => {
                if let Some(batch) = self.network.pop_front() {
                    self.arrive(batch, trace)?;
                }
            }
            Happens::Lose => drop(self.network.remove(frame)),
            Happens::Repeat => self.network.extend(self.network.get(frame).cloned()),
            Happens::Swap if self.network.len() > 1 => {
                let with = rng.below(self.network.len());
                self.network.swap(frame, with);
            }
            Happens::Answer => {
                if let Some((after, before)) = self.asks.pop_front() {
                    self.repair(after, before, rng.below(4))?;
                }
            }
            Happens::LoseAsk => drop(self.asks.pop_front()),
            Happens::Time => {
                self.now += Duration::from_millis(rng.between(1, 2_500));
                let steps = self.chain.tick(self.now);
                self.steps(steps, trace)?;
            }
            Happens::Reconnect => self.reconnect(rng.percent(70), rng.below(4), trace)?,
            Happens::Swap => {}
        }
        Ok(())
    }

    fn settle(&mut self, trace: &mut Trace) -> Result<(), Broken> {
        let mut rng = Rng::new(7);
        // The newest batch arrives, or nothing shows the last gap.
        self.post(&mut rng)?;
        self.make_batch(false);
        for _ in 0..40 {
            self.answer_all(trace)?;
            self.now += Duration::from_secs(2);
            let steps = self.chain.tick(self.now);
            self.steps(steps, trace)?;
        }
        let last = self.sent.keys().next_back().copied().unwrap_or_default();
        // Without the chain, only what the viewer sees is checked.
        let has_chain = self.mutation != Some(Mutation::ChainWithoutOrder);
        must!(
            !has_chain || self.chain.position() == last,
            "the viewer stops at {} before {last}",
            self.chain.position()
        );
        must!(!self.chain.is_waiting(), "the viewer waits for ever");
        if !self.lost.is_empty() {
            return Ok(());
        }
        let seen: std::collections::BTreeSet<_> = self.seen.iter().collect();
        let missing: Vec<_> = self.sent.iter().filter(|(sequence, _)| !seen.contains(sequence)).collect();
        let gift = missing.iter().find(|(_, class)| class.is_precious());
        must!(gift.is_none(), "the viewer never sees {gift:?}");
        must!(
            missing.len() as u64 <= self.reported_chat,
            "{} chats are missing, {} were reported",
            missing.len(),
            self.reported_chat
        );
        Ok(())
    }
}
