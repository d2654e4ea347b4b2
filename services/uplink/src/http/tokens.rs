//! The handler of `POST /v1/rooms/{room}/tokens`: a short token of a moderator, for a dock.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use barrage_http::{ApiError, ClientAddr};
use barrage_protocol::account::SecretText;
use barrage_protocol::code::Refusal;
use barrage_protocol::dock::{DOCK_SECS_MAX, DOCK_SECS_MIN, DockTokenAnswer, DockTokenRequest};
use barrage_protocol::{Code, RoomId};
use barrage_store::AuditRecord;
use barrage_token::{Claims, Identity, Role, Rooms};
use http::{HeaderMap, HeaderValue, header};
use serde_json::json;

use super::reviews::{read, respond};
use crate::room::{in_room, open_room, refuse_kicked};
use crate::uplink::Uplink;

const BODY_BYTES_MAX: usize = 1024;

/// Makes a token of the caller for one room, which ends at the latest with the caller's own.
pub(super) async fn make(
    State(uplink): State<Arc<Uplink>>,
    Path(room): Path<String>,
    Extension(client): Extension<ClientAddr>,
    headers: HeaderMap,
    request_body: Body,
) -> Response {
    let made = async {
        let (room, by, request): (_, _, DockTokenRequest) =
            read(&uplink, &room, client, &headers, request_body, BODY_BYTES_MAX).await?;
        token(&uplink, room, &by, &request).await
    };
    let mut response = respond(&uplink, made.await);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn token(
    uplink: &Uplink,
    room: RoomId,
    by: &Identity,
    request: &DockTokenRequest,
) -> Result<DockTokenAnswer, ApiError> {
    let settings = uplink.bus.settings().borrow().clone();
    let now_ms = barrage_clock::unix_ms();
    open_room(&settings, &room)?;
    refuse_kicked(&settings, &room, &by.user, now_ms)?;
    let claims = claims(&room, by, in_room(&settings, &room, by).role, request, now_ms / 1_000)?;
    let (role, expires_at_ms) = (claims.role.label().to_owned(), claims.exp * 1_000);
    let token = uplink.keyring.mint(claims).map_err(|error| {
        tracing::warn!(%error, "a dock token cannot be signed");
        let message = "this server only verifies tokens; ask the site that signs them for one";
        Refusal::new(Code::Forbidden, message)
    })?;
    let line = AuditRecord {
        at_ms: now_ms,
        room: Some(room.clone()),
        user: None,
        actor: by.user.to_string(),
        action: "token".into(),
        detail: json!({ "role": role, "expires_at_ms": expires_at_ms }),
    };
    uplink.audit_line(line).await;
    let (token, user) = (SecretText::new(token), by.user.clone());
    Ok(DockTokenAnswer { token, user, room, role, expires_at_ms })
}

/// Makes the claims of a dock's token. It has one room and at most the role moderator, also for a caller with
/// more. A role that the room gave stays with the room, which may take it back.
fn claims(
    room: &RoomId,
    by: &Identity,
    role: Role,
    request: &DockTokenRequest,
    now_secs: u64,
) -> Result<Claims, Refusal> {
    if role < Role::Moderator {
        return Err(Refusal::new(Code::Forbidden, "only the host and moderators may ask for a dock's token"));
    }
    if !(DOCK_SECS_MIN..=DOCK_SECS_MAX).contains(&request.ttl_secs) {
        let message = format!("ttl_secs: {DOCK_SECS_MIN} to {DOCK_SECS_MAX}");
        return Err(Refusal::new(Code::BadRequest, message));
    }
    let exp = by.expires_at_secs.min(now_secs.saturating_add(request.ttl_secs));
    if exp <= now_secs {
        return Err(Refusal::new(Code::TokenExpired, "the token of the caller has ended; sign in again"));
    }
    Ok(Claims {
        sub: by.user.clone(),
        name: Some(by.name.clone()),
        rooms: Rooms(vec![room.to_string()]),
        role: by.role.min(Role::Moderator),
        exp,
        nbf: None,
        attrs: by.attrs.as_deref().cloned(),
        aud: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_SECS: u64 = 1_800_000_000;

    fn made(of: Role, in_room: Role, ends_in: u64, ttl_secs: u64) -> Result<Claims, Code> {
        let by = Identity {
            user: "u".parse().unwrap(),
            name: "U".into(),
            role: of,
            rooms: Rooms(vec!["*".into()]),
            expires_at_secs: NOW_SECS + ends_in,
            issued_at_secs: None,
            attrs: None,
        };
        let request = DockTokenRequest { ttl_secs };
        claims(&"r".parse().unwrap(), &by, in_room, &request, NOW_SECS).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_dock_token_is_for_one_room_and_never_more_than_a_moderator() {
        for role in [Role::Moderator, Role::Host, Role::Admin] {
            let claims = made(role, role, 9_000, 600).unwrap();
            assert_eq!((claims.role, claims.rooms.0), (Role::Moderator, vec!["r".to_owned()]));
        }
        // The room gave the role, and may take it back from the token too.
        assert_eq!(made(Role::Viewer, Role::Moderator, 9_000, 600).unwrap().role, Role::Viewer);
        for role in [Role::Probe, Role::Viewer] {
            assert_eq!(made(role, role, 9_000, 600), Err(Code::Forbidden));
        }
    }

    #[test]
    fn a_dock_token_ends_with_the_token_of_the_caller() {
        let life =
            |ends_in, ttl_secs| made(Role::Host, Role::Host, ends_in, ttl_secs).map(|it| it.exp - NOW_SECS);
        assert_eq!((life(9_000, 600), life(300, 600)), (Ok(600), Ok(300)));
        assert_eq!((life(9_000, 59), life(99_000, 43_201)), (Err(Code::BadRequest), Err(Code::BadRequest)));
        // The leeway of clocks lets a token in that has just ended.
        assert_eq!(life(0, 600), Err(Code::TokenExpired));
    }
}
