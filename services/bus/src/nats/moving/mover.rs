//! Moves rooms from one partition to another one.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use barrage_clock::unix_ms;
use barrage_protocol::{RoomId, Sequence};
use parking_lot::Mutex;
use rand::seq::SliceRandom;
use tokio::time::Instant;

use super::step::{self, Close, Finish};
use crate::error::BusError;
use crate::log::{Spread, Topic};
use crate::metrics::BusMetrics;
use crate::nats::config::NatsConfig;
use crate::nats::connection::link::{Ack, Nack, acked, unavailable};
use crate::nats::key_value::settings::SettingsKeeper;
use crate::nats::stream::batch::Batch;
use crate::nats::stream::gate::{self, Gate, LANES, Order};
use crate::nats::stream::partition::PARTITIONS_MAX;
use crate::nats::stream::ring::Ring;
use crate::nats::stream::streams::Streams;
use crate::settings::Settings;
use crate::settings::change::Change;
use crate::settings::room_place::Closing;

/// Time beyond the deadline of a publish after which every publish has the condition of a gate.
const CONDITION_MARGIN: Duration = Duration::from_secs(2);
/// Interval between two looks at all rooms: new ones begin where they would be without a plan.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rest after each room. One process moves at most so many rooms a second that posts of others do not suffer.
const REST: Duration = Duration::from_millis(2);
/// Rest after a move that failed.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(250);
/// Rooms that are moved between two looks.
const ROOMS_PER_LOOK_MAX: usize = 512;

/// Moves rooms. Every process has one; publishers use it for rooms whose move was left half-way.
pub(crate) struct Mover {
    client: Client,
    streams: Streams,
    settings: Arc<SettingsKeeper>,
    config: NatsConfig,
    metrics: BusMetrics,
    /// The ring of the number of partitions that was wanted last.
    ring: Mutex<Option<(u16, Arc<Ring>)>>,
}

impl Mover {
    pub(crate) fn new(
        client: Client,
        streams: Streams,
        settings: Arc<SettingsKeeper>,
        config: NatsConfig,
        metrics: BusMetrics,
    ) -> Self {
        Mover { client, streams, settings, config, metrics, ring: Mutex::default() }
    }

    /// Moves rooms for as long as there are some, until it is dropped.
    pub(crate) async fn run(&self) {
        self.wait_until_ready().await;
        let places = &self.streams.places;
        loop {
            let looked = Instant::now();
            let mut left = self.left(&places.settings());
            self.metrics.rooms_to_move.set(i64::try_from(left.len()).unwrap_or(i64::MAX));
            // Several processes move at the same time: each in another order.
            left.shuffle(&mut rand::rng());
            let mut is_moving = false;
            for (room, to) in left.into_iter().take(ROOMS_PER_LOOK_MAX) {
                is_moving |= self.move_one(room, to).await;
            }
            if !is_moving {
                tokio::time::sleep_until(looked + LOOK_EVERY).await;
            }
        }
    }

    /// Waits for a plan, and until every publish has the condition of a gate: one that began before the
    /// plan was known has none, and ends by its deadline.
    async fn wait_until_ready(&self) {
        let mut places = self.streams.places.clone();
        while !places.plan().is_set() {
            places.changed().await;
        }
        while !places.plan().ready {
            tokio::time::sleep(self.config.publish_deadline() + CONDITION_MARGIN).await;
            if let Err(error) = self.settings.change(Change::PartitionsReady).await {
                tracing::warn!(%error, "rooms cannot move yet; trying again");
            }
        }
    }

    /// Moves a room; returns whether there was something to do.
    async fn move_one(&self, room: RoomId, to: u16) -> bool {
        let topic = Topic::Room(room);
        let place = self.streams.places.place(&topic);
        if !step::may_move(&place, to, unix_ms(), self.streams.places.window_ms) {
            return false;
        }
        match self.close(&topic, to).await {
            Ok(()) => tokio::time::sleep(REST).await,
            Err(error) => {
                tracing::warn!(%error, ?topic, to, "a room cannot move to its partition yet; trying again");
                tokio::time::sleep(REST_AFTER_FAILURE).await;
            }
        }
        true
    }

    /// Closes a room where it is, and notes its next place.
    async fn close(&self, topic: &Topic, to: u16) -> Result<(), BusError> {
        let known = self.streams.places.place(topic);
        let partition = known.current().partition;
        // A stream that does not answer must not get the room.
        self.streams.reader(to).state().await?;
        let before = self.streams.gate(partition, topic).await?;
        let order = match step::close(&known, before, to) {
            Close::Stay => return Ok(()),
            Close::Finish(gate) => return self.finish(topic, gate).await,
            Close::Write(order) => order,
        };
        match self.write(partition, topic, before, order).await {
            Ok(Ack { sequence, .. }) => {
                let gate = Gate { at: Sequence(sequence - LANES), order };
                self.finish(topic, gate).await
            }
            Err(nack) => Err(nack.into()),
        }
    }

