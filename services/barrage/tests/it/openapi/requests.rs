//! A request for each operation, by the listener and the token that it needs.

use serde_json::{Value, json};

/// A request: the operation, the path with a query, and the body (`Null` for none).
pub(super) type Case = (&'static str, &'static str, Value);

/// A medium that does not wait.
const MEDIA_REVIEW: &str =
    "/v1/admin/media/reviews/0000000000000000000000000000000000000000000000000000000000000000";
/// Path of a denial that does not exist.
const MEDIA_DENIAL: &str =
    "/v1/admin/media/denials/0000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn public() -> Vec<Case> {
    let gift = json!({ "type": "gift", "id": "g1", "gift": { "name": "rose", "count": 2, "combo": 1 } });
    let style = json!({ "mode": "top", "color": 255, "size": "large" });
    let chat = json!({ "type": "chat", "id": "c1", "text": "hello", "style": style });
    let like = json!({ "type": "like", "id": "l1", "count": 3 });
    let login = json!({ "name": "Ann", "password": "correct horse battery" });
    let session = json!({ "session": "bs-0" });
    let change =
        json!({ "session": "bs-0", "password": "correct horse battery", "new_password": "another horse" });
    let results = json!({ "results": [{ "gateway": "g", "elapsed_ms": 12 }, { "gateway": "h" }] });
    vec![
        ("entry_ask", "/v1/entry?room=demo&purpose=watch", Value::Null),
        ("entry_ask", "/v1/entry?room=none", Value::Null),
        ("entry_fallback", "/v1/entry/fallback", Value::Null),
        ("race_run", "/v1/race", Value::Null),
        ("uplink_ping", "/v1/ping", Value::Null),
        ("reaction_list", "/v1/reactions", Value::Null),
        ("race_report", "/v1/entry/race", results),
        ("guest_create", "/v1/guest", json!({ "name": "Ann" })),
        ("account_info", "/v1/accounts", Value::Null),
        ("account_register", "/v1/accounts/register", login.clone()),
        ("account_register", "/v1/accounts/register", login.clone()),
        ("account_login", "/v1/accounts/login", login),
        ("account_me", "/v1/accounts/me", session.clone()),
        ("account_password", "/v1/accounts/password", change),
        ("account_sessions", "/v1/accounts/sessions", session.clone()),
        ("account_logout", "/v1/accounts/logout", session),
        ("message_send", "/v1/rooms/demo/messages", chat.clone()),
        ("message_send", "/v1/rooms/demo/messages", chat),
        ("message_send", "/v1/rooms/demo/messages", like),
        ("message_send", "/v1/rooms/none/messages", gift.clone()),
        ("package_send", "/v1/rooms/demo/packages", json!({ "messages": [gift] })),
        ("history_list", "/v1/rooms/demo/history?limit=1", Value::Null),
        ("history_list", "/v1/rooms/demo/history?limit=0", Value::Null),
        ("history_list", "/v1/rooms/demo/history?format=xml", Value::Null),
        ("history_list", "/v1/rooms/demo/history?format=ass&limit=1", Value::Null),
        ("dplayer_read", "/v1/rooms/demo/dplayer/v3/?id=demo&max=10", Value::Null),
        ("dplayer_read", "/v1/rooms/none/dplayer/v3/?id=none", Value::Null),
        ("room_poll", "/v1/rooms/demo/poll", Value::Null),
        ("room_poll", "/v1/rooms/demo/poll?after=0", Value::Null),
    ]
}

