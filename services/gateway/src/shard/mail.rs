//! Mail of this shard's attached viewers.

use std::collections::HashMap;
use std::time::Duration;

use barrage_bus::UserHash;
use barrage_clock::steady_ms;
use barrage_ledger::Balance;
use barrage_protocol::frame::ServerFrame;
use barrage_protocol::mail::Bell;

use super::shard::Shard;
use crate::load::Level;
use crate::mail::{MailBox, MailCounts, MailItem, MailLimits, Next, SPREAD, Slot};
use crate::metrics::GatewayMetrics;
use crate::viewer::{Viewer, address};

/// Boxes for which the table keeps its room, whatever their number.
const ROOM_MIN: usize = 64;

/// Boxes of the attached viewers that got mail in the last seconds, apart from the viewers: the others have none,
/// and no fan-out reads a box.
pub(super) struct MailBoxes {
    by_address: HashMap<usize, MailBox>,
    /// Devices that are in their user's hand, apart from the boxes: most viewers name none.
    devices: HashMap<usize, UserHash>,
    /// Boxes in which something waits; a flush of another viewer looks no further.
    waiting: usize,
    counts: MailCounts,
    reported: MailCounts,
    balance: Balance,
}

impl MailBoxes {
    pub(super) fn new(metrics: &GatewayMetrics) -> Self {
        MailBoxes {
            by_address: HashMap::new(),
            devices: HashMap::new(),
            waiting: 0,
            counts: MailCounts::default(),
            reported: MailCounts::default(),
            balance: metrics.ledger.balance("mail"),
        }
    }

    /// Changes the box at an address, and keeps the number of boxes in which something waits.
    fn change<T>(
        &mut self,
        address: usize,
        change: impl FnOnce(&mut MailBox, &mut MailCounts) -> T,
    ) -> Option<T> {
        let mailbox = self.by_address.get_mut(&address)?;
        let before = usize::from(mailbox.has_waiting());
        let changed = change(mailbox, &mut self.counts);
        self.waiting = self.waiting + usize::from(mailbox.has_waiting()) - before;
        Some(changed)
    }

    /// Whether something waits in any box.
    pub(super) const fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    fn remove(&mut self, address: usize) -> Option<MailBox> {
        let mailbox = self.by_address.remove(&address)?;
        self.waiting -= usize::from(mailbox.has_waiting());
        self.counts.gone += mailbox.frames();
        Some(mailbox)
    }

    /// Makes sure of a box at an address, for the user that `user` returns; returns whether there is one.
    fn open(&mut self, address: usize, limits: MailLimits, user: impl FnOnce() -> Option<UserHash>) -> bool {
        if self.by_address.contains_key(&address) {
            return true;
        }
        let opened = user().map(|user| MailBox::new(user, steady_ms(), limits));
        let is_there = opened.is_some();
        self.by_address.extend(opened.map(|mailbox| (address, mailbox)));
        is_there
    }

    /// Removes boxes that are as new ones, and the room of most that were needed once.
    fn close_resting(&mut self, limits: MailLimits) {
        let now_ms = steady_ms();
        self.by_address.retain(|_, mailbox| !mailbox.is_at_rest(now_ms, limits));
        if self.by_address.capacity() > ROOM_MIN.max(self.by_address.len() * 4) {
            self.by_address.shrink_to(self.by_address.len() * 2);
        }
    }

    /// Updates the metrics, and checks that every frame has a fate.
    fn settle(&mut self, metrics: &GatewayMetrics) {
        let held: u64 = self.by_address.values().map(MailBox::frames).sum();
        let MailCounts { took, delivered, collapsed, gone } = self.counts;
        self.balance.settle(took, delivered + collapsed + gone + held);
        metrics.mail(&self.counts, &self.reported);
        self.reported = self.counts;
    }
}

impl Shard {
    fn mail_limits(&self) -> MailLimits {
        let config = &self.context.config;
        // A frame that no queue of a connection could take would never leave its box.
        let bytes_max = config.mail_queue_bytes.min(config.queue_hard_bytes / 2);
        MailLimits { frames_per_s: config.mail_frames_per_s, bytes_max }
    }

    /// Attaches a viewer to its user's mail. A second time changes the device alone that is in the user's hand.
    pub(super) fn attach(&self, viewer: &Viewer, user: UserHash, device: Option<UserHash>) {
        self.look(address(viewer), device);
        if viewer.is_attached.replace(true) {
            return;
        }
        self.context.metrics.attached.inc();
        let now = Duration::from_millis(steady_ms());
        self.context.attached.add(user, self.slot(address(viewer)), now);
    }

    /// Notes the device whose page is visible on a connection; `None` when it is visible no more. It is announced as one
    /// more name: no mail is for it, and the role push sends it no notification.
    fn look(&self, address: usize, device: Option<UserHash>) {
        let mut boxes = self.mail.borrow_mut();
        let before = match device {
            Some(device) => boxes.devices.insert(address, device),
            None => boxes.devices.remove(&address),
        };
        if before != device {
            let (slot, now) = (self.slot(address), Duration::from_millis(steady_ms()));
            before.iter().for_each(|before| self.context.attached.remove(before, slot));
            device.into_iter().for_each(|device| self.context.attached.add(device, slot, now));
        }
    }

