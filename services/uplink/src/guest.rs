//! Guest tokens, for a laptop and a demo: anybody gets a viewer's token.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use barrage_http::{ApiError, body};
use barrage_protocol::Code;
use barrage_token::{Claims, Role, Rooms};
use serde::{Deserialize, Serialize};

use crate::routes::Uplink;
use crate::send::unix_ms;
use crate::text::clean;

const BODY_BYTES_MAX: usize = 1024;
const NAME_CHARS_MAX: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    name: String,
}

#[derive(Serialize)]
pub(crate) struct Given {
    token: String,
    user: String,
}

pub(crate) async fn handle(
    State(uplink): State<Arc<Uplink>>,
    request_body: Body,
) -> Result<Json<Given>, ApiError> {
    if !uplink.guests {
        return Err(ApiError::new(Code::Forbidden, "guests are switched off here (token.guests)"));
    }
    let bytes =
        body::read(request_body, BODY_BYTES_MAX, Duration::from_secs(uplink.config.body_secs)).await?;
    let asked: Asked = body::json(&bytes)?;
    let name = clean(&asked.name, NAME_CHARS_MAX)
        .map_err(|error| ApiError::new(Code::BadText, format!("name: {error}")))?;
    let user = format!("guest-{:016x}", rand::random::<u64>());
    let claims = Claims {
        sub: user.parse().map_err(|_| ApiError::new(Code::Internal, "a guest id is not valid"))?,
        name: Some(name),
        rooms: Rooms(vec!["*".into()]),
        role: Role::Viewer,
        exp: unix_ms() / 1000 + uplink.config.guest_secs,
        nbf: None,
        aud: String::new(),
    };
    let token = uplink.keyring.mint(claims).map_err(|error| {
        tracing::error!(%error, "a guest token could not be signed");
        ApiError::new(Code::Internal, "a token could not be made")
    })?;
    Ok(Json(Given { token, user }))
}
