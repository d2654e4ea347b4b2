//! Description of the public HTTP API of an uplink.

use barrage_openapi::Method::{Delete, Get, Post, Put};
use barrage_openapi::{Access, Body, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::action::{ActionAnswer, ActionRequest, RoleRequest, RolesAnswer};
use barrage_protocol::attribute::{AttributeAnswer, AttributeRequest, AttributeView, AttributesAnswer};
use barrage_protocol::dock::{DockTokenAnswer, DockTokenRequest};
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::media::RoomMedia;
use barrage_protocol::poll::{PollAnswer, PollList, PollRequest, VoteAnswer, VoteRequest};
use barrage_protocol::post::{self, HistoryPage, Package, PackageAnswer, PostAnswer};
use barrage_protocol::review::{
    ReportAnswer, ReportRequest, ReviewAnswer, ReviewList, ReviewRequest, ReviewSettings,
};
use barrage_protocol::words::{WordsAnswer, WordsRequest, WordsTestAnswer, WordsTestRequest};

use super::{attributes, dplayer, export, gallery, guest, history, inbox, offered};
use crate::{account, admin};

const BINARY: &str = "application/octet-stream";
const JSON_LINES: &str = "application/jsonl";

const DPLAYER: &str = "/v1/rooms/{room}/dplayer/v3/";
/// Statuses of refusals, which DPlayer gets in its own form.
const REFUSED: [u16; 13] = [400, 401, 403, 404, 408, 409, 410, 413, 415, 422, 429, 500, 503];

/// Codes by which an uplink refuses a post.
const POST_CODES: &[Code] = &[
    Code::BadText,
    Code::UnknownRoom,
    Code::RoomClosed,
    Code::Kicked,
    Code::Muted,
    Code::RoomMuted,
    Code::Conflict,
    Code::SlowMode,
    Code::Forbidden,
    Code::NotFound,
];

const ATTRIBUTES: &str = "/v1/rooms/{room}/attributes";
const ATTRIBUTE: &str = "/v1/rooms/{room}/attributes/{key}";

/// Codes by which an uplink refuses an action.
const ACTION_CODES: &[Code] = &[
    Code::BadText,
    Code::Forbidden,
    Code::UnknownRoom,
    Code::RoomClosed,
    Code::Kicked,
    Code::NotFound,
    Code::Conflict,
];

/// Codes by which an uplink refuses to open, list or close a poll.
const POLL_CODES: &[Code] = &[
    Code::BadText,
    Code::Forbidden,
    Code::UnknownRoom,
    Code::RoomClosed,
    Code::Kicked,
    Code::NotFound,
    Code::Conflict,
];

/// Codes by which an uplink refuses a vote.
const VOTE_CODES: &[Code] =
    &[Code::Forbidden, Code::UnknownRoom, Code::RoomClosed, Code::Kicked, Code::NotFound, Code::PollClosed];

/// Codes by which an uplink refuses requests about reviews, reports and words.
const REVIEW_CODES: &[Code] =
    &[Code::Forbidden, Code::UnknownRoom, Code::RoomClosed, Code::Kicked, Code::NotFound, Code::Conflict];

/// Describes the HTTP API of an uplink, public and admin.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let mut all = public();
    all.extend(polls());
    all.extend(inbox::operations());
    all.extend(inbox::admin_operations());
    all.extend(account::operations());
    all.extend(admin::operations());
    let offered = Operation::admin(
        Server::Uplink,
        "room_offered",
        Get,
        "/v1/admin/offered",
        "Lists the rooms to which viewers offer most chat, before the display quotas.",
    );
    all.push(offered.answers::<offered::OfferedRooms>(200, "The busiest rooms at this uplink."));
    all.extend(reviewing());
    all.extend(dplayer());
    all.push(
        Operation::admin(
            Server::Uplink,
            "room_export",
            Get,
            "/v1/admin/rooms/{room}/export",
            "Exports the stream of a room as one file.",
        )
        .query::<export::ExportQuery>()
        .answer(200, "The file: XML.", Body::Media("application/xml"))
        .answer(200, "The file: ASS.", Body::Media("text/x-ssa"))
        .answer(200, "The file: JSON Lines.", Body::Media(JSON_LINES))
        .refuses(&[Code::UnknownRoom]),
    );
    all
}

