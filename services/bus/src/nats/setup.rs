//! Declares the streams and buckets on the servers, or finds them.

use std::time::Duration;

use async_nats::jetstream::context::{Context, GetStreamByNameErrorKind, GetStreamError, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, RetentionPolicy, StorageType};
use async_nats::jetstream::{ErrorCode, kv};

use super::config::{NatsConfig, NatsStorage};
use super::connection::connect::NatsError;
use super::key_value::bucket::{MARKER_AGE, SILENCE_MAX};
use super::stream::names::Names;
use crate::config::BusConfig;

/// Maximum size of a report, in bytes.
const REPORT_BYTES_MAX: i32 = 64 * 1024;
/// Maximum size of a setting, in bytes: a full review queue, with its locks and decisions.
const SETTING_BYTES_MAX: i32 = 512 * 1024;

pub(crate) struct Stores {
    pub(crate) settings: kv::Store,
    pub(crate) instances: kv::Store,
}

/// Declares streams and buckets where the configuration asks for it, and returns the buckets.
pub(crate) async fn stores(
    context: &Context,
    names: &Names,
    config: &NatsConfig,
    limits: &BusConfig,
) -> Result<Stores, NatsError> {
    refuse_other_partitions(context, names, config).await?;
    if config.declare {
        for partition in 0..names.partitions() {
            stream(context, names, partition, config, limits).await?;
        }
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

/// Fails when streams with another number of partitions exist: chains that began in those would not
/// continue in these. Two processes that disagree on new servers both begin with partition 0, and
/// the servers give its subjects to only one stream.
async fn refuse_other_partitions(
    context: &Context,
    names: &Names,
    config: &NatsConfig,
) -> Result<(), NatsError> {
    let existing = match context.stream_by_subject(names.every_input()).await {
        Ok(existing) => existing,
        Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => return Ok(()),
        // An account that may not declare streams may not be allowed to list them either.
        Err(_) if !config.declare => return Ok(()),
        Err(error) => return Err(refused(&names.stream(0), &error)),
    };
    let Some(declared) =
        names.of_declared(&existing).filter(|declared| declared.partitions() != names.partitions())
    else {
        return Ok(());
    };
    let mut newest = 0;
    for partition in 0..declared.partitions() {
        let name = declared.stream(partition);
        newest = newest.max(last_sequence(context, &name).await.map_err(|error| refused(&name, &error))?);
    }
    Err(NatsError::Partitions { made: declared.partitions(), wanted: names.partitions(), next: newest + 1 })
}

/// Returns the newest position of a stream; zero when it was never declared.
async fn last_sequence(context: &Context, stream: &str) -> Result<u64, GetStreamError> {
    match context.get_stream(stream).await {
        Ok(stream) => Ok(stream.cached_info().state.last_sequence),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(reason) if reason.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Ok(0)
            }
            _ => Err(error),
        },
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

/// Declares the stream of a partition, or finds it as it is wanted.
pub(crate) async fn stream(
    context: &Context,
    names: &Names,
    partition: u16,
    config: &NatsConfig,
    limits: &BusConfig,
) -> Result<(), NatsError> {
    let declared = context.create_or_update_stream(messages(names, partition, config, limits)).await;
    declared.map(drop).map_err(|error| refused(&names.stream(partition), &error))
}

fn messages(names: &Names, partition: u16, config: &NatsConfig, limits: &BusConfig) -> Config {
    let age_secs = limits.log_secs.max(limits.retention_secs).max(1);
    Config {
        name: names.stream(partition),
        subjects: vec![names.every_input_of(partition)],
        first_sequence: (config.first_sequence > 1).then_some(config.first_sequence),
        republish: Some(Republish {
            source: names.every_input_of(partition),
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
        max_value_size: SETTING_BYTES_MAX,
        storage: StorageType::File,
        num_replicas: config.replicas,
        limit_markers: Some(MARKER_AGE),
        ..kv::Config::default()
    }
}

/// Returns the registry's bucket. It is stored in files although reports live for seconds: a bucket
/// in memory no longer exists after all servers have ended, and reports to it would fail.
fn instances(names: &Names, config: &NatsConfig) -> kv::Config {
    kv::Config {
        bucket: names.instances_bucket(),
        history: 1,
        max_age: SILENCE_MAX,
        max_value_size: REPORT_BYTES_MAX,
        storage: StorageType::File,
        num_replicas: config.replicas,
        ..kv::Config::default()
    }
}
