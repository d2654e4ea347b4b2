//! DPlayer's danmaku back end, version 3: `GET` and `POST .../dplayer/v3/`.
//!
//! DPlayer writes texts of other users into its page as HTML, so every text leaves this route escaped.
//! It sends no header of its own: the token of a post is in the body, and reading works where anonymous
//! viewers may read.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_protocol::post::{Mode, Post, PostAnswer, Size, Style};
use barrage_protocol::{Code, MessageId, RoomId, TraceId};
use barrage_recording::{Item, ItemKind, convert};
use http::{HeaderMap, HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::history::{self, HistoryState};
use super::history_access::authorize;
use crate::answer_memory::Reserved;
use crate::record::RequestTrace;
use crate::room::parse_room_id;
use crate::uplink::Uplink;

/// Danmaku of an answer at most, and without `max`; DPlayer's own default is the same.
const MAX: usize = 1_000;
/// Bytes of an answer besides its danmaku.
const FRAME_BYTES: usize = 64;
/// Bytes of the id that a post gets, as hexadecimal digits of a hash.
const ID_BYTES: usize = 6;
/// White as RGB, the color of a danmaku without one.
const WHITE: u32 = 0xff_ffff;

#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DplayerQuery {
    /// DPlayer's id of the video, which is not used: the path names the room.
    #[serde(rename = "id")]
    _id: Option<String>,
    /// Newest danmaku to read, 1,000 at most.
    max: Option<usize>,
}

/// A post as DPlayer sends it. Fields of other versions are ignored.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DplayerPost {
    /// Token of a user or a guest: `danmaku.token` of the player.
    #[serde(default)]
    token: String,
    /// Position in the video in seconds. A retry of the same text at the same time is one post.
    #[serde(default)]
    time: Value,
    /// Text of the danmaku.
    text: String,
    /// Color as RGB number; white when absent.
    #[serde(default = "white")]
    color: u32,
    /// 0 scrolls, 1 is at the top, 2 at the bottom.
    #[serde(default, rename = "type")]
    kind: u8,
}

fn white() -> u32 {
    WHITE
}

/// Answer with danmaku, in DPlayer's form.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DplayerAnswer {
    /// Always 0; another code is a refusal.
    code: u16,
    /// Each a list: seconds, type, color, author, text. Author and text are escaped for HTML.
    data: Vec<(f64, u8, u32, String, String)>,
}

/// Answer to a post, in DPlayer's form.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DplayerPosted {
    /// Always 0; another code is a refusal.
    code: u16,
    /// The post as every other client sends it.
    data: DplayerSent,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DplayerSent {
    /// Id that the server made for the post.
    id: MessageId,
}

/// Refusal in DPlayer's form.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DplayerRefusal {
    /// Status of the answer, which is not 0.
    code: u16,
    /// Reason, escaped for HTML. The player shows it where its HTTP client hands it on.
    msg: String,
}

/// Returns the newest danmaku of the room, oldest first.
pub(super) async fn read(
    State(state): State<HistoryState>,
    Path(room): Path<String>,
    query: Result<Query<DplayerQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let timer = state.uplink.metrics.history_duration.start_timer();
    let answer = newest(&state, &room, query, &headers).await;
    timer.observe_duration();
    match answer {
        Ok((reserved, answer)) => {
            let json = serde_json::to_vec(&answer).expect("answers are plain data");
            ([(header::CONTENT_TYPE, "application/json")], reserved.hold(json)).into_response()
        }
        Err(error) => refused(error),
    }
}

