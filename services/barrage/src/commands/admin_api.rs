//! Client of the admin API of a running process.

use anyhow::{Context, bail};
use barrage_protocol::code::ErrorBody;
use barrage_token::{Claims, Keyring, Role, Rooms};
use serde_json::Value;

use crate::cli::AdminArguments;
use crate::config::Config;
use crate::data_dir::{self, MakeKey};

/// Lifetime of a token that a command mints for itself.
const TOKEN_SECS: u64 = 60;
/// Timeout of one request to the admin API.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Reason why a call of the admin API failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// The process answered 404; the text is its message.
    #[error("{0}")]
    NotFound(String),
    /// The process did not answer, or it refused with another status than 404.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
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
        let token = match &arguments.token_file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("--token-file {}", path.display()))?
                .trim()
                .to_owned(),
            None => own_token(config)?,
        };
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(AdminApi { http, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// Returns a client of another process of the same fleet.
    pub(crate) fn at(&self, url: &str) -> Self {
        AdminApi { url: url.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    /// Sends a GET request and returns the JSON body of the answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, AdminError> {
        self.call(self.http.get(format!("{}{path}", self.url))).await
    }

    /// Sends a PUT request with a JSON body.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value, AdminError> {
        self.call(self.http.put(format!("{}{path}", self.url)).json(body)).await
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Result<Value, AdminError> {
        let response = request.bearer_auth(&self.token).send().await;
        let response = response.with_context(|| format!("no answer from {}; is it running?", self.url))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.json().await.with_context(|| format!("the answer of {}", self.url))?);
        }
        let message = match response.json::<ErrorBody>().await {
            Ok(body) => body.error.message.to_string(),
            Err(_) => format!("status {status} from {}", self.url),
        };
        if status == reqwest::StatusCode::NOT_FOUND {
            return Err(AdminError::NotFound(message));
        }
        Err(AdminError::Other(anyhow::anyhow!(message)))
    }
}

fn own_token(config: &Config) -> anyhow::Result<String> {
    mint(&data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?)
}

/// Mints a token of the role admin, valid for a minute.
pub(crate) fn mint(keyring: &Keyring) -> anyhow::Result<String> {
    if !keyring.can_sign() {
        bail!("no configured key can sign a token for this command; give one with --token-file");
    }
    let now_secs = barrage_clock::since_unix_epoch().as_secs();
    let claims = Claims {
        sub: "operator".parse().context("the operator's user id")?,
        name: None,
        rooms: Rooms(vec!["*".into()]),
        role: Role::Admin,
        exp: now_secs + TOKEN_SECS,
        nbf: None,
        aud: String::new(),
    };
    Ok(keyring.mint(claims)?)
}
