//! Random batches, devices and losses: whoever is attached ends with the numbers of the tables.

mod device;

use std::collections::{BTreeMap, BTreeSet};

use barrage_bus::SnapshotPart;
use barrage_inbox::ConversationId;
use barrage_inbox::model::{Recount, Tables, Workload};
use barrage_protocol::frame::ServerFrame;
use proptest::prelude::*;

use self::device::{Device, rows_of};
use super::super::chains::BEAT_EVERY;
use super::*;

const GATEWAYS: [&str; 2] = ["a", "b"];
const BOUNDS: Bounds = Bounds { attached_users_max: 100, members_max: 100 };

/// A gateway by the rules of the protocol: it rings all its devices after a loss.
#[derive(Debug, Default)]
struct Gateway {
    devices: Vec<Device>,
    chain: Option<(u64, u64)>,
    announced: BTreeSet<UserHash>,
    /// Time of the first attach that is not announced.
    waits_since: Option<Duration>,
}

/// A gateway that announces an attach later than this rings its devices.
const LATE_AFTER: Duration = Duration::from_secs(2);

impl Gateway {
    fn users(&self) -> BTreeSet<UserHash> {
        self.devices.iter().map(|device| UserHash::of(&device.user)).collect()
    }

    fn envelope(&mut self, envelope: &MailEnvelope, tables: &Tables) {
        let is_next = self.chain == Some((envelope.source, envelope.number.wrapping_sub(1)));
        self.chain = Some((envelope.source, envelope.number));
        for group in &envelope.groups {
            for device in &mut self.devices {
                if group.users.contains(&UserHash::of(&device.user)) {
                    device.frame(&group.frame, tables);
                }
            }
        }
        if !is_next {
            self.devices.iter_mut().for_each(|device| device.sync(tables));
        }
    }
}

struct World {
    desk: Desk,
    tables: Tables,
    workload: Workload,
    recount: Recount,
    gateways: [Gateway; 2],
    now: Duration,
}

impl World {
    fn new(seed: u64) -> Self {
        World {
            desk: Desk::new(seed, 1, BOUNDS),
            tables: Tables::default(),
            workload: Workload::new(seed),
            recount: Recount::default(),
            gateways: Default::default(),
            now: Duration::from_secs(100),
        }
    }

    fn deliver(&mut self, sent: Vec<Sent>, is_lost: bool) {
        for (name, envelope) in sent.into_iter().filter(|_| !is_lost) {
            let at = GATEWAYS.iter().position(|gateway| **gateway == *name).unwrap();
            self.gateways[at].envelope(&envelope, &self.tables);
        }
    }

    fn commit(&mut self, entries_max: u64, is_lost: bool) {
        let entries = self.workload.batch(entries_max, &self.recount);
        let changes = self.tables.project(&entries);
        for (entry, outcome) in entries.iter().zip(&changes.outcomes) {
            self.recount.take(entry, *outcome);
        }
        for group in self.desk.unknown_groups(&changes) {
            let present =
                self.tables.members.values().filter(|it| it.conversation == group && it.is_present());
            let members = present.map(|it| UserHash::of(&self.tables.users[&it.user].id)).collect();
            self.desk.learn(group, members);
        }
        let sent = self.desk.take(0, &changes, self.now);
        self.deliver(sent, is_lost);
    }

    fn attach(&mut self, gateway: usize, user: u8) {
        let user = format!("u{}:@.x", user % 7).parse().unwrap();
        let mut device = Device { user, version: 0, rows: BTreeMap::new(), syncs: 0 };
        // As the protocol says: behind `attached`, ask once.
        device.sync(&self.tables);
        self.gateways[gateway].devices.push(device);
        self.gateways[gateway].waits_since.get_or_insert(self.now);
    }

