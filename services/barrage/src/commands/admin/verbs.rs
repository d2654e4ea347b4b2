//! The call of the admin API behind each verb of the command line.

use barrage_protocol::RoomId;
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use super::call::Call;
use crate::cli::admin::{
    AuditCommand, EmoteCommand, EventClassArgument, ExportFormatArgument, FallbackWord, FleetCommand,
    GatewayCommand, InboxCommand, MessageCommand, OnOff, PartitionsCommand, PollCommand, PrewarmCommand,
    RecorderCommand, ReviewCommand, RoomCommand, SwitchCommand, TraceCommand, UserCommand, UserInRoom,
    WebhookCommand, WordsCommand,
};

/// Returns the call that shows the settings of one room.
pub(super) fn settings(room: &(impl ToString + ?Sized)) -> Call {
    Call::new("room_list").only("room_settings", "rooms", "id", room)
}

/// Makes an id for an action that no other command uses.
fn new_id() -> String {
    format!("cli-{:016x}", rand::random::<u64>())
}

/// Verbs of a noun, each of which is a call of the admin API.
pub(crate) trait Verb {
    /// Returns the call of the verb.
    fn call(&self) -> Call;
}

impl Verb for RoomCommand {
    fn call(&self) -> Call {
        let of = |operation, room: &RoomId| Call::new(operation).path("room", room);
        match self {
            RoomCommand::List => Call::new("room_list"),
            RoomCommand::Settings { room } => settings(room),
            RoomCommand::Set { room, title, stream_started } => {
                let started_ms = stream_started.map(|at| at.unix_timestamp_nanos() / 1_000_000);
                let fields = [
                    ("title", title.as_ref().map(|title| json!(title))),
                    (
                        "stream_started_at_ms",
                        started_ms.and_then(|ms| u64::try_from(ms).ok()).map(|ms| json!(ms)),
                    ),
                ];
                of("room_set", room).body(present(fields))
            }
            RoomCommand::Export { room, format, from_ms, to_ms } => {
                let format = match format {
                    ExportFormatArgument::Xml => "xml",
                    ExportFormatArgument::Ass => "ass",
                    ExportFormatArgument::Jsonl => "jsonl",
                };
                let call = of("room_export", room).query("format", Some(format));
                Call { is_file: true, ..call.query("from_ms", *from_ms).query("to_ms", *to_ms) }
            }
            RoomCommand::Roles { room } => of("room_roles", room),
            RoomCommand::Attributes { room } => of("room_attributes", room),
            RoomCommand::Act { room, action, id, reason } => {
                let id = id.as_ref().map_or_else(new_id, ToString::to_string);
                let fields = [
                    ("id", Some(json!(id))),
                    ("action", Some(json!(action))),
                    ("reason", reason.as_ref().map(|reason| json!(reason))),
                ];
                of("room_act", room).body(present(fields))
            }
            RoomCommand::Close { room } => of("room_close", room),
            RoomCommand::MuteAll { room, state } => {
                of("room_mute_all", room).body(json!({ "on": *state == OnOff::On }))
            }
            RoomCommand::SlowMode { room, time } => {
                of("room_slow_mode", room).body(json!({ "secs": time.as_secs() }))
            }
            RoomCommand::Event { room, event, id, class, data } => {
                let class = match class {
                    EventClassArgument::Signal => "signal",
                    EventClassArgument::Gift => "gift",
                    EventClassArgument::Chat => "chat",
                };
                let body = json!({ "id": id, "event": event, "class": class, "data": data });
                of("room_event", room).body(body)
            }
        }
    }
}

impl Verb for UserCommand {
    fn call(&self) -> Call {
        let of = |operation, target: &UserInRoom, secs: Option<u64>| {
            let fields = [
                ("user", Some(json!(target.user))),
                ("secs", secs.map(|secs| json!(secs))),
                ("reason", target.reason.as_ref().map(|reason| json!(reason))),
            ];
            Call::new(operation).path("room", &target.room).body(present(fields))
        };
        match self {
            UserCommand::Mute { target, time } => of("user_mute", target, Some(time.as_secs())),
            UserCommand::Unmute(target) => of("user_unmute", target, None),
            UserCommand::Kick { target, time } => of("user_kick", target, Some(time.as_secs())),
            UserCommand::Unkick(target) => of("user_unkick", target, None),
            UserCommand::Restrictions { room, after, limit } => Call::new("user_restrictions")
                .path("room", room)
                .query("after", after.as_ref())
                .query("limit", limit.as_ref()),
            UserCommand::Revoke { user } => Call::new("user_revoke").path("user", user),
            UserCommand::RevokeAll { yes } => Call::new("user_revoke_all").body(json!({ "all": yes })),
        }
    }
}

