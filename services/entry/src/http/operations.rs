//! Description of entry's HTTP API.

use barrage_openapi::Method::{Delete, Get, Post, Put};
use barrage_openapi::{Access, Body, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::entry::{EntryAnswer, ProbeTargets, RaceReport};

use super::{admin, prewarm, routes};

/// Describes the HTTP API of entry, public and admin.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let mut all = public();
    all.extend(admin());
    all
}

fn public() -> Vec<Operation> {
    let operation =
        |id, method, path, summary| Operation::new(id, method, path, summary).by(Server::Entry, Access::Open);
    vec![
        operation("entry_ask", Get, "/v1/entry", "Returns where and when a client connects for a room.")
            .query::<routes::EntryQuery>()
            .answers::<EntryAnswer>(200, "Gateways and uplinks in the order to try.")
            .refuses(&[Code::UnknownRoom, Code::RoomClosed]),
        operation(
            "entry_fallback",
            Get,
            "/v1/entry/fallback",
            "Returns endpoints for use while entry is away.",
        )
        .answers::<EntryAnswer>(200, "Endpoints whose URLs have `{room}` in the place of the room."),
        Operation::new(
            "entry_probe",
            Get,
            "/v1/entry/probe",
            "Returns every gateway and uplink, for a probe.",
        )
        .by(Server::Entry, Access::Sender)
        .answers::<ProbeTargets>(200, "All gateways with their state, and all uplinks.")
        .refuses(&[Code::Forbidden]),
        operation("race_run", Get, "/v1/race", "Returns the bytes that a client races gateways for.").answer(
            200,
            "Random bytes.",
            Body::Media("application/octet-stream"),
        ),
        operation("race_report", Post, "/v1/entry/race", "Takes the times that a client measured in a race.")
            .body::<RaceReport>()
            .answer(204, "The times are counted.", Body::Empty),
    ]
}

fn admin() -> Vec<Operation> {
    let operation = |id, method, path, summary| Operation::admin(Server::Entry, id, method, path, summary);
    vec![
        operation(
            "gateway_weights",
            Get,
            "/v1/admin/weights",
            "Lists the weight of every gateway for newcomers.",
        )
        .answers::<admin::Weights>(200, "The weights now."),
        operation("gateway_factors", Get, "/v1/admin/factors", "Lists the factors of gateways' weights.")
            .answers::<admin::FactorList>(200, "The factors that have not lapsed."),
        operation(
            "gateway_set_factors",
            Put,
            "/v1/admin/factors",
            "Sets factors of gateways' weights, which lapse after `weights.factor_secs`.",
        )
        .body::<admin::PutFactors>()
        .answers::<admin::FactorList>(200, "All factors that have not lapsed."),
        operation("prewarm_list", Get, "/v1/admin/prewarm", "Lists announced crowds that are not over.")
            .answers::<prewarm::PrewarmList>(200, "The pre-warms."),
        operation(
            "prewarm_add",
            Post,
            "/v1/admin/prewarm",
            "Announces a crowd, so that gateways start beforehand.",
        )
        .body::<prewarm::PrewarmRequest>()
        .answers::<prewarm::PrewarmView>(201, "The pre-warm; the same room and time changes it.")
        .refuses(&[Code::UnknownRoom, Code::Conflict]),
        operation("prewarm_delete", Delete, "/v1/admin/prewarm/{id}", "Deletes a pre-warm that is not over.")
            .answer(204, "The pre-warm is deleted.", Body::Empty)
            .refuses(&[Code::NotFound]),
    ]
}