/// Requests about letters and groups, of a user who writes to itself, to others and to nobody.
pub(super) fn letters() -> Vec<Case> {
    let letter = json!({ "type": "text", "id": "m1", "text": "hello", "reply_to": 1 });
    let sticker = json!({ "type": "sticker", "id": "m2", "sticker": "cat" });
    let package = json!({ "letters": [letter, sticker] });
    let direct = "/v1/conversations/d.00000000000000000000000000000000";
    vec![
        ("letter_send", "/v1/users/u/messages", letter.clone()),
        ("letter_send", "/v1/users/u/messages", letter.clone()),
        ("letter_send", "/v1/users/a/messages", letter.clone()),
        ("letter_package", "/v1/users/w/packages", package.clone()),
        ("conversation_send", "/v1/conversations/g.none/messages", letter),
        ("conversation_package", "/v1/conversations/g.none/packages", package),
        ("inbox_sync", "/v1/inbox?at_least=1&wait_secs=1", Value::Null),
        ("inbox_sync", "/v1/inbox?cursor=forged", Value::Null),
        ("conversation_items", "/v1/conversations/g.none/messages?limit=5", Value::Null),
        ("conversation_read", "/v1/conversations/g.none/read", Value::Null),
        ("inbox_read", "/v1/inbox/reads", json!({ "reads": [{ "conversation": "g.none", "position": 1 }] })),
        ("item_recall", "/v1/conversations/g.none/recall", json!({ "position": 1 })),
        ("item_hide", "/v1/conversations/g.none/hide", json!({ "position": 1 })),
        ("conversation_clear", "/v1/conversations/g.none/clear", json!({ "position": 1 })),
        ("conversation_see", direct, json!({ "pinned": true })),
        ("preferences_set", "/v1/inbox/preferences", json!({ "policy": "known", "receipts": "hidden" })),
        ("preferences_show", "/v1/inbox/preferences", Value::Null),
        ("push_key", "/v1/push/key", Value::Null),
        ("device_register", "/v1/inbox/devices/d1", json!({ "platform": "fcm", "token": "t" })),
        ("device_register", "/v1/inbox/devices/d%201", json!({ "platform": "fcm", "token": "t" })),
        ("devices_list", "/v1/inbox/devices", Value::Null),
        ("device_remove", "/v1/inbox/devices/d1", Value::Null),
        ("notifications_set", "/v1/inbox/notifications", json!({ "live": false, "quiet": quiet("UTC") })),
        ("notifications_set", "/v1/inbox/notifications", json!({ "quiet": quiet("Mars/Base") })),
        ("notifications_show", "/v1/inbox/notifications", Value::Null),
        ("follow_begin", "/v1/follows/u", Value::Null),
        ("follow_begin", "/v1/follows/host", Value::Null),
        ("follows_list", "/v1/follows?limit=1", Value::Null),
        ("follow_end", "/v1/follows/host", Value::Null),
        ("block_begin", "/v1/blocks/u", Value::Null),
        ("block_end", "/v1/blocks/u", Value::Null),
        ("report_letter", "/v1/reports", json!({ "user": "u", "conversation": "g.none", "reason": "spam" })),
        ("group_create", "/v1/groups", json!({ "title": "Fans", "room": "demo", "slow_mode_secs": 5 })),
        ("group_show", "/v1/groups/g.none", Value::Null),
        ("group_change", "/v1/groups/g.none", json!({ "title": "Others" })),
        ("group_delete", "/v1/groups/g.none", Value::Null),
        ("group_join", "/v1/groups/g.none/join", Value::Null),
        ("group_leave", "/v1/groups/g.none/leave", Value::Null),
        ("group_members", "/v1/groups/g.none/members", Value::Null),
        ("group_appoint", "/v1/groups/g.none/members/u", json!({ "role": "moderator" })),
    ]
}

/// Quiet hours in a time zone.
fn quiet(zone: &str) -> Value {
    json!({ "from": "22:00", "to": "07:00", "zone": zone })
}