    /// Announces the changes, or everything; the news may be lost.
    fn announce(&mut self, at: usize, is_snapshot: bool, is_lost: bool) {
        let gateway = &mut self.gateways[at];
        let users = gateway.users();
        let before = std::mem::replace(&mut gateway.announced, users.clone());
        let attached = if is_snapshot { users.clone() } else { &users - &before };
        let detached = if is_snapshot { BTreeSet::new() } else { &before - &users };
        let announced = Attachments {
            gateway: GATEWAYS[at].into(),
            snapshot: is_snapshot.then_some(SnapshotPart { part: 0, parts: 1 }),
            attached: attached.into_iter().collect(),
            detached: detached.into_iter().collect(),
        };
        let since = gateway.waits_since.take();
        if !is_snapshot && since.is_some_and(|since| self.now - since > LATE_AFTER) {
            gateway.devices.iter_mut().for_each(|device| device.sync(&self.tables));
        }
        if is_lost {
            return;
        }
        let answered = self.desk.announce(&announced, self.now);
        self.deliver(answered.sent, false);
        if answered.calls_roll {
            self.announce(at, true, false);
        }
    }

    fn step(&mut self, operation: u8, argument: u8) {
        let (at, is_lost) = (usize::from(argument % 2), argument.is_multiple_of(5));
        match operation % 12 {
            0..=3 => self.commit(u64::from(argument % 7) + 1, is_lost),
            4 => self.attach(at, argument / 2),
            5 => {
                let devices = &mut self.gateways[at].devices;
                if !devices.is_empty() {
                    devices.remove(usize::from(argument) % devices.len());
                }
            }
            6 | 7 => self.announce(at, false, is_lost),
            8 => self.announce(at, true, is_lost),
            9 => {
                self.now += Duration::from_millis(u64::from(argument) * 2);
                let sent = self.desk.tick(self.now);
                self.deliver(sent, is_lost);
            }
            10 => {
                self.now += BEAT;
                let sent = self.desk.beat(self.now);
                self.deliver(sent, is_lost);
            }
            _ if argument < 20 => self.desk.lose(0),
            _ => self.desk.sweep(self.now),
        }
    }

    /// Lets everything arrive for a while.
    fn settle(&mut self) {
        for at in 0..2 {
            self.announce(at, false, false);
        }
        for _ in 0..3 {
            self.now += BEAT;
            let mut sent = self.desk.tick(self.now);
            sent.extend(self.desk.beat(self.now));
            self.deliver(sent, false);
        }
        for at in 0..2 {
            self.announce(at, true, false);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for device in self.gateways.iter().flat_map(|gateway| &gateway.devices) {
            let (version, rows) = rows_of(&self.tables, &device.user);
            prop_assert_eq!(device.version, version, "{}", device.user);
            for (id, row) in &rows {
                let known = device.rows.get(id);
                prop_assert_eq!(known, Some(row), "{} of {}", id, device.user);
            }
        }
        Ok(())
    }
}

const BEAT: Duration = Duration::from_secs(1);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Announcements and envelopes are lost, batches too; nothing asks by a timer.
    #[test]
    fn every_attached_device_ends_with_the_numbers_of_the_tables(
        seed in any::<u64>(),
        steps in prop::collection::vec((any::<u8>(), any::<u8>()), 1..120),
    ) {
        let mut world = World::new(seed);
        for (operation, argument) in steps {
            world.step(operation, argument);
        }
        world.settle();
        world.check()?;
    }
}

/// A gateway that took every number for the next one would miss it for ever: beats go on, so that nothing is silent.
#[test]
fn lost_envelope_shows_at_the_next_beat_a_second_later_at_most() {
    let mut world = World::new(7);
    (0..7).for_each(|user| world.attach(0, user));
    world.announce(0, true, false);
    world.step(10, 1);
    let syncs =
        |world: &World| world.gateways[0].devices.iter().map(|device| device.syncs).collect::<Vec<_>>();
    let before = syncs(&world);
    // A batch whose envelope is lost: enough letters for one of the users to be attached.
    world.commit(60, true);
    assert!(world.check().is_err(), "nothing was lost");
    world.now += BEAT_EVERY;
    let sent = world.desk.beat(world.now);
    assert_eq!(sent.len(), 1, "one envelope for the one gateway and lane");
    world.deliver(sent, false);
    world.check().unwrap();
    assert!(syncs(&world).iter().zip(before).all(|(now, before)| *now == before + 1));
}