impl Verb for ReviewCommand {
    fn call(&self) -> Call {
        match self {
            ReviewCommand::List { room } => Call::new("review_list").path("room", room),
            ReviewCommand::Decide { review, decision, room, time, reason } => {
                let fields = [
                    ("decision", Some(json!(decision.label()))),
                    ("secs", time.map(|time| json!(time.as_secs()))),
                    ("reason", reason.as_ref().map(|reason| json!(reason))),
                ];
                Call::new("review_decide").path("room", room).path("review", review).body(present(fields))
            }
            ReviewCommand::ListMedia => Call::new("review_list_media"),
            ReviewCommand::DecideMedia { digest, decision } => Call::new("review_decide_media")
                .path("digest", digest)
                .body(json!({ "decision": decision.label() })),
            ReviewCommand::LiftMedia { digest } => Call::new("review_lift_media").path("digest", digest),
            ReviewCommand::SetFallback { room, fallback, after } => {
                let fallback = match fallback {
                    FallbackWord::Approve => Some(json!("approve")),
                    FallbackWord::Deny => Some(json!("deny")),
                    FallbackWord::None => None,
                };
                let secs = after.map(|after| json!(after.as_secs()));
                let fields = [("fallback", fallback), ("fallback_secs", secs)];
                Call::new("review_set_fallback").path("room", room).body(present(fields))
            }
        }
    }
}

impl Verb for WordsCommand {
    fn call(&self) -> Call {
        match self {
            WordsCommand::Show { room } => Call::new("words_show").path("room", room),
            WordsCommand::Set { room, rules } => {
                Call::new("words_set").path("room", room).body(rules.clone())
            }
            WordsCommand::Test { room, text } => {
                Call::new("words_test").path("room", room).body(json!({ "text": text }))
            }
        }
    }
}

impl Verb for EmoteCommand {
    fn call(&self) -> Call {
        match self {
            EmoteCommand::Show { room } => Call::new("emote_show").path("room", room),
            EmoteCommand::Import { room, emotes } => {
                Call::new("emote_import").path("room", room).body(emotes.clone())
            }
            EmoteCommand::Put { room, id, name, url, px, animated, reference, kind } => {
                let kind = format!("{kind:?}").to_lowercase();
                let mut body = json!({ "name": name, "kind": kind });
                match reference {
                    Some(reference) => body["reference"] = json!(reference),
                    None => {
                        (body["url"], body["px"], body["animated"]) =
                            (json!(url), json!(px), json!(animated));
                    }
                }
                Call::new("emote_put").path("room", room).path("emote", id).body(body)
            }
            EmoteCommand::Remove { room, id } => {
                Call::new("emote_remove").path("room", room).path("emote", id)
            }
        }
    }
}

impl Verb for MessageCommand {
    fn call(&self) -> Call {
        match self {
            MessageCommand::Recall { sequence, room } => {
                Call::new("message_recall").path("room", room).body(json!({ "sequence": sequence }))
            }
            MessageCommand::Broadcast { text, id } => {
                let fields = [("text", Some(json!(text))), ("id", id.as_ref().map(|id| json!(id)))];
                Call::new("message_broadcast").body(present(fields))
            }
            MessageCommand::ListMedia { room, before, limit } => Call::new("message_list_media")
                .path("room", room)
                .query("before", before.map(|before| before.0))
                .query("limit", limit.as_ref()),
            MessageCommand::AllowMedia { digest } => {
                Call::new("message_allow_media").body(json!({ "digest": digest }))
            }
            MessageCommand::RemoveMedia { digest } => {
                Call::new("message_remove_media").body(json!({ "digest": digest }))
            }
            MessageCommand::Why { id } => Call::new("message_why").path("id", id),
            MessageCommand::FanOut { sequence, room, gateway } => Call::new("message_fan_out")
                .path("room", room)
                .path("sequence", sequence)
                .at(gateway.as_ref()),
        }
    }
}

impl Verb for PollCommand {
    fn call(&self) -> Call {
        match self {
            PollCommand::List { room } => Call::new("poll_list").path("room", room),
            PollCommand::Open { room, poll, question, options, time, no_guests, words } => {
                Call::new("poll_open").path("room", room).body(json!({
                    "id": poll,
                    "question": question,
                    "options": options,
                    "secs": time.as_secs(),
                    "guests": !no_guests,
                    "words": words,
                }))
            }
            PollCommand::Close { room, poll } => {
                Call::new("poll_close").path("room", room).path("poll", poll)
            }
        }
    }
}

impl Verb for GatewayCommand {
    fn call(&self) -> Call {
        match self {
            GatewayCommand::List => {
                Call::new("fleet_list").only("gateway_list", "instances", "role", "gateway")
            }
            GatewayCommand::Show { gateway } => Call::new("gateway_show").at(gateway.as_ref()),
            GatewayCommand::Drain { gateway, within } => {
                let within_secs = within.map(|within| json!(within.as_secs()));
                Call::new("gateway_drain").at(gateway.as_ref()).body(present([("within_secs", within_secs)]))
            }
            GatewayCommand::Undrain { gateway } => Call::new("gateway_undrain").at(gateway.as_ref()),
            GatewayCommand::GiveBack { gateway, share } => {
                Call::new("gateway_give_back").at(gateway.as_ref()).body(json!({ "share": share }))
            }
            GatewayCommand::Weights => Call::new("gateway_weights"),
            GatewayCommand::Factors => Call::new("gateway_factors"),
            GatewayCommand::SetFactors { factors } => {
                let factors: Map<_, _> =
                    factors.iter().map(|(id, factor)| (id.clone(), json!(factor))).collect();
                Call::new("gateway_set_factors").body(json!({ "factors": factors }))
            }
        }
    }
}