async fn newest(
    HistoryState { uplink, memory }: &HistoryState,
    room: &str,
    query: Result<Query<DplayerQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<(Reserved, DplayerAnswer), ApiError> {
    let Query(query) = query.map_err(|error| ApiError::new(Code::BadRequest, error.body_text()))?;
    let room = parse_room_id(room)?;
    let caller = authorize(uplink, &room, headers)?;
    let max = query.max.unwrap_or(MAX).clamp(1, MAX);
    let reserved = memory.reserve().await?;
    let history = history::newest(uplink, &room, caller.as_ref(), max).await?;
    let items = history
        .messages
        .iter()
        .rev()
        .filter_map(|message| convert::item(message.body.get(), message.offset_ms));
    let data = danmaku(items.map(|(item, _)| item), memory.answer_bytes_max());
    Ok((reserved, DplayerAnswer { code: 0, data }))
}

/// Returns the danmaku of items, which come newest first, as DPlayer's lists, oldest first. Older ones
/// than `bytes_max` has room for are left out.
fn danmaku(items: impl Iterator<Item = Item>, bytes_max: usize) -> Vec<(f64, u8, u32, String, String)> {
    use barrage_recording::Mode::{Bottom, Placed, Reverse, Scroll, Top};
    let mut left = bytes_max.saturating_sub(FRAME_BYTES);
    let mut data = Vec::new();
    for item in items {
        let ItemKind::Chat { text, mode, color, .. } = item.kind else { continue };
        let kind = match mode {
            Scroll | Reverse | Placed(_) => 0,
            Top => 1,
            Bottom => 2,
        };
        let (author, text) = (escaped(&item.sender), escaped(&text));
        // Backslashes double in JSON, and numbers have bounded lengths.
        let bytes = 2 * (author.len() + text.len()) + FRAME_BYTES;
        if bytes > left {
            break;
        }
        left -= bytes;
        data.push((item.offset_ms as f64 / 1_000.0, kind, color, author, text));
    }
    data.reverse();
    data
}

/// Takes one danmaku. The token is in the body, so a bounded body is read before the token is checked.
pub(super) async fn send(
    State(HistoryState { uplink, .. }): State<HistoryState>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let began = barrage_clock::now();
    let mut trace = RequestTrace::start(&uplink.tracer, Some(&headers));
    let result = post(&uplink, &room, client, request_body, &mut trace).await;
    uplink.metrics.duration.observe(began.elapsed().as_secs_f64(), trace.id().map(TraceId::number));
    trace.end(
        "POST /v1/rooms/{room}/dplayer/v3/",
        result.as_ref().map(|(_, answer)| Some(answer)).map_err(|error| &error.0),
    );
    match result {
        Ok((id, _)) => Json(DplayerPosted { code: 0, data: DplayerSent { id } }).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            refused(error)
        }
    }
}

async fn post(
    uplink: &Uplink,
    room: &str,
    client: ClientAddr,
    request_body: Body,
    trace: &mut RequestTrace,
) -> Result<(MessageId, PostAnswer), ApiError> {
    let room = parse_room_id(room)?;
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, uplink.config.post_bytes_max, deadline).await?;
    let given: DplayerPost = body::json(&bytes)?;
    if given.token.is_empty() {
        let message = "set danmaku.token of the player to the token of a user or a guest";
        return Err(ApiError::new(Code::Unauthorized, message));
    }
    let by = uplink.keyring.verify_for(&given.token, &room)?;
    uplink.pipeline.admit(client.0, &room, &by).await?;
    let post = given.post(&room, by.user.as_str())?;
    let answer = uplink.pipeline.post(&room, &by, &post, trace).await?;
    Ok((post.id().clone(), answer))
}

