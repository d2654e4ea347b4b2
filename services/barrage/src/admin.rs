//! Commands that call the admin API: `barrage switch`, `barrage why`.

use anyhow::{Context, bail};
use barrage_bus::SwitchView;
use barrage_protocol::code::ErrorBody;
use barrage_token::{Claims, Keyring, Role, Rooms};
use serde_json::{Value, json};

use crate::cli::{AdminArguments, Switch, SwitchCommand, Why, say};
use crate::config::Config;
use crate::data_dir::{self, MakeKey};

/// Life of a token that a command mints for itself.
const TOKEN_SECS: u64 = 60;
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// `barrage switch`.
pub(crate) fn switch(config: &Config, asked: &Switch) -> anyhow::Result<()> {
    let admin = Admin::new(config, &asked.admin)?;
    let answer = match &asked.command {
        SwitchCommand::List => admin.get("/v1/admin/switches")?,
        SwitchCommand::Set { name, value } => {
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            admin.put(&format!("/v1/admin/switches/{name}"), &json!({ "value": value }))?
        }
    };
    let switches: Vec<SwitchView> = serde_json::from_value(answer["switches"].clone())?;
    for switch in switches {
        let value = switch.value.as_str().map_or_else(|| switch.value.to_string(), str::to_owned);
        say(format!("{:<16} {:<7} {} (one of {})", switch.name, value, switch.meaning, switch.values))?;
    }
    Ok(())
}

/// `barrage why`.
pub(crate) fn why(config: &Config, asked: &Why) -> anyhow::Result<()> {
    let admin = Admin::new(config, &asked.admin)?;
    let answer = admin.get(&format!("/v1/admin/why/{}", asked.id))?;
    for post in answer["posts"].as_array().into_iter().flatten() {
        let text = |key: &str| post[key].as_str().unwrap_or_default().to_owned();
        say(format!("{} by {} in {}, at {}", text("class"), text("user"), text("room"), post["at_ms"]))?;
        for step in post["steps"].as_array().into_iter().flatten() {
            let text = |key: &str| step[key].as_str().unwrap_or_default();
            say(format!("  {:<24} {:<8} {}", text("check"), text("word"), text("detail")))?;
        }
        let Some(sequence) = post["sequence"].as_u64() else {
            say(format!("  => {}", text("outcome")))?;
            continue;
        };
        say(format!("  => {} at position {sequence}", text("outcome")))?;
        match admin.get(&format!("/v1/admin/rooms/{}/fan-outs/{sequence}", text("room"))) {
            Ok(found) => say(fanned_out(&found))?,
            Err(error) => say(format!("  fan-out: {error:#}"))?,
        }
    }
    Ok(())
}

fn fanned_out(found: &Value) -> String {
    let fan_out = &found["fan_out"];
    let text = |key: &str| fan_out[key].as_str().unwrap_or_default();
    let thinned = match fan_out["thinned"].as_bool() {
        Some(true) => "left out of its batch (overload)",
        _ => "in its batch",
    };
    format!(
        "  {}: {thinned} of {} at {}; room {}, level {}; of {} viewers {} got it at once, for {} it was \
         queued, {} had gone",
        found["gateway"].as_str().unwrap_or_default(),
        fan_out["batch_messages"],
        fan_out["at_ms"],
        text("heat"),
        text("overload"),
        fan_out["viewers"],
        fan_out["written"],
        fan_out["queued"],
        fan_out["gone"]
    )
}

/// The admin API of a running process.
struct Admin {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Admin {
    fn new(config: &Config, asked: &AdminArguments) -> anyhow::Result<Self> {
        let url = asked.admin.clone().unwrap_or_else(|| format!("http://{}", config.admin_listen));
        let token = match &asked.token_file {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("--token-file {}", path.display()))?
                .trim()
                .to_owned(),
            None => own_token(config)?,
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Admin { runtime, http, url: url.trim_end_matches('/').to_owned(), token })
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(self.http.get(format!("{}{path}", self.url)))
    }

    fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call(self.http.put(format!("{}{path}", self.url)).json(body))
    }

    fn call(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        self.runtime.block_on(async {
            let response = request.bearer_auth(&self.token).send().await;
            let response =
                response.with_context(|| format!("no answer from {}; is it running?", self.url))?;
            if response.status().is_success() {
                return Ok(response.json().await?);
            }
            let status = response.status();
            match response.json::<ErrorBody>().await {
                Ok(body) => bail!("{}", body.error.message),
                Err(_) => bail!("status {status} from {}", self.url),
            }
        })
    }
}

fn own_token(config: &Config) -> anyhow::Result<String> {
    mint(&data_dir::keyring(&config.data_dir, &config.token, MakeKey::Never)?)
}

/// A token of the role admin for a command of ours.
pub(crate) fn mint(keyring: &Keyring) -> anyhow::Result<String> {
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