    async fn write(&self, partition: u16, topic: &Topic, before: Gate, order: Order) -> Result<Ack, Nack> {
        let order = serde_json::to_vec(&order).expect("an order is plain data");
        let mut messages = gate::messages(&self.streams.names, partition, topic, before);
        let Some((subject, headers)) = messages.pop() else {
            return Err(Nack::Silence("a gate has messages".into()));
        };
        let mut batch = Batch::new();
        for (subject, headers) in messages {
            let sent = self.client.publish_with_headers(subject, batch.next(headers), order.clone().into());
            match tokio::time::timeout(self.config.ack_timeout(), sent).await {
                Ok(sent) => sent.map_err(|error| Nack::Silence(error.to_string()))?,
                Err(_) => return Err(Nack::Silence("the connection does not accept data".into())),
            }
        }
        let timeout = self.config.ack_timeout();
        acked(&self.client, subject, batch.last(headers), order.into(), timeout).await
    }

    /// Notes the next place of a room that was closed, unless another process has done so.
    pub(crate) async fn finish(&self, topic: &Topic, gate: Gate) -> Result<(), BusError> {
        let Topic::Room(room) = topic else { return Ok(()) };
        let place = self.streams.places.place(topic);
        match step::finish(&place, gate) {
            Finish::Known => return Ok(()),
            Finish::Unknown => {
                return Err(BusError::Unavailable("this process does not know where the room is yet".into()));
            }
            Finish::Note => {}
        }
        let (old, to) = (place.current().partition, gate.order.to);
        if to >= PARTITIONS_MAX {
            return Err(BusError::Unavailable(format!("there is no partition {to}")));
        }
        let input = self.streams.names.input(old, topic);
        let (last, reached) =
            tokio::join!(self.streams.reader(old).last(&input), self.streams.reader(to).state());
        let closing =
            Closing { to, gate: gate.at, last: last?.at, reached: Sequence(reached?.last_sequence) };
        let moved = place.moved(closing, unix_ms());
        let changed =
            self.settings.change(Change::Place { room: room.clone(), place: moved.clone() }).await?;
        if changed.place() == Some(&moved) {
            self.metrics.rooms_moved.inc();
        }
        Ok(())
    }

    fn ring(&self, partitions: u16) -> Arc<Ring> {
        let mut known = self.ring.lock();
        if let Some((of, ring)) = &*known
            && *of == partitions
        {
            return Arc::clone(ring);
        }
        let ring = Arc::new(Ring::new(partitions));
        *known = Some((partitions, Arc::clone(&ring)));
        ring
    }

    /// Returns each existing room with its partition now and the wanted one.
    fn rooms<'a>(&'a self, settings: &'a Settings) -> impl Iterator<Item = (&'a RoomId, u16, u16)> {
        let wanted = settings.partitions.partitions;
        let ring = settings.partitions.is_set().then(|| self.ring(wanted));
        settings.rooms.iter().map(move |(room, _)| {
            let first = self.streams.names.first(&Topic::Room(room.clone()));
            let now = settings.places.get(room).map_or(first, |place| place.current().partition);
            let owner = ring.as_ref().map_or(first, |ring| ring.owner(room));
            // Between the partitions of the first start, rooms stay where they have always been.
            (room, now, if owner < self.streams.names.partitions() { first } else { owner })
        })
    }

    fn left(&self, settings: &Settings) -> Vec<(RoomId, u16)> {
        let left = self.rooms(settings).filter(|(_, now, wanted)| now != wanted);
        left.map(|(room, _, wanted)| (room.clone(), wanted)).collect()
    }

    /// Returns how the existing rooms are spread.
    pub(crate) fn spread(&self) -> Spread {
        let settings = self.streams.places.settings();
        let partitions_min = self.streams.names.partitions();
        let wanted = settings.partitions.partitions;
        let mut rooms = vec![0; usize::from(self.streams.partitions())];
        let mut rooms_to_move = 0;
        for (_, now, wanted) in self.rooms(&settings) {
            rooms_to_move += usize::from(now != wanted);
            if let Some(count) = rooms.get_mut(usize::from(now)) {
                *count += 1;
            }
        }
        let partitions = if settings.partitions.is_set() { wanted } else { partitions_min };
        Spread { partitions, partitions_min, partitions_max: PARTITIONS_MAX, rooms, rooms_to_move }
    }

    /// Makes sure that the streams of a number of partitions answer, and stores the number.
    pub(crate) async fn set(&self, partitions: u16) -> Result<(), BusError> {
        let bounds = self.streams.names.partitions()..=PARTITIONS_MAX;
        if !bounds.contains(&partitions) {
            let (min, max) = bounds.into_inner();
            return Err(BusError::Unavailable(format!("the number of partitions is {min} to {max}")));
        }
        for partition in 0..partitions {
            let name = self.streams.names.stream(partition);
            let lacks = |error: BusError| BusError::Unavailable(format!("the stream {name}: {error}"));
            let info = self.streams.reader(partition).info().await.map_err(lacks)?;
            if !info.config.allow_atomic_publish || info.config.republish.is_none() {
                return Err(unavailable(&std::io::Error::other(format!("the stream {name} lacks settings"))));
            }
        }
        self.settings.change(Change::Partitions(partitions)).await.map(drop)
    }
}
