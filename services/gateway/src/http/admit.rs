//! Admission at the gateway's HTTP side: takes the state of the gateway and counts refusals.

use std::time::Duration;

use barrage_clock::unix_ms;
use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, RoomId};
use barrage_token::Identity;

use crate::admission::{self, Admission, Availability, Pass, check_role, check_room, is_probe, take_ticket};
use crate::context::Context;

/// Verifies a viewer's token for a room that is open to its user; `None` for an anonymous viewer.
pub(super) fn identify(
    context: &Context,
    room: &RoomId,
    token: Option<&str>,
) -> Result<Option<Identity>, Refusal> {
    let identity = context.gate.access.identify(room, token)?;
    check(context, room, identity.as_ref())?;
    Ok(identity)
}

/// Checks that a room is open to a viewer.
pub(super) fn check(context: &Context, room: &RoomId, identity: Option<&Identity>) -> Result<(), Refusal> {
    check_role(room, identity)?;
    let user = identity.map(|identity| &identity.user);
    check_room(&context.bus.settings().borrow(), room, user, unix_ms())
}

/// Refuses a connection for the inbox where the server has none.
pub(super) fn check_inbox(context: &Context) -> Result<(), Refusal> {
    if context.attached.is_open() {
        return Ok(());
    }
    Err(Refusal::new(Code::NotFound, "this server has no inbox"))
}

/// Takes a place for one poll, which needs neither a ticket nor a slot.
pub(super) fn admit(context: &Context, identity: Option<&Identity>) -> Result<Admission, Refusal> {
    if is_probe(identity) {
        return admission::admit_probe(availability(context));
    }
    admission::admit(&context.gate.places, availability(context))
}

/// Takes a place for a viewer that stays, with its ticket if it has one. Returns the wait until the
/// viewer's slot. A refused viewer may present the ticket again.
pub(super) fn admit_join(
    context: &Context,
    room: &RoomId,
    identity: Option<&Identity>,
    ticket: Option<&str>,
) -> Result<(Admission, Duration), Refusal> {
    if is_probe(identity) {
        return Ok((admission::admit_probe(availability(context))?, Duration::ZERO));
    }
    let (gate, metrics) = (&context.gate, &context.metrics);
    let taken = take_ticket(&gate.used_tickets, &gate.access.keyring, room, ticket, unix_ms());
    let pass = taken.inspect_err(|error| metrics.ticket(error.label()))?;
    if ticket.is_some() {
        metrics.ticket("taken");
    }
    admit_pass(context, &pass)
}

/// Takes a place for a connection that is for the inbox alone. A ticket is for a room: it needs none, and waits as
/// viewers without one do.
pub(super) fn admit_inbox(context: &Context) -> Result<(Admission, Duration), Refusal> {
    admit_pass(context, &Pass::None)
}

fn admit_pass(context: &Context, pass: &Pass) -> Result<(Admission, Duration), Refusal> {
    let gate = &context.gate;
    let (availability, level) = (availability(context), context.load.level());
    let admitted = admission::admit_join(&gate.places, availability, level, &gate.join_queue, pass);
    admitted.map_err(|refused| refuse(context, pass, refused))
}

fn refuse(context: &Context, pass: &Pass, refused: admission::JoinRefusal) -> Refusal {
    context.gate.used_tickets.give_back(pass);
    context.metrics.join_refused(refused.reason);
    refused.refusal
}

fn availability(context: &Context) -> Availability {
    let lifecycle = &context.lifecycle;
    if lifecycle.shutdown.is_cancelled() || context.drains.is_draining() {
        Availability::Draining
    } else if lifecycle.heartbeats.has_failed() {
        Availability::Failed
    } else {
        Availability::Open
    }
}
