//! What a viewer's frames do, once it has joined.

use barrage_bus::UserHash;
use barrage_clock::{steady_ms, unix_ms};
use barrage_protocol::code::Refusal;
use barrage_protocol::frame::{ClientFrame, Pong, ServerFrame};
use barrage_protocol::mail::Attached;
use barrage_protocol::{Code, RoomId, Sequence};
use barrage_token::Role;

use super::Session;
use crate::admission::check_room;
use crate::shard::join;
use crate::shard::session_end::SessionEnd;
use crate::viewer::HeartbeatTerms;

/// Acknowledgements taken from one frame; further ones are ignored.
const ACKS_MAX: usize = 64;

impl Session {
    pub(super) async fn handle(&mut self, frame: ClientFrame) -> Result<(), SessionEnd> {
        if self.joined.is_none() && is_of_a_room(&frame) {
            let refusal = Refusal::new(Code::BadFrame, "this connection is for the inbox, and has no room");
            self.viewer.refuse_frame(refusal, &self.shard.context.config);
            return Ok(());
        }
        match frame {
            ClientFrame::Ping { id } => {
                self.pong(id);
            }
            ClientFrame::Ack { sequences } => {
                let user = self.viewer.user.borrow().clone();
                if let Some(user) = user {
                    let acked = &sequences[..sequences.len().min(ACKS_MAX)];
                    self.shard.context.notices.acknowledge(&user, acked);
                }
            }
            ClientFrame::Repair { after, before } => self.repair(after, before).await,
            ClientFrame::Visibility { hidden } => self.viewer.set_hidden(hidden),
            ClientFrame::Traces {} => self.shard.acknowledges_traces(&self.viewer),
            ClientFrame::Traced { sequence } => {
                if let Some(joined) = &self.joined {
                    self.shard.acknowledge_trace(&joined.seat.room.id, sequence);
                }
            }
            ClientFrame::Attach { device, visible } => self.attach(device.filter(|_| visible)),
            ClientFrame::Detach {} => self.shard.detach(&self.viewer),
            ClientFrame::Switch { room, after } => return self.switch(&room, after).await,
            ClientFrame::Join { .. } => {
                let refusal =
                    Refusal::new(Code::BadFrame, "you have joined already; use `switch` for another room");
                self.viewer.refuse_frame(refusal, &self.shard.context.config);
            }
        }
        Ok(())
    }

    /// Attaches the connection to the mail of the token's user. `device` is the one whose page is visible.
    fn attach(&self, device: Option<String>) {
        let context = &self.shard.context;
        let user = self.viewer.user.borrow().clone();
        let refusal = match user {
            Some(user) if context.attached.is_open() => {
                let device = device.map(|device| UserHash::of_device(&user, &device));
                self.shard.attach(&self.viewer, UserHash::of(&user), device);
                let attached = Attached { user, connection: None };
                return self.viewer.send(&ServerFrame::Attached(attached));
            }
            Some(_) => Refusal::new(Code::NotFound, "this server has no inbox"),
            None => Refusal::new(Code::Unauthorized, "a viewer without a token has no inbox"),
        };
        self.viewer.refuse_frame(refusal, &context.config);
    }

    /// Answers a ping, with the terms of the heartbeat if they have changed.
    fn pong(&self, id: u64) {
        let (context, viewer) = (&self.shard.context, &self.viewer);
        context.metrics.pings.inc();
        let terms = context.heartbeat_terms(viewer.version, viewer.network.get());
        let is_changed = viewer.heartbeat.replace(Some(terms)) != Some(terms);
        let changed = is_changed.then_some(terms);
        viewer.send(&ServerFrame::Pong(Pong {
            id,
            time_ms: unix_ms(),
            ping_interval_ms: changed.map(HeartbeatTerms::interval_ms),
            ping_interval_ms_max: changed.and_then(HeartbeatTerms::interval_ms_max),
        }));
    }

    async fn repair(&self, after: Sequence, before: Sequence) {
        let Some(joined) = &self.joined else { return };
        if before.0 <= after.0 {
            let refusal = Refusal::new(Code::BadFrame, "`before` must lie after `after`");
            return self.viewer.refuse_frame(refusal, &self.shard.context.config);
        }
        self.wait_for_repairs().await;
        join::repair(&self.shard.context, &self.viewer, &joined.seat.room, after, before).await;
    }

    /// Waits until earlier repairs are paid for.
    async fn wait_for_repairs(&self) {
        let wait = self.viewer.allowance.repair_wait(steady_ms());
        if !wait.is_zero() {
            self.shard.pause(&self.viewer, wait).await;
        }
    }

    /// Moves the viewer to another room. A refusal leaves it where it is.
    async fn switch(&mut self, room: &RoomId, after: Option<Sequence>) -> Result<(), SessionEnd> {
        let rooms = self.joined.as_ref().and_then(|joined| joined.rooms.clone());
        let role = self.joined.as_ref().map_or(Role::Viewer, |joined| joined.role);
        let user = self.viewer.user.borrow().clone();
        let allowed = match &rooms {
            Some(rooms) if !rooms.contain(room) => {
                Err(Refusal::new(Code::WrongRoom, "the token is for another room"))
            }
            _ => check_room(&self.shard.context.bus.settings().borrow(), room, user.as_ref(), unix_ms()),
        };
        match allowed {
            Ok(()) => {
                self.wait_for_repairs().await;
                self.enter(room, after, (rooms, role)).await
            }
            Err(refusal) => {
                self.viewer.send(&ServerFrame::Error(refusal));
                Ok(())
            }
        }
    }
}

/// Whether a frame is about the room of its connection.
const fn is_of_a_room(frame: &ClientFrame) -> bool {
    match frame {
        ClientFrame::Repair { .. }
        | ClientFrame::Switch { .. }
        | ClientFrame::Visibility { .. }
        | ClientFrame::Traces {}
        | ClientFrame::Traced { .. } => true,
        ClientFrame::Join { .. }
        | ClientFrame::Ping { .. }
        | ClientFrame::Ack { .. }
        | ClientFrame::Attach { .. }
        | ClientFrame::Detach {} => false,
    }
}