impl Verb for SwitchCommand {
    fn call(&self) -> Call {
        match self {
            SwitchCommand::List => Call::new("switch_list"),
            SwitchCommand::Set { name, value } => {
                let value: Value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                Call::new("switch_set").path("name", name).body(json!({ "value": value }))
            }
        }
    }
}

impl Verb for PrewarmCommand {
    fn call(&self) -> Call {
        match self {
            PrewarmCommand::List => Call::new("prewarm_list"),
            PrewarmCommand::Add { room, at, viewers, time } => Call::new("prewarm_add").body(json!({
                "room": room,
                "at": at.format(&Rfc3339).unwrap_or_default(),
                "viewers": viewers,
                "lasts_secs": time.as_secs(),
            })),
            PrewarmCommand::Delete { id } => Call::new("prewarm_delete").path("id", id),
        }
    }
}

impl Verb for WebhookCommand {
    fn call(&self) -> Call {
        match self {
            WebhookCommand::List => Call::new("webhook_list"),
            WebhookCommand::Deliveries { endpoint, state, before, limit } => Call::new("webhook_deliveries")
                .path("endpoint", endpoint)
                .query("state", state.map(|state| state.label()))
                .query("before", before.as_ref())
                .query("limit", limit.as_ref()),
            WebhookCommand::Replay { endpoint, event, since, state } => {
                let since_ms = since.map(|at| at.unix_timestamp_nanos() / 1_000_000);
                let since_ms = since_ms.and_then(|ms| u64::try_from(ms).ok());
                let fields = [
                    ("event", event.as_ref().map(|event| json!(event))),
                    ("since_ms", since_ms.map(|ms| json!(ms))),
                    ("state", since_ms.map(|_| json!(state.label()))),
                ];
                Call::new("webhook_replay").path("endpoint", endpoint).body(present(fields))
            }
            WebhookCommand::Enable { endpoint } => Call::new("webhook_enable").path("endpoint", endpoint),
        }
    }
}

impl Verb for InboxCommand {
    fn call(&self) -> Call {
        match self {
            InboxCommand::Reports { all, before, limit } => Call::new("inbox_reports")
                .query("open", (!all).then_some(true))
                .query("before", before.as_ref())
                .query("limit", limit.as_ref()),
            InboxCommand::CloseReport { report, note } => {
                let fields = [("note", note.as_ref().map(|note| json!(note)))];
                Call::new("inbox_close_report").path("report", report).body(present(fields))
            }
            InboxCommand::Live { host, stream, room, title } => {
                let fields = [
                    ("stream", Some(json!(stream))),
                    ("room", Some(json!(room))),
                    ("title", title.as_ref().map(|title| json!(title))),
                ];
                Call::new("inbox_live").path("host", host).body(present(fields))
            }
            InboxCommand::Erase { user } => Call::new("inbox_erase").path("user", user),
            InboxCommand::Export { user } => {
                Call { is_file: true, ..Call::new("inbox_export").path("user", user) }
            }
        }
    }
}

impl Verb for AuditCommand {
    fn call(&self) -> Call {
        let AuditCommand::List { room, user, actor, action, before, limit } = self;
        Call::new("audit_list")
            .query("room", room.as_ref())
            .query("user", user.as_ref())
            .query("actor", actor.as_ref())
            .query("action", action.as_ref())
            .query("before", before.as_ref())
            .query("limit", limit.as_ref())
    }
}

impl Verb for FleetCommand {
    fn call(&self) -> Call {
        let FleetCommand::List = self;
        Call::new("fleet_list")
    }
}

impl Verb for TraceCommand {
    fn call(&self) -> Call {
        match self {
            TraceCommand::Show => Call::new("trace_show"),
            TraceCommand::Set { settings } => {
                Call::new("trace_set").body(Value::Object(settings.iter().cloned().collect()))
            }
        }
    }
}

impl Verb for PartitionsCommand {
    fn call(&self) -> Call {
        match self {
            PartitionsCommand::Show => Call::new("partitions_show"),
            PartitionsCommand::Set { partitions } => {
                Call::new("partitions_set").body(json!({ "partitions": partitions }))
            }
        }
    }
}

impl Verb for RecorderCommand {
    fn call(&self) -> Call {
        match self {
            RecorderCommand::Uplink { room } => Call::new("recorder_uplink").query("room", Some(room)),
            RecorderCommand::Gateway { gateway, room } => {
                Call::new("recorder_gateway").query("room", Some(room)).at(gateway.as_ref())
            }
        }
    }
}

/// Makes a body of the fields that have a value.
fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(fields.collect())
}
