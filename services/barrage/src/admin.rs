//! Commands that call the admin API: `barrage switch`.

use anyhow::{Context, bail};
use barrage_bus::SwitchView;
use barrage_protocol::code::ErrorBody;
use barrage_token::{Claims, Keyring, Role, Rooms};
use serde_json::{Value, json};

use crate::cli::{AdminArguments, Switch, SwitchCommand, say};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};

/// Life of a token that a command mints for itself.
const TOKEN_SECS: u64 = 60;
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// `barrage switch`.
pub(crate) fn switch(config: &Config, asked: &Switch) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let admin = Admin::new(config, &asked.admin)?;
        let answer = match &asked.command {
            SwitchCommand::List => admin.get("/v1/admin/switches").await?,
            SwitchCommand::Set { name, value } => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                admin.put(&format!("/v1/admin/switches/{name}"), &json!({ "value": value })).await?
            }
        };
        let switches: Vec<SwitchView> = serde_json::from_value(answer["switches"].clone())?;
        for switch in switches {
            let value = switch.value.as_str().map_or_else(|| switch.value.to_string(), str::to_owned);
            say(format!("{:<16} {:<7} {} (one of {})", switch.name, value, switch.meaning, switch.values))?;
        }
        Ok(())
    })
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")
}

/// Why a call has no answer to use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    /// The process has no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Anything else.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// The admin API of a running process.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    http: reqwest::Client,
    pub(crate) url: String,
    token: String,
}

impl Admin {
    /// The process that the arguments or the configuration name.
    pub(crate) fn new(config: &Config, asked: &AdminArguments) -> anyhow::Result<Self> {
        let address = || crate::config::reachable(config.admin_listen).remove(0);
        let url = asked.admin.clone().unwrap_or_else(|| format!("http://{}", address()));
        let token = match &asked.token_file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("--token-file {}", path.display()))?
                .trim()
                .to_owned(),
            None => own_token(config)?,
        };
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Admin { http, url: url.trim_end_matches('/').to_owned(), token })
    }

    /// Another process of the same fleet.
    pub(crate) fn at(&self, url: &str) -> Self {
        Admin { url: url.trim_end_matches('/').to_owned(), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, AdminError> {
        self.call(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn put(&self, path: &str, body: &Value) -> Result<Value, AdminError> {
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

/// Text of another program without what would drive a terminal or begin a line.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn own_token(config: &Config) -> anyhow::Result<String> {
    mint(&data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?)
}

/// A token of the role admin for a command of ours.
pub(crate) fn mint(keyring: &Keyring) -> anyhow::Result<String> {
    if !keyring.can_sign() {
        bail!("no configured key can sign a token for this command: give --token-file");
    }
    let now_secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
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
