//! The stream and the buckets, declared by the program.

use std::time::Duration;

use async_nats::jetstream::context::Context;
use async_nats::jetstream::kv;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, RetentionPolicy, StorageType};

use super::config::{NatsConfig, NatsStorage};
use super::connect::NatsError;
use super::names::Names;
use super::registry::SILENCE_MAX;
use crate::config::BusConfig;

/// How long a lifted setting stays visible to a watcher that was away.
pub(crate) const MARKER_AGE: Duration = Duration::from_secs(60);
/// Largest setting or report, in bytes.
const VALUE_BYTES_MAX: i32 = 64 * 1024;

/// What exists on the servers.
pub(crate) struct Stores {
    pub(crate) settings: kv::Store,
    pub(crate) instances: kv::Store,
}

/// Declares everything, or finds it.
pub(crate) async fn stores(
    context: &Context,
    names: &Names,
    config: &NatsConfig,
    limits: &BusConfig,
) -> Result<Stores, NatsError> {
    if config.declare {
        context
            .create_or_update_stream(messages(names, config, limits))
            .await
            .map_err(|error| refused(&names.stream(), &error))?;
    }
    let settings = bucket(context, config, settings(names, config)).await?;
    let instances = bucket(context, config, instances(names, config)).await?;
    Ok(Stores { settings, instances })
}

async fn bucket(context: &Context, config: &NatsConfig, wanted: kv::Config) -> Result<kv::Store, NatsError> {
    let name = wanted.bucket.clone();
    if config.declare {
        let made = context.create_or_update_key_value(wanted).await;
        made.map_err(|error| refused(&name, &error))
    } else {
        context.get_key_value(name.as_str()).await.map_err(|error| refused(&name, &error))
    }
}

fn refused(what: &str, error: &dyn std::error::Error) -> NatsError {
    NatsError::Setup { what: what.into(), reason: error.to_string() }
}

fn storage(config: &NatsConfig) -> StorageType {
    match config.storage {
        NatsStorage::File => StorageType::File,
        NatsStorage::Memory => StorageType::Memory,
    }
}

fn messages(names: &Names, config: &NatsConfig, limits: &BusConfig) -> Config {
    let age_secs = limits.log_secs.max(limits.retention_secs).max(1);
    Config {
        name: names.stream(),
        subjects: vec![names.every_input()],
        republish: Some(Republish {
            source: names.every_input(),
            destination: names.every_output(),
            headers_only: false,
        }),
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_bytes: i64::try_from(config.stream_bytes_max).unwrap_or(i64::MAX),
        max_age: Duration::from_secs(age_secs),
        duplicate_window: Duration::from_secs(limits.dedup_secs.clamp(1, age_secs)),
        storage: storage(config),
        num_replicas: config.replicas,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

fn settings(names: &Names, config: &NatsConfig) -> kv::Config {
    kv::Config {
        bucket: names.settings_bucket(),
        history: 1,
        max_value_size: VALUE_BYTES_MAX,
        storage: StorageType::File,
        num_replicas: config.replicas,
        limit_markers: Some(MARKER_AGE),
        ..kv::Config::default()
    }
}

/// On files, although reports are a second old at most: a bucket in memory is not there
/// any more when all servers have ended, and nobody could report to it again.
fn instances(names: &Names, config: &NatsConfig) -> kv::Config {
    kv::Config {
        bucket: names.instances_bucket(),
        history: 1,
        max_age: SILENCE_MAX,
        max_value_size: VALUE_BYTES_MAX,
        storage: StorageType::File,
        num_replicas: config.replicas,
        ..kv::Config::default()
    }
}
