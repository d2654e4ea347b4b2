//! Client of the admin API of a running process.

use anyhow::{Context, bail};
use barrage_protocol::code::ErrorBody;
use barrage_token::{Claims, Keyring, Role, Rooms};
use serde_json::{Value, json};

use super::admin_request::Request;
use crate::admin_error::AdminError;
use crate::cli::admin::AdminArguments;
use crate::config::Config;
use crate::console::printable;
use crate::data_dir::{self, MakeKey};

/// Lifetime of a token that a command mints for itself.
const TOKEN_SECS: u64 = 60;
/// Timeout of one request to the admin API.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Timeout of an answer that is copied: the file of a day, over a slow line.
const COPY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Variable that holds a token, so that no command line shows it.
const TOKEN_VARIABLE: &str = "BARRAGE_ADMIN_TOKEN";

/// Answer of the admin API.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// JSON; `{}` for an answer without a body.
    Json(Value),
    /// Text of another media type, such as JSON Lines.
    Text(String),
}

/// Client of one process, with a token of the role admin.
#[derive(Debug, Clone)]
pub(crate) struct AdminApi {
    http: reqwest::Client,
    pub(crate) url: String,
    token: String,
}

impl AdminApi {
    /// Creates a client of the process that the arguments or the configuration name.
    pub(crate) fn new(config: &Config, arguments: &AdminArguments) -> anyhow::Result<Self> {
        let address = || crate::config::reachable(config.admin_listen).remove(0);
        let url = arguments.admin.clone().unwrap_or_else(|| format!("http://{}", address()));
        let http = config.http_client()?.timeout(TIMEOUT).build()?;
        let token = token(config, arguments)?;
        Ok(AdminApi { http, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// Returns a client of another process of the same fleet.
    pub(crate) fn at(&self, url: &str) -> Self {
        AdminApi { url: url.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// Sends a GET request and returns the JSON body of the answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, AdminError> {
        let response = self.answer(self.http.get(format!("{}{path}", self.url))).await?;
        Ok(response.json().await.with_context(|| format!("the answer of {}", self.url))?)
    }

    /// Sends a POST request with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, AdminError> {
        let response = self.answer(self.http.post(format!("{}{path}", self.url)).json(body)).await?;
        Ok(response.json().await.with_context(|| format!("the answer of {}", self.url))?)
    }

    /// Sends the request of an operation.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, AdminError> {
        let method = request.method.parse().context("the method of an operation")?;
        let mut sent = self.http.request(method, format!("{}{}", self.url, request.path));
        if let Some(body) = &request.body {
            sent = sent.json(body);
        }
        let response = self.answer(sent).await?;
        let media_type = response.headers().get(http::header::CONTENT_TYPE).cloned();
        let text = response.text().await.with_context(|| format!("the answer of {}", self.url))?;
        Ok(match media_type {
            None if text.is_empty() => Answer::Json(json!({})),
            Some(of) if of == "application/json" => Answer::Json(
                serde_json::from_str(&text).with_context(|| format!("the answer of {}", self.url))?,
            ),
            _ => Answer::Text(text),
        })
    }

    /// Sends a request and copies the answer as it arrives, in any time. An answer that is cut off is an
    /// error.
    pub(crate) async fn copy(&self, request: &Request, out: &mut impl std::io::Write) -> anyhow::Result<()> {
        let method = request.method.parse().context("the method of an operation")?;
        let sent = self.http.request(method, format!("{}{}", self.url, request.path)).timeout(COPY_TIMEOUT);
        let mut response = self.answer(sent).await?;
        while let Some(bytes) =
            response.chunk().await.with_context(|| format!("the answer of {}", self.url))?
        {
            out.write_all(&bytes).context("standard output")?;
        }
        out.flush().context("standard output")
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, AdminError> {
        let response = request.bearer_auth(&self.token).send().await;
        let response = response.map_err(|error| {
            let reason = barrage_tls::reason(&error.without_url());
            AdminError::Unreachable(format!(
                "no answer from {}; is it running? --admin or BARRAGE_ADMIN_URL names another process ({reason})",
                self.url
            ))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let message = match response.json::<ErrorBody>().await {
            Ok(body) => printable(&body.error.message),
            Err(_) => format!("status {status} from {}", self.url),
        };
        Err(match status.as_u16() {
            404 => AdminError::NotFound(message),
            401 | 403 => AdminError::Refused(format!(
                "{message}; {} needs a token that `barrage token --user NAME --room '*' --role admin` makes beside \
                 the server's key: put it into BARRAGE_ADMIN_TOKEN, or into a file for --token-file",
                self.url
            )),
            400..=499 => AdminError::Refused(message),
            503 | 504 => AdminError::Unreachable(message),
            _ => AdminError::Other(anyhow::anyhow!(message)),
        })
    }
}

/// Returns the token of the arguments or of the environment, or mints one.
fn token(config: &Config, arguments: &AdminArguments) -> anyhow::Result<String> {
    if let Some(path) = &arguments.token_file {
        let token =
            std::fs::read_to_string(path).with_context(|| format!("--token-file {}", path.display()))?;
        return Ok(token.trim().to_owned());
    }
    match std::env::var(TOKEN_VARIABLE) {
        Ok(token) if !token.trim().is_empty() => Ok(token.trim().to_owned()),
        _ => own_token(config),
    }
}

fn own_token(config: &Config) -> anyhow::Result<String> {
    mint(&data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?)
}

/// Mints a token of the role admin, valid for a minute.
pub(crate) fn mint(keyring: &Keyring) -> anyhow::Result<String> {
    if !keyring.can_sign() {
        bail!(
            "no configured key can sign a token for this command; give a token with --token-file or {TOKEN_VARIABLE}"
        );
    }
    let now_secs = barrage_clock::since_unix_epoch().as_secs();
    let claims = Claims {
        sub: "operator".parse().context("the operator's user id")?,
        name: None,
        rooms: Rooms(vec!["*".into()]),
        role: Role::Admin,
        exp: now_secs + TOKEN_SECS,
        nbf: None,
        attrs: None,
        aud: String::new(),
    };
    Ok(keyring.mint(claims)?)
}
