//! `barrage drain`: moves the viewers of a process away, and waits until they have gone.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::admin_api::AdminApi;
use super::runtime;
use crate::admin_error::AdminError;
use crate::cli::DrainArguments;
use crate::config::Config;
use crate::console::print_line;

/// Route of a gateway's drain.
const DRAIN: &str = "/v1/admin/drain";
/// Time between two looks at the drain.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// State of a drain as the gateway answers it.
#[derive(Debug, Deserialize)]
struct DrainState {
    draining: bool,
    #[serde(default)]
    ends_in_ms: Option<u64>,
    viewers: u64,
}

impl DrainState {
    /// Whether the viewers have gone, or their time is over: the gateway then closes the others.
    fn is_over(&self) -> bool {
        self.viewers == 0 || self.ends_in_ms == Some(0)
    }
}

/// Starts the drain and returns at its end. Fails when another command cancels it.
pub(crate) fn main(config: &Config, arguments: &DrainArguments) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let api = AdminApi::new(config, &arguments.admin)?;
        let started = match api.post(DRAIN, &json!({})).await {
            Ok(answer) => answer,
            Err(AdminError::NotFound(_)) => {
                print_line(format!("no gateway runs here; waiting for {} s", arguments.pause_secs))?;
                tokio::time::sleep(Duration::from_secs(arguments.pause_secs)).await;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut state: DrainState = serde_json::from_value(started)?;
        print_line(format!("draining {} viewers", state.viewers))?;
        while !state.is_over() {
            anyhow::ensure!(state.draining, "the drain was cancelled; {} viewers stay", state.viewers);
            tokio::time::sleep(LOOK_EVERY).await;
            state = serde_json::from_value(api.get(DRAIN).await?)?;
        }
        print_line(format!("drained; {} viewers are left", state.viewers))
    })
}
