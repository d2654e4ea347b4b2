//! Description of the gateway's HTTP API.

use barrage_openapi::Method::{Delete, Get, Post};
use barrage_openapi::{Access, Body, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::frame::Batch;

use super::{admin, explain, inbox, poll, request_head, sse};

/// Codes by which a gateway refuses a viewer.
const JOIN_CODES: &[Code] = &[
    Code::UnknownRoom,
    Code::RoomClosed,
    Code::Kicked,
    Code::TooManyConnections,
    Code::BadTicket,
    Code::TicketExpired,
    Code::TooEarly,
    Code::Draining,
];

/// Codes by which a gateway refuses a connection for the inbox.
const INBOX_CODES: &[Code] = &[Code::NotFound, Code::TooManyConnections, Code::Draining];

/// Describes the HTTP API of a gateway, public and admin.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let mut all = public();
    all.extend(admin());
    all
}

fn public() -> Vec<Operation> {
    let joins = |id, path, summary| {
        Operation::new(id, Get, path, summary).by(Server::Gateway, Access::Viewer).refuses(JOIN_CODES)
    };
    vec![
        joins(
            "room_watch",
            "/v1/rooms/{room}/ws",
            "Opens a WebSocket, on which the gateway sends the room's messages.",
        )
        .query::<request_head::WsQuery>()
        .answer(101, "The connection is a WebSocket; docs/reference/protocol.md has its frames.", Body::Empty)
        .refuses(&[Code::UpgradeRequired]),
        joins("room_stream", "/v1/rooms/{room}/sse", "Streams the room's messages as server-sent events.")
            .query::<sse::SseQuery>()
            .answer(200, "A stream of frames, one an event.", Body::Media("text/event-stream")),
        joins(
            "room_poll",
            "/v1/rooms/{room}/poll",
            "Returns the room's messages after a position, at once or when one comes.",
        )
        .query::<poll::PollQuery>()
        .answers::<Batch>(200, "A batch; it has `notices` besides when messages for the user wait."),
        of_inbox(
            "inbox_watch",
            "/v1/inbox/ws",
            "Opens a WebSocket, on which the gateway sends the user's mail.",
        )
        .answer(101, "The connection is a WebSocket, whose first frame is `attached`.", Body::Empty)
        .refuses(&[Code::UpgradeRequired]),
        of_inbox("inbox_stream", "/v1/inbox/sse", "Streams bells that tell of changes of the user's inbox.")
            .answer(200, "A stream of frames, one an event.", Body::Media("text/event-stream")),
    ]
}

/// Describes a connection that is for the inbox alone.
fn of_inbox(id: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, Get, path, summary)
        .by(Server::Gateway, Access::Sender)
        .query::<inbox::InboxQuery>()
        .refuses(INBOX_CODES)
}

fn admin() -> Vec<Operation> {
    let operation = |id, method, path, summary| Operation::admin(Server::Gateway, id, method, path, summary);
    let drain = "/v1/admin/drain";
    vec![
        operation("gateway_show", Get, drain, "Returns the drain and the number of viewers of a gateway.")
            .answers::<admin::DrainState>(200, "The state now."),
        operation("gateway_drain", Post, drain, "Drains a gateway: all viewers move to other gateways.")
            .body::<admin::DrainRequest>()
            .answers::<admin::DrainState>(200, "The drain has started.")
            .refuses(&[Code::Conflict]),
        operation("gateway_undrain", Delete, drain, "Ends a drain: the gateway admits viewers again.")
            .answers::<admin::DrainState>(200, "The state without the drain.")
            .refuses(&[Code::Conflict]),
        operation(
            "gateway_give_back",
            Post,
            "/v1/admin/give-back",
            "Moves a share of a gateway's viewers to other gateways.",
        )
        .body::<admin::GiveBackRequest>()
        .answers::<admin::DrainState>(200, "The viewers are asked to move.")
        .refuses(&[Code::Conflict]),
        operation(
            "recorder_gateway",
            Get,
            "/v1/admin/recorder/gateway",
            "Returns the batches of a room in the last minutes, from this gateway's flight recorder.",
        )
        .query::<admin::RecorderQuery>()
        .answer(
            200,
            "One JSON object a line; the first line describes the dump.",
            Body::Media("application/jsonl"),
        ),
        operation(
            "room_top",
            Get,
            "/v1/admin/top-rooms",
            "Returns this gateway's rooms with most deliveries, with viewers and rates.",
        )
        .answers::<admin::HottestRooms>(200, "The hottest rooms, hottest first."),
        operation(
            "message_fan_out",
            Get,
            "/v1/admin/rooms/{room}/fan-outs/{sequence}",
            "Returns the batch that a message was in at this gateway.",
        )
        .answers::<explain::Explained>(200, "The batch and the number of its viewers.")
        .refuses(&[Code::NotFound]),
    ]
}