/// Without the ring, the courier has forgotten by then that it told the user of the change.
#[test]
fn device_whose_attach_is_announced_late_misses_nothing() {
    let mut world = World::new(7);
    world.announce(0, true, false);
    (0..7).for_each(|user| world.attach(0, user));
    world.commit(60, false);
    (0..7).for_each(|_| world.step(10, 1));
    world.settle();
    world.check().unwrap();
}

#[test]
fn mail_without_a_loss_needs_no_synchronisation_behind_the_first() {
    let mut world = World::new(7);
    for user in 0..7 {
        world.attach(usize::from(user % 2), user);
    }
    for at in 0..2 {
        world.announce(at, true, false);
    }
    let syncs = |world: &World| -> Vec<_> {
        world.gateways.iter().flat_map(|it| &it.devices).map(|device| device.syncs).collect()
    };
    let before = syncs(&world);
    let mut mail = 0;
    for _ in 0..300 {
        let entries = world.workload.batch(1, &world.recount);
        let changes = world.tables.project(&entries);
        world.recount.take(&entries[0], changes.outcomes[0]);
        // Rules, blocks and joins are rung.
        let is_rung = !changes.preferred.is_empty() || !changes.blocks.is_empty() || !changes.seen.is_empty();
        mail += u32::from(!is_rung && !changes.users.is_empty());
        for group in world.desk.unknown_groups(&changes) {
            world.desk.learn(group, HashSet::new());
        }
        let sent = world.desk.take(0, &changes, world.now);
        world.deliver(sent, false);
    }
    let rings: u32 = syncs(&world).iter().sum::<u32>() - before.iter().sum::<u32>();
    assert!(mail > 100, "{mail} batches had mail");
    assert!(rings < 60, "{rings} rings for {mail} batches");
}

#[test]
fn a_group_gets_one_envelope_a_gateway_and_tick() {
    let mut desk = Desk::new(1, 1, BOUNDS);
    let mut tables = Tables::default();
    let mut workload = Workload::new(3);
    let recount = Recount::default();
    for (at, gateway) in GATEWAYS.iter().enumerate() {
        let attached =
            (0..7).filter(|n| n % 2 == at).map(|n| UserHash::of(&format!("u{n}:@.x").parse().unwrap()));
        let announced = Attachments {
            gateway: (*gateway).into(),
            snapshot: None,
            attached: attached.collect(),
            detached: Vec::new(),
        };
        desk.announce(&announced, Duration::ZERO);
    }
    // A group with items, from the workload.
    let (group, now) = loop {
        let entries = workload.batch(1, &recount);
        let changes = tables.project(&entries);
        let found = changes.items.iter().find(|item| {
            let id: &ConversationId = &tables.conversations[&item.conversation].id;
            id.kind() == Kind::Group
        });
        if let Some(item) = found {
            let now = Duration::from_secs(50);
            let everybody = (0..7).map(|n| UserHash::of(&format!("u{n}:@.x").parse().unwrap())).collect();
            desk.learn(item.conversation, everybody);
            let first = desk.take(0, &changes, now);
            let second = desk.take(0, &Changes { users: Vec::new(), ..changes.clone() }, now);
            let of_groups = |sent: &[Sent]| sent.iter().flat_map(|(_, it)| &it.groups).any(is_group_frame);
            assert!(!of_groups(&first) && !of_groups(&second), "items wait for their tick");
            break (item.conversation, now);
        }
    };
    assert_eq!(desk.due(), Some(now + GROUP_TICK));
    assert!(desk.tick(now).is_empty());
    let sent = desk.tick(now + GROUP_TICK);
    assert_eq!(sent.len(), 2, "one envelope for each gateway");
    let users: usize = sent.iter().flat_map(|(_, it)| &it.groups).map(|group| group.users.len()).sum();
    assert_eq!((users, desk.groups.knows(group), desk.due()), (7, true, None));
    for (_, envelope) in &sent {
        assert_eq!(envelope.groups.len(), 1);
    }
}

fn is_group_frame(group: &barrage_bus::MailGroup) -> bool {
    let ServerFrame::Mail(mail) = ServerFrame::parse(&group.frame).unwrap() else { return false };
    mail.version.is_none()
}