/// Describes DPlayer's back end, whose refusals have DPlayer's form.
fn dplayer() -> Vec<Operation> {
    let read = Operation::new("dplayer_read", Get, DPLAYER, "Reads a room's danmaku in DPlayer's form.")
        .by(Server::Uplink, Access::Viewer)
        .query::<dplayer::DplayerQuery>()
        .answers::<dplayer::DplayerAnswer>(200, "The newest danmaku, oldest first, escaped for HTML.");
    let send = Operation::new("dplayer_send", Post, DPLAYER, "Sends a danmaku as DPlayer does.")
        .by(Server::Uplink, Access::Open)
        .body::<dplayer::DplayerPost>()
        .answers::<dplayer::DplayerPosted>(200, "The danmaku is durable.");
    let with_refusals = |operation: Operation| {
        REFUSED.iter().fold(operation, |operation, status| {
            operation.answers::<dplayer::DplayerRefusal>(*status, "A refusal in DPlayer's form.")
        })
    };
    vec![with_refusals(read), with_refusals(send)]
}

fn polls() -> Vec<Operation> {
    let polls = |id, method, path, summary| {
        Operation::new(id, method, path, summary).by(Server::Uplink, Access::Sender).refuses(POLL_CODES)
    };
    vec![
        polls("poll_send", Post, "/v1/rooms/{room}/polls", "Opens a poll in a room.")
            .body::<PollRequest>()
            .answers::<PollAnswer>(200, "The poll is durable and takes votes."),
        polls("poll_results", Get, "/v1/rooms/{room}/polls", "Lists the last polls of a room.")
            .answers::<PollList>(200, "The polls with their votes, newest first."),
        polls("poll_end", Post, "/v1/rooms/{room}/polls/{poll}/close", "Closes a poll before its end.")
            .answers::<PollAnswer>(200, "The result, which is durable."),
        Operation::new("vote_send", Post, "/v1/rooms/{room}/polls/{poll}/votes", "Votes in a running poll.")
            .by(Server::Uplink, Access::Sender)
            .refuses(VOTE_CODES)
            .body::<VoteRequest>()
            .answers::<VoteAnswer>(200, "The vote is durable, or the user had voted before."),
    ]
}

/// Describes the calls of administrators about reviews and words: those of moderators, in any room.
fn reviewing() -> Vec<Operation> {
    let of = |id, method, path, summary| {
        Operation::admin(Server::Uplink, id, method, path, summary).refuses(REVIEW_CODES)
    };
    vec![
        of(
            "review_list",
            Get,
            "/v1/admin/rooms/{room}/reviews",
            "Lists what waits for a moderator of a room.",
        )
        .answers::<ReviewList>(200, "The whole queue, oldest first."),
        of(
            "review_set_fallback",
            Put,
            "/v1/admin/rooms/{room}/reviews",
            "Sets what happens to messages that no moderator decides in time.",
        )
        .body::<ReviewSettings>()
        .answers::<ReviewSettings>(200, "The settings are durable and in force."),
        of("review_decide", Post, "/v1/admin/rooms/{room}/reviews/{review}", "Locks or decides a review.")
            .body::<ReviewRequest>()
            .answers::<ReviewAnswer>(200, "The decision is durable and in force."),
        of(
            "message_list_media",
            Get,
            "/v1/admin/rooms/{room}/media",
            "Lists what messages of a room show, the newest first.",
        )
        .query::<gallery::GalleryQuery>()
        .answers::<RoomMedia>(200, "A page of media, with addresses to look at them."),
        of(
            "words_show",
            Get,
            "/v1/admin/rooms/{room}/words",
            "Shows the words of a room with their figures.",
        )
        .answers::<WordsAnswer>(200, "The rules in force."),
        of("words_set", Put, "/v1/admin/rooms/{room}/words", "Replaces the words of a room.")
            .body::<WordsRequest>()
            .answers::<WordsAnswer>(200, "The rules are durable and in force."),
        of("words_test", Post, "/v1/admin/rooms/{room}/words/test", "Tests a text against words of a room.")
            .body::<WordsTestRequest>()
            .answers::<WordsTestAnswer>(200, "What the rules would do with the text."),
    ]
}

