//! Description of the console's admin API.

use barrage_openapi::Method::{Delete, Get, Post, Put};
use barrage_openapi::{Body, Method, Operation, Server};
use barrage_protocol::Code;

use super::message::MessageReport;
use super::overview::Overview;
use super::process_state::ProcessState;
use super::tail::TailQuery;

/// Path of a call of one instance, and of one with a further name.
const INSTANCE: [&str; 2] =
    ["/v1/admin/instances/{role}/{id}/{call}", "/v1/admin/instances/{role}/{id}/{call}/{name}"];

/// Describes the routes that answer for the whole fleet.
pub(crate) fn operations() -> Vec<Operation> {
    let mut all = vec![
        admin("overview_show", Get, "/v1/admin/overview", "Returns the state of the whole fleet.")
            .answers::<Overview>(200, "The state, at most a second old."),
        admin("process_show", Get, "/v1/admin/state", "Returns figures of this process.")
            .answers::<ProcessState>(200, "The figures now."),
        admin(
            "message_find",
            Get,
            "/v1/admin/messages/{id}",
            "Finds the posts under an id at every uplink, and their batches at every gateway.",
        )
        .answers::<MessageReport>(200, "The posts that were found; none when no uplink remembers the id."),
        admin("room_tail", Get, "/v1/admin/rooms/{room}/tail", "Streams the messages of a room for a time.")
            .query::<TailQuery>()
            .answer(200, "Events `message`, `skipped` and `end`.", Body::Media("text/event-stream"))
            .refuses(&[Code::UnknownRoom]),
    ];
    let calls = [
        ("instance_get", Get, INSTANCE[0], "Passes a GET call on to one instance of the fleet."),
        ("instance_post", Post, INSTANCE[0], "Passes a POST call on to one instance of the fleet."),
        ("instance_put", Put, INSTANCE[0], "Passes a PUT call on to one instance of the fleet."),
        ("instance_delete", Delete, INSTANCE[0], "Passes a DELETE call on to one instance of the fleet."),
        ("instance_get_one", Get, INSTANCE[1], "Passes a GET call of one record on to one instance."),
        ("instance_post_one", Post, INSTANCE[1], "Passes a POST call of one record on to one instance."),
        ("instance_put_one", Put, INSTANCE[1], "Passes a PUT call of one record on to one instance."),
        (
            "instance_delete_one",
            Delete,
            INSTANCE[1],
            "Passes a DELETE call of one record on to one instance.",
        ),
    ];
    all.extend(calls.map(|(id, method, path, summary)| {
        admin(id, method, path, summary)
            .answer(200, "The answer of the instance, as it made it.", Body::Media("application/json"))
            .refuses(&[Code::NotFound, Code::Conflict])
    }));
    all
}

fn admin(id: &'static str, method: Method, path: &'static str, summary: &'static str) -> Operation {
    Operation::admin(Server::Process, id, method, path, summary)
}
