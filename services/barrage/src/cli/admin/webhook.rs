//! Verbs of `barrage webhook`: receivers, their deliveries, and replays.

use clap::{Subcommand, ValueEnum};
use time::OffsetDateTime;

use crate::cli::value::rfc3339;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// List the receivers with the numbers of their events.
    List,
    /// List the delivery log of a receiver, newest first.
    Deliveries {
        /// Name of the receiver in the configuration.
        endpoint: String,
        /// List the deliveries in this state alone.
        #[arg(long, value_enum)]
        state: Option<StateArgument>,
        /// List lines with a smaller id: `next_before` of the page before.
        #[arg(long)]
        before: Option<u64>,
        /// Lines of a page, 1 to 1,000.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Send events again: `barrage webhook replay shop --event demo/42`.
    Replay {
        /// Name of the receiver in the configuration.
        endpoint: String,
        /// Id of one event, as the receiver sees it in `webhook-id`.
        #[arg(long, required_unless_present = "since", conflicts_with = "since")]
        event: Option<String>,
        /// Time such as 2026-11-21T20:00:00+08:00; replays the events since then.
        #[arg(long, value_name = "TIME", value_parser = rfc3339)]
        since: Option<OffsetDateTime>,
        /// State of the events that are replayed with `--since`.
        #[arg(long, value_enum, default_value = "failed")]
        state: StateArgument,
    },
    /// Enable a receiver that answered 410.
    Enable {
        /// Name of the receiver in the configuration.
        endpoint: String,
    },
}

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateArgument {
    Pending,
    Delivered,
    Failed,
}

impl StateArgument {
    /// Name of the state in the API.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            StateArgument::Pending => "pending",
            StateArgument::Delivered => "delivered",
            StateArgument::Failed => "failed",
        }
    }
}
