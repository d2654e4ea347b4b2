//! `barrage switch`: lists and sets the platform's switches.

use barrage_bus::SwitchView;
use serde_json::json;

use super::admin_api::AdminApi;
use super::runtime;
use crate::cli::{SwitchArguments, SwitchCommand};
use crate::config::Config;
use crate::console::print_line;

/// Runs the command, then prints all switches.
pub(crate) fn main(config: &Config, arguments: &SwitchArguments) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let api = AdminApi::new(config, &arguments.admin)?;
        let answer = match &arguments.command {
            SwitchCommand::List => api.get("/v1/admin/switches").await?,
            SwitchCommand::Set { name, value } => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                api.put(&format!("/v1/admin/switches/{name}"), &json!({ "value": value })).await?
            }
        };
        let switches: Vec<SwitchView> = serde_json::from_value(answer["switches"].clone())?;
        for switch in switches {
            let value = switch.value.as_str().map_or_else(|| switch.value.to_string(), str::to_owned);
            let (name, meaning, values) = (switch.name, switch.meaning, switch.values);
            print_line(format!("{name:<16} {value:<7} {meaning} (one of {values})"))?;
        }
        Ok(())
    })
}
