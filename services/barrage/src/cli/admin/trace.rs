//! Verbs of `barrage trace`: the choice of traced messages.

use clap::Subcommand;
use serde_json::Value;

use crate::cli::value::setting;

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Print which messages are traced.
    Show,
    /// Change which messages all processes trace: `barrage trace set downlink_chat=0.05`.
    Set {
        /// Key of [trace.sampling] and its new value as JSON; `null` returns the key to the
        /// configuration.
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = setting)]
        settings: Vec<(String, Value)>,
    },
}
