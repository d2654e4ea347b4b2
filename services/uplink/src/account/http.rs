//! The routes of accounts, `/v1/accounts` and below, and their description.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use barrage_http::{ApiError, ClientAddr, body};
use barrage_openapi::Method::{Get, Post};
use barrage_openapi::{Access, Operation, Server};
use barrage_protocol::Code;
use barrage_protocol::account::{
    AccountAnswer, AccountsInfo, LoginRequest, LogoutAnswer, LogoutRequest, MeRequest, PasswordRequest,
    SessionsAnswer, SessionsRequest,
};
use barrage_protocol::code::Refusal;
use http::header;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::config::AccountsConfig;
use super::control::{AccountControl, AccountParts};

const BODY_BYTES_MAX: usize = 8 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the routes of accounts. Where accounts are off, `GET /v1/accounts` says so and all others
/// refuse.
///
/// # Errors
/// Describes the setting that cannot be used.
pub fn account_router(parts: AccountParts, config: AccountsConfig) -> Result<Router, String> {
    let control = Arc::new(AccountControl::new(parts, config)?);
    Ok(Router::new()
        .route("/v1/accounts", get(info))
        .route("/v1/accounts/register", post(register))
        .route("/v1/accounts/login", post(login))
        .route("/v1/accounts/me", post(me))
        .route("/v1/accounts/password", post(password))
        .route("/v1/accounts/sessions", post(sessions))
        .route("/v1/accounts/logout", post(logout))
        .with_state(control))
}

type Control = State<Arc<AccountControl>>;

async fn info(State(control): Control) -> Json<AccountsInfo> {
    Json(control.info())
}

async fn register(
    State(control): Control,
    Extension(client): Extension<ClientAddr>,
    request_body: Body,
) -> Result<Response, ApiError> {
    let answered = async { control.register(client, read(request_body).await?).await };
    answer(&control, answered.await)
}

async fn login(
    State(control): Control,
    Extension(client): Extension<ClientAddr>,
    request_body: Body,
) -> Result<Response, ApiError> {
    let answered = async { control.login(client, read(request_body).await?).await };
    answer(&control, answered.await)
}

async fn me(State(control): Control, request_body: Body) -> Result<Response, ApiError> {
    let answered = async { control.me(read(request_body).await?).await };
    answer(&control, answered.await)
}

async fn password(
    State(control): Control,
    Extension(client): Extension<ClientAddr>,
    request_body: Body,
) -> Result<Response, ApiError> {
    let answered = async { control.change_password(client, read(request_body).await?).await };
    answer(&control, answered.await)
}

async fn sessions(State(control): Control, request_body: Body) -> Result<Response, ApiError> {
    let answered = async {
        let SessionsRequest { session } = read(request_body).await?;
        control.sessions(&session).await
    };
    answer(&control, answered.await)
}

async fn logout(State(control): Control, request_body: Body) -> Result<Response, ApiError> {
    let answered = async { control.logout(read(request_body).await?).await };
    answer(&control, answered.await)
}

async fn read<T: DeserializeOwned>(request_body: Body) -> Result<T, Refusal> {
    let bytes = body::read(request_body, BODY_BYTES_MAX, BODY_TIMEOUT).await.map_err(|error| error.0)?;
    body::json(&bytes).map_err(|error| error.0)
}

/// Makes an answer that no cache keeps, and counts a refusal.
fn answer(control: &AccountControl, answer: Result<impl Serialize, Refusal>) -> Result<Response, ApiError> {
    match answer {
        Ok(answer) => Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()),
        Err(refusal) => {
            control.refused(refusal.code);
            Err(refusal.into())
        }
    }
}

/// Describes the operations of accounts.
pub(crate) fn operations() -> Vec<Operation> {
    let of = |id, path, summary| {
        Operation::new(id, Post, path, summary)
            .by(Server::Uplink, Access::Open)
            .refuses(&[Code::Unauthorized, Code::Forbidden])
    };
    vec![
        Operation::new("account_info", Get, "/v1/accounts", "Tells whether people may sign in and register.")
            .by(Server::Uplink, Access::Open)
            .answers::<AccountsInfo>(200, "Whether accounts are on, and the bounds of a registration."),
        of("account_register", "/v1/accounts/register", "Creates an account and signs in.")
            .body::<LoginRequest>()
            .answers::<AccountAnswer>(200, "A session and its first token.")
            .refuses(&[Code::BadText, Code::Conflict]),
        of("account_login", "/v1/accounts/login", "Signs in with name and password.")
            .body::<LoginRequest>()
            .answers::<AccountAnswer>(200, "A new session and its first token.")
            .refuses(&[Code::BadText]),
        of("account_me", "/v1/accounts/me", "Makes a new token of a session, and may change the avatar.")
            .body::<MeRequest>()
            .answers::<AccountAnswer>(200, "The account and a new token."),
        of("account_password", "/v1/accounts/password", "Changes the password and ends all other sessions.")
            .body::<PasswordRequest>()
            .answers::<LogoutAnswer>(200, "The password is changed, and so many sessions have ended."),
        of("account_sessions", "/v1/accounts/sessions", "Lists the sessions of an account.")
            .body::<SessionsRequest>()
            .answers::<SessionsAnswer>(200, "The sessions that have not ended, newest first."),
        of("account_logout", "/v1/accounts/logout", "Ends a session, another one, or all.")
            .body::<LogoutRequest>()
            .answers::<LogoutAnswer>(200, "The sessions have ended.")
            .refuses(&[Code::NotFound]),
    ]
}