/// Requests of those who run a room, on the public listener.
pub(super) fn acting() -> Vec<Case> {
    let role = json!({ "id": "r1", "role": "moderator", "reason": "helps" });
    let rules = json!([{ "name": "ask", "words": ["leak"], "action": "review", "shadow": true }]);
    let emote = json!({ "id": "1", "name": "Kappa", "url": "/emotes/1.png", "px": [28] });
    let act = |id: &str, action: Value| json!({ "id": id, "action": action, "reason": "spam" });
    vec![
        ("action_send", "/v1/rooms/demo/actions", act("a1", json!({ "type": "announce", "text": "soon" }))),
        ("action_send", "/v1/rooms/demo/actions", act("a2", json!({ "type": "kick", "user": "u" }))),
        ("action_send", "/v1/rooms/demo/actions", act("a2", json!({ "type": "kick", "user": "u" }))),
        (
            "action_send",
            "/v1/rooms/demo/actions",
            act("a3", json!({ "type": "recall", "sequence": 999_999 })),
        ),
        ("action_send", "/v1/rooms/demo/actions", act("a4", json!({ "type": "clear" }))),
        ("poll_send", "/v1/rooms/demo/polls", poll("p1")),
        ("poll_send", "/v1/rooms/demo/polls", poll("p2")),
        ("poll_results", "/v1/rooms/demo/polls", Value::Null),
        ("vote_send", "/v1/rooms/demo/polls/p1/votes", json!({ "option": 1 })),
        ("vote_send", "/v1/rooms/demo/polls/none/votes", json!({ "option": 1 })),
        ("poll_end", "/v1/rooms/demo/polls/p1/close", Value::Null),
        ("vote_send", "/v1/rooms/demo/polls/p1/votes", json!({ "option": 1 })),
        ("role_put", "/v1/rooms/demo/roles/u", role.clone()),
        ("role_put", "/v1/rooms/none/roles/u", role),
        ("room_words_set", "/v1/rooms/demo/words", json!({ "rules": rules })),
        ("room_words_set", "/v1/rooms/demo/words", json!({ "version": 7, "rules": rules })),
        ("room_words", "/v1/rooms/demo/words", Value::Null),
        ("room_words_test", "/v1/rooms/demo/words/test", json!({ "text": "a leak" })),
        ("room_reviews_set", "/v1/rooms/demo/reviews", json!({ "fallback": "deny", "fallback_secs": 60 })),
        ("report_send", "/v1/rooms/demo/reports", json!({ "user": "u", "reason": "rude" })),
        ("room_reviews", "/v1/rooms/demo/reviews", Value::Null),
        ("room_media", "/v1/rooms/demo/media?limit=5", Value::Null),
        // The id of the reports about a user is made of the room and the user.
        (
            "review_decide",
            "/v1/rooms/demo/reviews/rv-f07ecb2efe9ff81c482e3b79",
            json!({ "decision": "take" }),
        ),
        ("room_review_decide", "/v1/rooms/demo/reviews/rv-none", json!({ "decision": "deny" })),
        ("role_list", "/v1/rooms/demo/roles", Value::Null),
        ("token_make", "/v1/rooms/demo/tokens", json!({ "ttl_secs": 600 })),
        ("token_make", "/v1/rooms/none/tokens", json!({ "ttl_secs": 600 })),
        ("room_emote_set", "/v1/rooms/demo/emotes", json!({ "emotes": [emote] })),
        ("room_emote_list", "/v1/rooms/demo/emotes", Value::Null),
        ("emote_set", "/v1/emotes", json!({ "emotes": [] })),
        ("emote_list", "/v1/emotes", Value::Null),
        (
            "attribute_put",
            "/v1/rooms/demo/attributes/score",
            json!({ "id": "t1", "text": "1:0", "ttl_secs": 600 }),
        ),
        (
            "attribute_put",
            "/v1/rooms/demo/attributes/score",
            json!({ "id": "t2", "text": "x", "if_version": 1 }),
        ),
        ("attribute_list", "/v1/rooms/demo/attributes", Value::Null),
        ("attribute_read", "/v1/rooms/demo/attributes/score", Value::Null),
        ("attribute_read", "/v1/rooms/demo/attributes/none", Value::Null),
        ("attribute_delete", "/v1/rooms/demo/attributes/score?id=t3", Value::Null),
    ]
}

/// Requests to the listener of media.
pub(super) fn media() -> Vec<Case> {
    let known = json!({ "sha256": "0".repeat(64), "length": 10 });
    let proof = json!({ "sha256": "0".repeat(64), "length": 10, "nonce": "00", "answer": "00" });
    let upload = "/v1/uploads/00000000000000000000000000000000";
    vec![
        ("upload_create", "/v1/uploads", Value::Null),
        ("upload_show", upload, Value::Null),
        ("upload_append", upload, Value::Null),
        ("upload_end", upload, Value::Null),
        ("upload_know", "/v1/uploads/known", known),
        ("upload_know", "/v1/uploads/known", proof),
        ("media_refer", "/v1/media/references", json!({ "digest": "0".repeat(64) })),
        ("avatar_set", "/v1/media/avatars", json!({ "digest": "0".repeat(64) })),
        ("avatar_remove", "/v1/media/avatars", Value::Null),
        ("avatar_read", "/v1/avatars/00", Value::Null),
        ("media_read", "/v1/media/00/original?k=a&s=b", Value::Null),
    ]
}

fn poll(id: &str) -> Value {
    json!({ "id": id, "question": "Which?", "options": ["a", "b"], "secs": 60 })
}

