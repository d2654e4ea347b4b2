//! The user of a request, and the forms of paths, bodies and answers.

use std::convert::Infallible;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request};
use axum::response::{IntoResponse, Response};
use barrage_http::{ApiError, ClientAddr, bearer, body};
use barrage_inbox::ConversationId;
use barrage_protocol::{Code, UserId};
use barrage_token::{Identity, Role};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::guest_id::is_guest;
use crate::inbox::InboxControl;
use crate::uplink::Uplink;

/// Size from which an answer is compressed, in bytes. A smaller one fits into one packet.
const PACKED_BYTES_MIN: usize = 1_200;

/// A request, of which nothing is checked yet. Every handler answers it by one of its methods, so that all have the
/// same checks in the same order: token, switch, limits, then the path and the body.
pub(super) struct Asked {
    uplink: Arc<Uplink>,
    client: Option<ClientAddr>,
    headers: HeaderMap,
    body: Body,
}

impl FromRequest<Arc<Uplink>> for Asked {
    type Rejection = Infallible;

    async fn from_request(request: Request, uplink: &Arc<Uplink>) -> Result<Self, Infallible> {
        let client = request.extensions().get::<ClientAddr>().copied();
        let (parts, body) = request.into_parts();
        Ok(Asked { uplink: Arc::clone(uplink), client, headers: parts.headers, body })
    }
}

/// The user of a request whose token is verified.
pub(super) struct By {
    pub(super) inbox: Arc<InboxControl>,
    pub(super) user: UserId,
    pub(super) identity: Identity,
    uplink: Arc<Uplink>,
    client: Option<ClientAddr>,
    body: Body,
}

impl Asked {
    /// Answers a request that reads.
    pub(super) async fn read<T: Serialize>(
        self,
        act: impl AsyncFnOnce(By) -> Result<T, ApiError>,
    ) -> Response {
        let uplink = Arc::clone(&self.uplink);
        respond(&uplink, self.reading(act).await)
    }

    /// Answers a request that reads, compressed where the client takes gzip: a whole inbox is 150 KB of text.
    pub(super) async fn read_packed<T: Serialize>(
        self,
        act: impl AsyncFnOnce(By) -> Result<T, ApiError>,
    ) -> Response {
        let (uplink, is_packed) = (Arc::clone(&self.uplink), takes_gzip(&self.headers));
        let answer = self.reading(act).await;
        if is_packed { respond_packed(&uplink, answer) } else { respond(&uplink, answer) }
    }

    /// Answers a request that changes something, which counts against the limits.
    pub(super) async fn change<T: Serialize>(
        self,
        act: impl AsyncFnOnce(By) -> Result<T, ApiError>,
    ) -> Response {
        let uplink = Arc::clone(&self.uplink);
        let answer = async {
            let mut by = self.identified()?;
            by.admit().await?;
            act(by).await
        };
        respond(&uplink, answer.await)
    }

    async fn reading<T>(self, act: impl AsyncFnOnce(By) -> Result<T, ApiError>) -> Result<T, ApiError> {
        act(self.identified()?).await
    }

    /// Verifies the token. Letters belong to no room: any room of the token will do.
    fn identified(self) -> Result<By, ApiError> {
        let Asked { uplink, client, headers, body } = self;
        let token = bearer(&headers).ok_or_else(|| {
            ApiError::new(Code::Unauthorized, "send a token in the header `Authorization: Bearer ...`")
        })?;
        let identity = uplink.keyring.verify(token)?;
        let inbox = uplink.inbox.clone();
        let inbox = inbox.ok_or_else(|| ApiError::new(Code::Forbidden, "letters are off on this server"))?;
        if is_guest(&identity.user) || identity.role == Role::Probe {
            return Err(ApiError::new(Code::Forbidden, "guests have no inbox; sign in"));
        }
        Ok(By { inbox, user: identity.user.clone(), identity, uplink, client, body })
    }
}

impl By {
    /// Admits a change by the switches and limits.
    async fn admit(&mut self) -> Result<(), ApiError> {
        let switches = self.uplink.bus.settings().borrow().switches.clone();
        if (switches.read_only || switches.no_letters) && self.identity.role < Role::Admin {
            let refusal = ApiError::new(Code::Unavailable, "letters are switched off just now");
            return Err(refusal.retry_after_ms(1_000));
        }
        self.uplink.pipeline.admit_letters(self.address()?, &self.identity).await?;
        Ok(self.inbox.refuse_erased(&self.user).await?)
    }

    /// Admits further letters of a package.
    pub(super) async fn admit_further(&mut self, further: u32) -> Result<(), ApiError> {
        let admitted = self.uplink.pipeline.admit_further_letters(self.address()?, &self.identity, further);
        Ok(admitted.await?)
    }

    fn address(&self) -> Result<IpAddr, ApiError> {
        let client = self.client.map(|client| client.0);
        client.ok_or_else(|| ApiError::new(Code::Internal, "the request has no address"))
    }

    /// Reads the JSON body, once.
    pub(super) async fn body<T: DeserializeOwned>(&mut self) -> Result<T, ApiError> {
        let bytes_max = self.uplink.config.post_bytes_max;
        read(&self.uplink, std::mem::take(&mut self.body), bytes_max).await
    }

    /// Reads the JSON body of a package, once.
    pub(super) async fn package<T: DeserializeOwned>(&mut self) -> Result<T, ApiError> {
        let bytes_max = self.uplink.config.package_bytes_max;
        read(&self.uplink, std::mem::take(&mut self.body), bytes_max).await
    }
}

/// Reads a JSON body of a bounded size.
pub(super) async fn read<T: DeserializeOwned>(
    uplink: &Uplink,
    request_body: Body,
    bytes_max: usize,
) -> Result<T, ApiError> {
    let deadline = Duration::from_secs(uplink.config.body_secs);
    let bytes = body::read(request_body, bytes_max, deadline).await?;
    body::json(&bytes)
}

/// Returns the query of a request.
pub(super) fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(ApiError::new(Code::BadRequest, rejection.body_text())),
    }
}

/// Parses the id of a conversation in a path.
pub(super) fn conversation(text: &str) -> Result<ConversationId, ApiError> {
    ConversationId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// Parses the id of a user in a path.
pub(super) fn user_id(text: &str) -> Result<UserId, ApiError> {
    UserId::parse(text).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// Makes an answer as [`respond`] does, compressed.
fn respond_packed<T: Serialize>(uplink: &Uplink, answer: Result<T, ApiError>) -> Response {
    let Ok(value) = &answer else { return respond(uplink, answer) };
    let text = serde_json::to_vec(value).expect("answers are plain data");
    if text.len() < PACKED_BYTES_MIN {
        return respond(uplink, answer);
    }
    let mut packed = GzEncoder::new(Vec::with_capacity(text.len() / 3), Compression::fast());
    // Writing to memory cannot fail.
    let Ok(body) = packed.write_all(&text).and_then(|()| packed.finish()) else {
        return respond(uplink, answer);
    };
    let fields = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CONTENT_ENCODING, "gzip"),
        (header::VARY, "accept-encoding"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (fields, body).into_response()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = texts.flat_map(|text| text.split(','));
    codings.any(|coding| coding.trim().split(';').next() == Some("gzip") && !coding.contains("q=0"))
}

/// Makes an answer that no cache keeps, and counts a refusal by its code.
pub(super) fn respond<T: Serialize>(uplink: &Uplink, answer: Result<T, ApiError>) -> Response {
    let mut response = match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            uplink.metrics.refused(error.0.code);
            return error.into_response();
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
