//! Description of the admin API of an uplink.

use barrage_openapi::Method::{Delete, Get, Post, Put};
use barrage_openapi::{Body, Method, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::event::{EventAnswer, EventRequest};
use barrage_protocol::poll::{PollAnswer, PollList, PollRequest};

use barrage_protocol::action::{ActionAnswer, ActionRequest, RolesAnswer};
use barrage_protocol::attribute::AttributesAnswer;

use super::{
    announce, audit, emotes, media, partitions, rooms, sampling, switches, tokens, users, webhooks, why,
};

const JSON_LINES: Body = Body::Media("application/jsonl");

fn operation(id: &'static str, method: Method, path: &'static str, summary: &'static str) -> Operation {
    Operation::admin(Server::Uplink, id, method, path, summary)
}

/// Describes the admin operations of an uplink.
pub(crate) fn operations() -> Vec<Operation> {
    let mut all = rooms();
    all.extend(emotes());
    all.extend(polls());
    all.extend(users());
    all.extend(platform());
    all.extend(webhooks());
    all
}

/// Operations on one room, which all refuse a room that does not exist.
fn rooms() -> Vec<Operation> {
    vec![
        operation("room_list", Get, "/v1/admin/rooms", "Lists all rooms with their settings.")
            .answers::<rooms::RoomList>(200, "All rooms, in the order of their ids."),
        operation(
            "room_set",
            Put,
            "/v1/admin/rooms/{room}",
            "Creates a room, or changes its title or the start of its stream. Opens a closed room.",
        )
        .body::<rooms::PutRoom>()
        .answers::<rooms::RoomView>(200, "The changed room.")
        .answers::<rooms::RoomView>(201, "The new room.")
        .refuses(&[Code::BadText, Code::Conflict]),
        operation("room_roles", Get, "/v1/admin/rooms/{room}/roles", "Lists the roles that a room gave.")
            .answers::<RolesAnswer>(200, "The users with a role in the room.")
            .refuses(&[Code::UnknownRoom]),
        operation("room_attributes", Get, "/v1/admin/rooms/{room}/attributes", "Lists a room's attributes.")
            .answers::<AttributesAnswer>(200, "All attributes, and the rules of their writers.")
            .refuses(&[Code::UnknownRoom]),
        operation("room_act", Post, "/v1/admin/rooms/{room}/actions", "Takes one action of a moderator.")
            .body::<ActionRequest>()
            .answers::<ActionAnswer>(200, "The action is durable and in force.")
            .refuses(&[
                Code::BadText,
                Code::UnknownRoom,
                Code::RoomClosed,
                Code::Kicked,
                Code::NotFound,
                Code::Conflict,
            ]),
        operation(
            "room_close",
            Post,
            "/v1/admin/rooms/{room}/close",
            "Closes a room and disconnects its viewers.",
        )
        .answers::<rooms::Signalled<rooms::Closed>>(200, "The room is closed.")
        .refuses(&[Code::UnknownRoom]),
        operation(
            "room_mute_all",
            Post,
            "/v1/admin/rooms/{room}/mute-all",
            "Mutes all viewers of a room, or ends that.",
        )
        .body::<rooms::MuteAll>()
        .answers::<rooms::Signalled<rooms::MuteAll>>(200, "The setting in force.")
        .refuses(&[Code::UnknownRoom, Code::RoomClosed]),
        operation(
            "room_slow_mode",
            Post,
            "/v1/admin/rooms/{room}/slow-mode",
            "Sets the minimum time between two chats of one viewer.",
        )
        .body::<rooms::SlowMode>()
        .answers::<rooms::Signalled<rooms::SlowMode>>(200, "The setting in force.")
        .refuses(&[Code::UnknownRoom, Code::RoomClosed]),
        operation(
            "message_recall",
            Post,
            "/v1/admin/rooms/{room}/recall",
            "Recalls one message of a room, so that viewers hide the message.",
        )
        .body::<rooms::Recall>()
        .answers::<rooms::Signalled<rooms::Recalled>>(200, "The message is recalled.")
        .refuses(&[Code::UnknownRoom, Code::RoomClosed, Code::NotFound, Code::Gone]),
        operation(
            "message_remove_media",
            Post,
            "/v1/admin/media/remove",
            "Removes a medium from all messages and from the store.",
        )
        .body::<media::RemoveMedium>()
        .answers::<media::RemovedMedium>(200, "The medium is in no message, and cannot be uploaded."),
        operation(
            "message_allow_media",
            Post,
            "/v1/admin/media/allow",
            "Lifts the removal of a medium, so that its file may be uploaded again.",
        )
        .body::<media::AllowMedium>()
        .answers::<media::AllowMedium>(200, "The file may be uploaded; messages show it again from then on.")
        .refuses(&[Code::NotFound]),
        operation(
            "room_event",
            Post,
            "/v1/admin/rooms/{room}/events",
            "Sends an event of a type of its own to all viewers of a room.",
        )
        .body::<EventRequest>()
        .answers::<EventAnswer>(200, "The event is durable, or the room had it before.")
        .refuses(&[Code::UnknownRoom, Code::RoomClosed, Code::Conflict, Code::TooLarge]),
    ]
}

fn emotes() -> Vec<Operation> {
    const EMOTES: &str = "/v1/admin/rooms/{room}/emotes";
    const EMOTE: &str = "/v1/admin/rooms/{room}/emotes/{emote}";
    let answers = "The room's own emotes, in force everywhere within a second.";
    vec![
        operation("emote_show", Get, EMOTES, "Shows a room's own emotes.")
            .answers::<EmoteSet>(200, "The emotes of the room, without those of the platform.")
            .refuses(&[Code::UnknownRoom]),
        operation("emote_import", Put, EMOTES, "Replaces all of a room's own emotes.")
            .body::<EmoteSet>()
            .answers::<EmoteSet>(200, answers)
            .refuses(&[Code::UnknownRoom]),
        operation("emote_put", Put, EMOTE, "Adds an emote to a room, or changes the one of this id.")
            .body::<emotes::PutEmote>()
            .answers::<EmoteSet>(200, answers)
            .refuses(&[Code::UnknownRoom, Code::Conflict]),
        operation("emote_remove", Delete, EMOTE, "Removes one emote of a room.")
            .answers::<EmoteSet>(200, answers)
            .refuses(&[Code::UnknownRoom, Code::NotFound, Code::Conflict]),
    ]
}

fn polls() -> Vec<Operation> {
    vec![
        operation("poll_list", Get, "/v1/admin/rooms/{room}/polls", "Lists the last polls of a room.")
            .answers::<PollList>(200, "The polls with their votes, newest first.")
            .refuses(&[Code::UnknownRoom]),
        operation("poll_open", Post, "/v1/admin/rooms/{room}/polls", "Opens a poll in a room.")
            .body::<PollRequest>()
            .answers::<PollAnswer>(200, "The poll is durable and takes votes.")
            .refuses(&[Code::BadText, Code::UnknownRoom, Code::RoomClosed, Code::Conflict]),
        operation(
            "poll_close",
            Post,
            "/v1/admin/rooms/{room}/polls/{poll}/close",
            "Closes a poll before its end.",
        )
        .answers::<PollAnswer>(200, "The result, which is durable.")
        .refuses(&[Code::UnknownRoom, Code::RoomClosed, Code::NotFound]),
    ]
}

fn users() -> Vec<Operation> {
    let restricts = |id, path, summary| {
        operation(id, Post, path, summary)
            .body::<users::Restrict>()
            .answers::<users::RestrictedAnswer>(200, "The end of the mute or kick that is in force.")
            .refuses(&[Code::UnknownRoom, Code::RoomClosed, Code::Conflict])
    };
    let lifts = |id, path, summary| {
        operation(id, Post, path, summary)
            .body::<users::Lift>()
            .answers::<users::Lifted>(200, "The user is free, also when nothing was set before.")
            .refuses(&[Code::UnknownRoom, Code::RoomClosed])
    };
    vec![
        restricts("user_mute", "/v1/admin/rooms/{room}/mute", "Mutes a user in a room for a time."),
        lifts("user_unmute", "/v1/admin/rooms/{room}/unmute", "Lifts a mute; a kick stays in force."),
        restricts("user_kick", "/v1/admin/rooms/{room}/kick", "Removes a user from a room for a time."),
        lifts("user_unkick", "/v1/admin/rooms/{room}/unkick", "Lifts a kick; a mute stays in force."),
        operation(
            "user_restrictions",
            Get,
            "/v1/admin/rooms/{room}/restrictions",
            "Lists the users who are muted or kicked in a room now.",
        )
        .query::<users::RestrictionsQuery>()
        .answers::<users::RestrictionsPage>(200, "A page of users.")
        .refuses(&[Code::UnknownRoom]),
        operation(
            "user_revoke",
            Post,
            "/v1/admin/users/{user}/revoke",
            "Revokes the tokens of one user that were made up to now.",
        )
        .answers::<tokens::Revoked>(200, "The tokens are refused everywhere within a second."),
        operation(
            "user_revoke_all",
            Post,
            "/v1/admin/tokens/revoke",
            "Revokes the tokens of all users that were made up to now, the caller's included.",
        )
        .body::<tokens::RevokeAll>()
        .answers::<tokens::Revoked>(200, "The tokens are refused everywhere within a second."),
    ]
}

/// Operations on the receivers of webhooks.
fn webhooks() -> Vec<Operation> {
    vec![
        operation("webhook_list", Get, "/v1/admin/webhooks", "Lists the receivers of webhooks.")
            .answers::<webhooks::WebhookList>(200, "Receivers with the numbers of their events."),
        operation(
            "webhook_deliveries",
            Get,
            "/v1/admin/webhooks/{endpoint}/deliveries",
            "Lists the delivery log of a receiver, newest first.",
        )
        .query::<webhooks::DeliveriesQuery>()
        .answers::<webhooks::DeliveriesPage>(200, "A page of deliveries.")
        .refuses(&[Code::NotFound]),
        operation(
            "webhook_replay",
            Post,
            "/v1/admin/webhooks/{endpoint}/replay",
            "Sends events to a receiver again, under their ids.",
        )
        .body::<webhooks::ReplayRequest>()
        .answers::<webhooks::Replayed>(200, "The events wait for their next attempt.")
        .refuses(&[Code::NotFound]),
        operation(
            "webhook_enable",
            Post,
            "/v1/admin/webhooks/{endpoint}/enable",
            "Enables a receiver that answered 410.",
        )
        .answers::<webhooks::Enabled>(200, "Events are sent within seconds.")
        .refuses(&[Code::NotFound]),
    ]
}

/// Operations on the whole platform.
fn platform() -> Vec<Operation> {
    vec![
        operation("message_broadcast", Post, "/v1/admin/broadcast", "Announces a text to every open room.")
            .body::<announce::Announcement>()
            .answers::<announce::Announced>(200, "Every open room has the announcement.")
            .answers::<announce::Announced>(207, "Some rooms do not have it; send it again under its id.")
            .refuses(&[Code::BadText, Code::Conflict]),
        operation(
            "message_why",
            Get,
            "/v1/admin/why/{id}",
            "Lists every check of the newest posts under an id, and the places of letters.",
        )
        .answers::<why::Posts>(200, "The posts and letters that this uplink remembers.")
        .refuses(&[Code::NotFound]),
        operation("switch_list", Get, "/v1/admin/switches", "Lists the platform's switches.")
            .answers::<switches::Switches>(200, "All switches with the values in force."),
        operation("switch_set", Put, "/v1/admin/switches/{name}", "Sets one switch for all processes.")
            .body::<switches::SetSwitch>()
            .answers::<switches::Switches>(200, "All switches, with the new value.")
            .refuses(&[Code::NotFound, Code::Conflict]),
        operation("trace_show", Get, "/v1/admin/trace", "Returns which messages are traced.")
            .answers::<sampling::SamplingView>(200, "The sampling of this process."),
        operation("trace_set", Put, "/v1/admin/trace", "Changes which messages all processes trace.")
            .body::<sampling::SamplingPatch>()
            .answers::<sampling::SamplingChanged>(200, "The keys that differ from the configuration.")
            .refuses(&[Code::Conflict]),
        operation(
            "partitions_show",
            Get,
            "/v1/admin/bus/partitions",
            "Returns how the rooms are spread over the partitions of the bus.",
        )
        .answers::<partitions::PartitionsView>(200, "The partitions, and the rooms that are left to move."),
        operation(
            "partitions_set",
            Put,
            "/v1/admin/bus/partitions",
            "Sets the number of partitions. Uplinks move the rooms while people write.",
        )
        .body::<partitions::SetPartitions>()
        .answers::<partitions::PartitionsView>(200, "The partitions, and the rooms that are left to move.")
        .refuses(&[Code::Conflict]),
        operation("audit_list", Get, "/v1/admin/audit", "Lists lines of the audit log, newest first.")
            .query::<audit::AuditQuery>()
            .answers::<audit::AuditPage>(200, "A page of lines."),
        operation(
            "recorder_uplink",
            Get,
            "/v1/admin/recorder/uplink",
            "Returns the posts of a room in the last minutes, from this uplink's flight recorder.",
        )
        .query::<why::RecorderQuery>()
        .answer(200, "One JSON object a line; the first line describes the dump.", JSON_LINES),
    ]
}