impl DplayerPost {
    /// Makes the post. Its id is a hash of sender, time and content: DPlayer has no id of its own, and a
    /// retry sends the same body.
    fn post(&self, room: &RoomId, user: &str) -> Result<Post, ApiError> {
        let mode = match self.kind {
            0 => Mode::Scroll,
            1 => Mode::Top,
            2 => Mode::Bottom,
            _ => return Err(ApiError::new(Code::BadRequest, "type: 0 right, 1 top or 2 bottom")),
        };
        let of = serde_json::json!([room, user, self.time, self.text, self.color, self.kind]);
        let digest = Sha256::digest(of.to_string().as_bytes());
        let digits: String = digest[..ID_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("dp-{digits}").parse().map_err(|_| ApiError::new(Code::Internal, "no id"))?;
        let style = Style { mode, color: self.color, size: Size::Normal, place: None };
        Ok(Post::styled_chat(id, self.text.clone(), style))
    }
}

/// Makes DPlayer's form of a refusal, with the status and the headers of ours. The player writes the reason
/// into its page as HTML, and a reason may quote the request.
fn refused(error: ApiError) -> Response {
    let msg = escaped(&error.0.message);
    let (mut parts, _) = error.into_response().into_parts();
    let refusal = DplayerRefusal { code: parts.status.as_u16(), msg };
    let json = serde_json::to_vec(&refusal).expect("refusals are plain data");
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
    Response::from_parts(parts, Body::from(json))
}

/// Escapes a text for HTML, also inside quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(offset_ms: u64, text: &str, mode: barrage_recording::Mode) -> Item {
        let kind = ItemKind::Chat { text: text.into(), mode, color: 1, size_px: 25 };
        Item { offset_ms, sender: "<A>".into(), kind }
    }

    #[test]
    fn texts_leave_escaped_and_oldest_first() {
        let newest = chat(2_500, "<img src=x onerror=\"alert('1')\">&amp;", barrage_recording::Mode::Top);
        let older = chat(1_000, "a\\b", barrage_recording::Mode::Scroll);
        let data = danmaku([newest, older].into_iter(), 10_000);
        let escaped = "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;";
        assert_eq!(data[0], (1.0, 0, 1, "&lt;A&gt;".into(), "a\\b".into()));
        assert_eq!(data[1], (2.5, 1, 1, "&lt;A&gt;".into(), escaped.into()));
    }

    #[tokio::test]
    async fn reasons_of_refusals_leave_escaped() {
        let error = body::json::<DplayerPost>(br#"{"text":"x","color":"<img src=x onerror=alert(1)>"}"#);
        let response = refused(error.unwrap_err());
        let bytes = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        let msg = json["msg"].as_str().unwrap();
        assert!(msg.contains("&lt;img src=x") && !msg.contains(['<', '>', '"']), "{msg}");
    }

    #[test]
    fn answer_is_bounded_and_keeps_the_newest() {
        let items = (0..1_000).rev().map(|n| chat(n, &"\"".repeat(200), barrage_recording::Mode::Bottom));
        let data = danmaku(items, 16_384);
        assert!((3..20).contains(&data.len()), "{}", data.len());
        assert_eq!(data.last().map(|last| last.0), Some(0.999));
        let json = serde_json::to_vec(&DplayerAnswer { code: 0, data }).unwrap();
        assert!(json.len() <= 16_384, "{}", json.len());
    }

    #[test]
    fn post_of_the_protocol_page_is_taken() {
        const PAGE: &str = include_str!("../../../../docs/reference/protocol.md");
        let (_, rest) = PAGE.split_once("```json dplayer-post\n").unwrap();
        let given: DplayerPost = serde_json::from_str(rest.split("```").next().unwrap()).unwrap();
        assert!(given.post(&"demo".parse().unwrap(), "u1").is_ok());
    }

    #[test]
    fn same_body_has_the_same_id_and_another_time_has_another() {
        let post = |time: &str, user| {
            let body = format!(
                r#"{{"token":"t","id":"v","author":"x","time":{time},"text":"hi","color":16777215,"type":1}}"#
            );
            let given: DplayerPost = serde_json::from_str(&body).unwrap();
            given.post(&"r".parse().unwrap(), user).unwrap()
        };
        assert_eq!(post("12.34", "u1"), post("12.34", "u1"));
        assert_ne!(post("12.34", "u1").id(), post("12.35", "u1").id());
        assert_ne!(post("12.34", "u1").id(), post("12.34", "u2").id());
        assert!(matches!(post("1", "u1"), Post::Chat { style: Style { mode: Mode::Top, .. }, .. }));
    }
}