fn public() -> Vec<Operation> {
    let sends = |id, path, summary| {
        Operation::new(id, Post, path, summary).by(Server::Uplink, Access::Sender).refuses(POST_CODES)
    };
    let acts = |id, method, path, summary| {
        Operation::new(id, method, path, summary).by(Server::Uplink, Access::Sender).refuses(ACTION_CODES)
    };
    let reviews = |id, method, path, summary| {
        Operation::new(id, method, path, summary).by(Server::Uplink, Access::Sender).refuses(REVIEW_CODES)
    };
    let reads = |id, method, path, summary| {
        let codes = &[Code::UnknownRoom, Code::Kicked, Code::NotFound];
        Operation::new(id, method, path, summary).by(Server::Uplink, Access::Viewer).refuses(codes)
    };
    vec![
        sends("message_send", "/v1/rooms/{room}/messages", "Sends one message to a room.")
            .body::<post::Post>()
            .answers::<PostAnswer>(200, "The message is durable."),
        sends("package_send", "/v1/rooms/{room}/packages", "Sends several messages to a room: all, or none.")
            .body::<Package>()
            .answers::<PackageAnswer>(200, "All messages are durable, in their order."),
        acts("action_send", Post, "/v1/rooms/{room}/actions", "Takes one action of a moderator or host.")
            .body::<ActionRequest>()
            .answers::<ActionAnswer>(200, "The action is durable and in force."),
        acts("role_put", Put, "/v1/rooms/{room}/roles/{user}", "Gives a user a role in a room.")
            .body::<RoleRequest>()
            .answers::<ActionAnswer>(200, "The role is durable and in force."),
        reviews(
            "room_reviews",
            Get,
            "/v1/rooms/{room}/reviews",
            "Lists what waits for a moderator of a room.",
        )
        .answers::<ReviewList>(200, "The whole queue, oldest first."),
        reviews(
            "room_reviews_set",
            Put,
            "/v1/rooms/{room}/reviews",
            "Sets the fallback of a room's reviews.",
        )
        .body::<ReviewSettings>()
        .answers::<ReviewSettings>(200, "The settings are durable and in force."),
        reviews(
            "room_review_decide",
            Post,
            "/v1/rooms/{room}/reviews/{review}",
            "Locks or decides a review.",
        )
        .body::<ReviewRequest>()
        .answers::<ReviewAnswer>(200, "The decision is durable and in force."),
        reviews(
            "report_send",
            Post,
            "/v1/rooms/{room}/reports",
            "Reports a user of a room to its moderators.",
        )
        .body::<ReportRequest>()
        .answers::<ReportAnswer>(200, "The report waits for a moderator."),
        reviews(
            "room_media",
            Get,
            "/v1/rooms/{room}/media",
            "Lists what messages of a room show, for its moderators.",
        )
        .query::<gallery::GalleryQuery>()
        .answers::<RoomMedia>(200, "A page of media, with addresses to look at them."),
        reviews("room_words", Get, "/v1/rooms/{room}/words", "Shows the words of a room with their figures.")
            .answers::<WordsAnswer>(200, "The rules in force."),
        reviews("room_words_set", Put, "/v1/rooms/{room}/words", "Replaces the words of a room.")
            .body::<WordsRequest>()
            .answers::<WordsAnswer>(200, "The rules are durable and in force."),
        reviews(
            "room_words_test",
            Post,
            "/v1/rooms/{room}/words/test",
            "Tests a text against words of a room.",
        )
        .body::<WordsTestRequest>()
        .answers::<WordsTestAnswer>(200, "What the rules would do with the text."),
        Operation::new("emote_list", Get, "/v1/emotes", "Lists the emotes that count in every room.")
            .by(Server::Uplink, Access::Open)
            .answers::<EmoteSet>(200, "The emotes of the platform.")
            .answer(304, "The client has this set, as its `If-None-Match` says.", Body::Empty),
        Operation::new("reaction_list", Get, "/v1/reactions", "Lists the reactions that viewers may post.")
            .by(Server::Uplink, Access::Open)
            .answers::<post::ReactionsAnswer>(200, "The reactions of every room."),
        Operation::new("emote_set", Put, "/v1/emotes", "Replaces the emotes that count in every room.")
            .by(Server::Uplink, Access::Sender)
            .body::<EmoteSet>()
            .answers::<EmoteSet>(200, "The set is in force everywhere within a second.")
            .refuses(&[Code::Forbidden, Code::TooLarge]),
        Operation::new("room_emote_list", Get, "/v1/rooms/{room}/emotes", "Lists a room's own emotes.")
            .by(Server::Uplink, Access::Viewer)
            .answers::<EmoteSet>(200, "The emotes of the room, without those of the platform.")
            .answer(304, "The client has this set, as its `If-None-Match` says.", Body::Empty)
            .refuses(&[Code::UnknownRoom, Code::Kicked]),
        Operation::new("room_emote_set", Put, "/v1/rooms/{room}/emotes", "Replaces a room's own emotes.")
            .by(Server::Uplink, Access::Sender)
            .body::<EmoteSet>()
            .answers::<EmoteSet>(200, "The set is in force everywhere within a second.")
            .refuses(&[Code::Forbidden, Code::UnknownRoom, Code::RoomClosed, Code::Kicked, Code::TooLarge]),
        acts("token_make", Post, "/v1/rooms/{room}/tokens", "Makes a short token of a moderator for a dock.")
            .body::<DockTokenRequest>()
            .answers::<DockTokenAnswer>(200, "A token for this room alone."),
        acts("role_list", Get, "/v1/rooms/{room}/roles", "Lists the roles that a room gave.")
            .answers::<RolesAnswer>(200, "The users with a role in the room."),
        reads("attribute_list", Get, ATTRIBUTES, "Lists the attributes of a room.")
            .answers::<AttributesAnswer>(200, "All attributes, and the rules of their writers."),
        reads("attribute_read", Get, ATTRIBUTE, "Reads one attribute of a room.")
            .answers::<AttributeView>(200, "The attribute with its version."),
        acts("attribute_put", Put, ATTRIBUTE, "Sets one attribute of a room.")
            .body::<AttributeRequest>()
            .answers::<AttributeAnswer>(200, "The change is durable, and viewers are signalled."),
        acts("attribute_delete", Delete, ATTRIBUTE, "Removes one attribute of a room.")
            .query::<attributes::DeleteQuery>()
            .answers::<AttributeAnswer>(200, "The removal is durable, and viewers are signalled."),
        Operation::new("history_list", Get, "/v1/rooms/{room}/history", "Lists stored messages of a room.")
            .by(Server::Uplink, Access::Viewer)
            .query::<history::HistoryQuery>()
            .answers::<HistoryPage>(200, "A page of messages, oldest first.")
            .answer(304, "The client has this page, as its `If-None-Match` says.", Body::Empty)
            .answer(200, "With `format`: a file with the room's stream.", Body::Media("application/xml"))
            .answer(200, "With `format`: a file with the room's stream.", Body::Media("text/x-ssa"))
            .answer(200, "With `format`: a file with the room's stream.", Body::Media(JSON_LINES))
            .refuses(&[Code::UnknownRoom, Code::Kicked]),
        Operation::new("tunnel_send", Post, "/v1/tunnel", "Answers several requests inside one binary body.")
            .by(Server::Uplink, Access::Open)
            .body_of(BINARY)
            .answer(200, "The answers, framed as the requests are.", Body::Media(BINARY)),
        Operation::new("uplink_ping", Get, "/v1/ping", "Opens a connection to the uplink ahead of a post.")
            .by(Server::Uplink, Access::Open)
            .answer(204, "The connection is open and stays for `http.idle_secs`.", Body::Empty),
        Operation::new("guest_create", Post, "/v1/guest", "Makes a viewer's token without a login.")
            .by(Server::Entry, Access::Open)
            .body::<guest::GuestRequest>()
            .answers::<guest::GuestAnswer>(200, "A token for all rooms.")
            .refuses(&[Code::BadText]),
    ]
}
