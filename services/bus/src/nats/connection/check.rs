//! Findings about the servers for an operator (`barrage doctor`).

use async_nats::jetstream::stream::Info;

use crate::nats::config::{NatsConfig, NatsStorage};

/// Weight of a finding; `barrage doctor` counts the bad ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As configured, and safe for accepted messages.
    Good,
    /// Accepted messages may be lost in the way that the text names.
    Risk,
    /// Differs from the configuration or does not work: the operator must act.
    Bad,
}

/// Result of one check by `barrage doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Weight of the finding, printed before its text.
    pub level: Level,
    /// The finding and, unless it is good, the remedy.
    pub text: String,
}

fn finding(level: Level, text: impl Into<String>) -> Finding {
    Finding { level, text: text.into() }
}

pub(crate) fn findings(version: &str, streams: &[Info], config: &NatsConfig) -> Vec<Finding> {
    let mut found = vec![finding(Level::Good, format!("NATS {version}"))];
    for info in streams {
        let replicas = replicas(info, config);
        // A finding that is the same for all streams is listed once; a bad one names its stream.
        if !found.contains(&replicas) {
            found.push(replicas);
        }
    }
    if config.storage == NatsStorage::Memory {
        let text = "messages are kept in memory: accepted gifts are lost when all replicas end at once";
        found.push(finding(Level::Risk, text));
    } else if config.monitor_urls.is_empty() {
        // Only the system account and the monitoring ports show this setting.
        found.push(finding(
            Level::Risk,
            "only the servers' monitoring ports show whether writes are synced, and nats.monitor_urls names none: \
             a server that holds gifts needs `jetstream { sync_interval: always }`; with the default (2m) a power \
             cut of all replicas loses the messages of the last two minutes, while the death of processes loses none",
        ));
    }
    let lacks = |info: &&Info| {
        let config = &info.config;
        !config.allow_atomic_publish || !config.allow_direct || config.republish.is_none()
    };
    found.extend(streams.iter().filter(lacks).map(|info| {
        let name = &info.config.name;
        let text = format!("{name} lacks atomic batches, direct reads or republishing: declare it anew");
        finding(Level::Bad, text)
    }));
    found
}

fn replicas(info: &Info, config: &NatsConfig) -> Finding {
    let (name, held) = (&info.config.name, info.config.num_replicas);
    let followers = info.cluster.as_ref().map_or(&[][..], |cluster| &cluster.replicas[..]);
    let behind = followers.iter().filter(|peer| peer.offline || !peer.current).count();
    if held != config.replicas {
        let text = format!("{name} has {held} replicas, not the {} configured", config.replicas);
        finding(Level::Bad, text)
    } else if behind > 0 {
        finding(Level::Bad, format!("{behind} of {name}'s {held} replicas are away or behind"))
    } else if held < 3 {
        let text = format!("{held} replica(s): a lost disk is lost gifts; production wants 3");
        finding(Level::Risk, text)
    } else {
        finding(Level::Good, format!("{held} replicas, all up to date"))
    }
}