    /// Detaches a viewer; does nothing when it is not attached.
    pub(super) fn detach(&self, viewer: &Viewer) {
        if !viewer.is_attached.replace(false) {
            return;
        }
        let address = address(viewer);
        self.look(address, None);
        self.mail.borrow_mut().remove(address);
        self.context.metrics.attached.dec();
        if let Some(user) = hash_of(viewer) {
            self.context.attached.remove(&user, self.slot(address));
        }
    }

    fn slot(&self, address: usize) -> Slot {
        Slot::Viewer { shard: u16::try_from(self.index).unwrap_or(u16::MAX), address }
    }

    /// Gives frames to the viewers for whom they are. One that has gone meanwhile loses its frame.
    pub(super) fn deliver_mail(&self, items: Vec<MailItem>) {
        let limits = self.mail_limits();
        let is_overloaded = self.context.load.level() >= Level::ThinChat;
        for MailItem { address, user, letter } in items {
            let viewer = self.viewer_at(address).filter(|viewer| viewer.is_attached.get());
            let mut boxes = self.mail.borrow_mut();
            boxes.counts.took += 1;
            let Some(viewer) = viewer.filter(|viewer| boxes.open(address, limits, || hash_of(viewer))) else {
                boxes.counts.gone += 1;
                continue;
            };
            boxes.change(address, |mailbox, counts| {
                if mailbox.user != user {
                    counts.gone += 1;
                } else if is_overloaded {
                    counts.collapsed += 1 + mailbox.ring(None);
                } else {
                    counts.collapsed += mailbox.offer(letter.frame(viewer.encoding).clone(), limits);
                }
            });
            drop(boxes);
            self.release_mail(&viewer);
        }
    }

    /// Rings all attached viewers of the shard, after a loss.
    pub(super) fn ring_attached(&self) {
        let spread_ms = u32::try_from(SPREAD.as_millis()).ok();
        for viewer in self.attached() {
            let mut boxes = self.mail.borrow_mut();
            let ring = |mailbox: &mut MailBox, counts: &mut MailCounts| {
                counts.collapsed += mailbox.ring(spread_ms);
            };
            // A viewer without a box has its whole budget, and needs a box only when its connection has no room.
            if boxes.change(address(&viewer), ring).is_some() {
                continue;
            }
            drop(boxes);
            if !viewer.send_mail(self.bell(&viewer, spread_ms.map(u64::from))) {
                let mut boxes = self.mail.borrow_mut();
                boxes.open(address(&viewer), self.mail_limits(), || hash_of(&viewer));
                boxes.change(address(&viewer), ring);
            }
        }
        self.release_all_mail();
    }

    /// Gives a viewer what waits for it, while its budget and its connection have room.
    pub(super) fn release_mail(&self, viewer: &Viewer) {
        let (limits, now_ms) = (self.mail_limits(), steady_ms());
        loop {
            let mut boxes = self.mail.borrow_mut();
            if boxes.waiting == 0 {
                return;
            }
            let next = boxes.change(address(viewer), |mailbox, _| mailbox.next(now_ms, limits)).flatten();
            let Some(next) = next else { return };
            drop(boxes);
            let is_sent = match &next {
                Next::Frame(frame) => viewer.send_mail(frame.clone()),
                Next::Bell(spread_ms) => viewer.send_mail(self.bell(viewer, *spread_ms)),
            };
            let mut boxes = self.mail.borrow_mut();
            let is_frame = matches!(next, Next::Frame(_));
            if !is_sent {
                boxes.change(address(viewer), |mailbox, _| mailbox.put_back(next));
                return;
            }
            boxes.counts.delivered += u64::from(is_frame);
        }
    }

    fn bell(&self, viewer: &Viewer, spread_ms: Option<u64>) -> bytes::Bytes {
        self.context.metrics.bells.inc();
        let bell = ServerFrame::Bell(Bell { version: None, spread_ms });
        let json = serde_json::to_vec(&bell).expect("frames are plain data");
        crate::socket::encode(&json, viewer.encoding)
    }

    fn release_all_mail(&self) {
        let waiting: Vec<_> = {
            let boxes = self.mail.borrow();
            let waiting = boxes.by_address.iter().filter(|(_, mailbox)| mailbox.has_waiting());
            waiting.map(|(address, _)| *address).collect()
        };
        for viewer in waiting.into_iter().filter_map(|address| self.viewer_at(address)) {
            self.release_mail(&viewer);
        }
    }

    /// Does what is due once a second: what waited for its budget, and the account.
    pub(super) fn sweep_mail(&self) {
        if self.mail.borrow().waiting > 0 {
            self.release_all_mail();
        }
        let mut boxes = self.mail.borrow_mut();
        boxes.settle(&self.context.metrics);
        boxes.close_resting(self.mail_limits());
    }
}

/// Returns the hash of a viewer's user; `None` for a viewer without a token.
fn hash_of(viewer: &Viewer) -> Option<UserHash> {
    viewer.user.borrow().as_ref().map(UserHash::of)
}