pub(super) fn admin() -> Vec<Case> {
    let crowd = json!({ "at": "2099-01-01T00:00:00Z", "room": "demo", "viewers": 1000, "lasts_secs": 60 });
    let soon = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    let soon = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    let near = json!({ "at": soon, "room": "demo", "viewers": 1000, "lasts_secs": 60 });
    let mute = json!({ "user": "u", "secs": 60, "reason": "spam" });
    let lift = json!({ "user": "u" });
    let emote = json!({ "name": "Kappa", "url": "/e/1.png", "px": [28] });
    let event = json!({ "id": "e1", "event": "shop.card", "class": "gift", "data": { "item": 42 } });
    vec![
        ("fleet_list", "/v1/admin/fleet", Value::Null),
        ("overview_show", "/v1/admin/overview", Value::Null),
        ("process_show", "/v1/admin/state", Value::Null),
        ("message_find", "/v1/admin/messages/c1", Value::Null),
        ("room_offered", "/v1/admin/offered", Value::Null),
        ("instance_get", "/v1/admin/instances/gateway/none/drain", Value::Null),
        ("instance_post", "/v1/admin/instances/gateway/none/drain", Value::Null),
        ("instance_put", "/v1/admin/instances/entry/none/factors", Value::Null),
        ("instance_delete", "/v1/admin/instances/gateway/none/drain", Value::Null),
        ("instance_get_one", "/v1/admin/instances/uplink/none/why/c1", Value::Null),
        ("instance_post_one", "/v1/admin/instances/uplink/none/why/c1", Value::Null),
        ("instance_put_one", "/v1/admin/instances/uplink/none/switches/no-likes", Value::Null),
        ("instance_delete_one", "/v1/admin/instances/entry/none/prewarm/a.1", Value::Null),
        ("room_set", "/v1/admin/rooms/new", json!({ "title": "New" })),
        ("room_set", "/v1/admin/rooms/new", json!({ "stream_started_at_ms": 1 })),
        ("room_list", "/v1/admin/rooms", Value::Null),
        ("poll_open", "/v1/admin/rooms/new/polls", poll("p1")),
        ("poll_list", "/v1/admin/rooms/new/polls", Value::Null),
        ("poll_close", "/v1/admin/rooms/new/polls/p1/close", Value::Null),
        ("room_mute_all", "/v1/admin/rooms/new/mute-all", json!({ "on": true })),
        ("room_slow_mode", "/v1/admin/rooms/new/slow-mode", json!({ "secs": 5 })),
        ("room_act", "/v1/admin/rooms/new/actions", json!({ "id": "a1", "action": { "type": "unpin" } })),
        ("room_roles", "/v1/admin/rooms/demo/roles", Value::Null),
        ("room_attributes", "/v1/admin/rooms/demo/attributes", Value::Null),
        ("emote_import", "/v1/admin/rooms/demo/emotes", json!({ "emotes": [] })),
        ("emote_put", "/v1/admin/rooms/demo/emotes/e1", emote.clone()),
        ("emote_put", "/v1/admin/rooms/none/emotes/e1", emote),
        ("emote_show", "/v1/admin/rooms/demo/emotes", Value::Null),
        ("emote_remove", "/v1/admin/rooms/demo/emotes/e1", Value::Null),
        ("emote_remove", "/v1/admin/rooms/demo/emotes/e1", Value::Null),
        ("user_mute", "/v1/admin/rooms/demo/mute", mute.clone()),
        ("user_mute", "/v1/admin/rooms/none/mute", mute.clone()),
        ("user_kick", "/v1/admin/rooms/demo/kick", mute),
        ("user_restrictions", "/v1/admin/rooms/demo/restrictions?limit=5", Value::Null),
        ("user_unmute", "/v1/admin/rooms/demo/unmute", lift.clone()),
        ("user_unkick", "/v1/admin/rooms/demo/unkick", lift),
        ("user_revoke", "/v1/admin/users/u/revoke", Value::Null),
        ("room_event", "/v1/admin/rooms/demo/events", event.clone()),
        ("room_event", "/v1/admin/rooms/demo/events", event),
        ("message_remove_media", "/v1/admin/media/remove", json!({ "digest": "0".repeat(64) })),
        ("message_allow_media", "/v1/admin/media/allow", json!({ "digest": "0".repeat(64) })),
        ("message_allow_media", "/v1/admin/media/allow", json!({ "digest": "0".repeat(64) })),
        ("message_list_media", "/v1/admin/rooms/demo/media?limit=5", Value::Null),
        ("message_list_media", "/v1/admin/rooms/demo/media?limit=0", Value::Null),
        ("message_recall", "/v1/admin/rooms/demo/recall", json!({ "sequence": 999_999 })),
        ("message_broadcast", "/v1/admin/broadcast", json!({ "text": "Maintenance at ten", "id": "b1" })),
        ("message_why", "/v1/admin/why/c1", Value::Null),
        ("message_why", "/v1/admin/why/none", Value::Null),
        ("room_top", "/v1/admin/top-rooms", Value::Null),
        ("message_fan_out", "/v1/admin/rooms/demo/fan-outs/1", Value::Null),
        ("inbox_reports", "/v1/admin/reports?limit=5", Value::Null),
        ("inbox_close_report", "/v1/admin/reports/1/close", json!({ "note": "nothing" })),
        (
            "inbox_live",
            "/v1/admin/hosts/host/live",
            json!({ "stream": "s1", "room": "demo", "title": "New" }),
        ),
        ("inbox_live", "/v1/admin/hosts/other/live", json!({ "stream": "s1", "room": "demo" })),
        ("inbox_erase", "/v1/admin/users/u/inbox/erase", Value::Null),
        ("inbox_export", "/v1/admin/users/u/inbox/export", Value::Null),
        ("webhook_list", "/v1/admin/webhooks", Value::Null),
        ("webhook_deliveries", "/v1/admin/webhooks/none/deliveries?limit=5", Value::Null),
        ("webhook_replay", "/v1/admin/webhooks/none/replay", json!({ "event": "demo/1" })),
        ("webhook_replay", "/v1/admin/webhooks/none/replay", json!({})),
        ("webhook_enable", "/v1/admin/webhooks/none/enable", Value::Null),
        ("words_set", "/v1/admin/rooms/demo/words", json!({ "rules": [] })),
        ("words_show", "/v1/admin/rooms/demo/words", Value::Null),
        ("words_test", "/v1/admin/rooms/demo/words/test", json!({ "text": "a leak" })),
        ("review_set_fallback", "/v1/admin/rooms/demo/reviews", json!({ "fallback_secs": 0 })),
        ("review_list", "/v1/admin/rooms/demo/reviews", Value::Null),
        ("review_decide", "/v1/admin/rooms/demo/reviews/rv-none", json!({ "decision": "deny" })),
        ("review_list_media", "/v1/admin/media/reviews", Value::Null),
        ("review_decide_media", MEDIA_REVIEW, json!({ "decision": "deny" })),
        ("review_lift_media", MEDIA_DENIAL, Value::Null),
        ("switch_list", "/v1/admin/switches", Value::Null),
        ("switch_set", "/v1/admin/switches/no-likes", json!({ "value": true })),
        ("switch_set", "/v1/admin/switches/none", json!({ "value": true })),
        ("trace_show", "/v1/admin/trace", Value::Null),
        ("trace_set", "/v1/admin/trace", json!({ "watch_rooms": ["demo"] })),
        ("trace_set", "/v1/admin/trace", json!({ "watch_rooms": 1 })),
        ("partitions_show", "/v1/admin/bus/partitions", Value::Null),
        ("partitions_set", "/v1/admin/bus/partitions", json!({ "partitions": 1 })),
        ("partitions_set", "/v1/admin/bus/partitions", json!({ "partitions": 2 })),
        ("audit_list", "/v1/admin/audit?limit=10", Value::Null),
        ("recorder_uplink", "/v1/admin/recorder/uplink?room=demo", Value::Null),
        ("recorder_gateway", "/v1/admin/recorder/gateway?room=demo", Value::Null),
        ("gateway_weights", "/v1/admin/weights", Value::Null),
        ("gateway_set_factors", "/v1/admin/factors", json!({ "factors": { "g": 0.5 } })),
        ("gateway_factors", "/v1/admin/factors", Value::Null),
        ("prewarm_add", "/v1/admin/prewarm", near),
        ("prewarm_add", "/v1/admin/prewarm", crowd),
        ("prewarm_list", "/v1/admin/prewarm", Value::Null),
        ("prewarm_delete", "/v1/admin/prewarm/none", Value::Null),
        ("gateway_give_back", "/v1/admin/give-back", json!({ "share": 0.5 })),
        ("gateway_drain", "/v1/admin/drain", json!({ "within_secs": 60 })),
        ("gateway_show", "/v1/admin/drain", Value::Null),
        ("gateway_undrain", "/v1/admin/drain", Value::Null),
        ("room_export", "/v1/admin/rooms/demo/export?format=jsonl", Value::Null),
        ("room_export", "/v1/admin/rooms/demo/export?format=pdf", Value::Null),
        ("room_close", "/v1/admin/rooms/new/close", Value::Null),
        ("health_show", "/healthz", Value::Null),
        ("ready_show", "/readyz", Value::Null),
        ("metrics_show", "/metrics", Value::Null),
        ("user_revoke_all", "/v1/admin/tokens/revoke", json!({ "all": true })),
    ]
}
