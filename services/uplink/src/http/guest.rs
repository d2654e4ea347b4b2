//! The handler of `POST /v1/guest`: viewer tokens without a login, for a laptop and a demo.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use barrage_http::{ApiError, body};
use barrage_protocol::Code;
use barrage_token::{Claims, Keyring, Role, Rooms};
use http::header;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::account::AccountNames;
use crate::config::UplinkConfig;
use crate::text::CleanText;

const BODY_BYTES_MAX: usize = 1024;
const NAME_CHARS_MAX: usize = 20;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GuestRequest {
    /// Name to show, 1 to 20 characters.
    #[schemars(length(min = 1))]
    name: String,
}

/// The token of a new guest.
#[derive(Serialize, JsonSchema)]
pub(super) struct GuestAnswer {
    /// Token of the role viewer, for all rooms.
    token: String,
    /// User id of the token.
    user: String,
}

/// The state of the handler: the key that signs, and the bounds of a request.
struct Guests {
    keyring: Arc<Keyring>,
    names: Option<Arc<AccountNames>>,
    is_open: bool,
    ttl_secs: u64,
    body_timeout: Duration,
}

/// Returns the route `POST /v1/guest`. It refuses every request unless `is_open`. A process without `names`
/// gives any name; the uplinks refuse the posts under one that an account has.
pub fn guest_router(
    keyring: Arc<Keyring>,
    names: Option<Arc<AccountNames>>,
    config: &UplinkConfig,
    is_open: bool,
) -> Router {
    let body_timeout = Duration::from_secs(config.body_secs);
    let guests = Guests { keyring, names, is_open, ttl_secs: config.guest_secs, body_timeout };
    Router::new().route("/v1/guest", post(handle)).with_state(Arc::new(guests))
}

async fn handle(
    State(guests): State<Arc<Guests>>,
    request_body: Body,
) -> Result<impl IntoResponse, ApiError> {
    if !guests.is_open {
        return Err(ApiError::new(Code::Forbidden, "guests are switched off here (token.guests)"));
    }
    let bytes = body::read(request_body, BODY_BYTES_MAX, guests.body_timeout).await?;
    let GuestRequest { name } = body::json(&bytes)?;
    let name = CleanText::new(&name, NAME_CHARS_MAX)
        .map_err(|error| ApiError::new(Code::BadText, format!("name: {error}")))?;
    if let Some(names) = &guests.names {
        names.check(None, name.as_str()).await?;
    }
    let user = format!("guest-{:016x}", rand::random::<u64>());
    let claims = Claims {
        sub: user.parse().map_err(|_| ApiError::new(Code::Internal, "a guest id is not valid"))?,
        name: Some(name.into_string()),
        rooms: Rooms(vec!["*".into()]),
        role: Role::Viewer,
        exp: barrage_clock::unix_ms() / 1_000 + guests.ttl_secs,
        nbf: None,
        attrs: None,
        aud: String::new(),
    };
    let token = guests.keyring.mint(claims).map_err(|error| {
        tracing::error!(%error, "a guest token cannot be signed");
        ApiError::new(Code::Internal, "a token could not be made")
    })?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(GuestAnswer { token, user })))
}
