//! The stream of one lane: its names, its declaration, and the check that no position repeats.

use std::time::Duration;

use async_nats::jetstream::context::Context;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, StorageType};
use barrage_protocol::Sequence;

use super::record;
use crate::nats::config::{NatsConfig, NatsStorage};
use crate::nats::connection::connect::NatsError;

/// Names of one lane. They contain the number of lanes: a conversation has another lane among another number.
#[derive(Debug, Clone)]
pub(super) struct LaneNames {
    pub(super) stream: String,
    /// Subject of the appends.
    pub(super) input: String,
    /// Subject on which the server tells of each stored record.
    pub(super) stored: String,
}

impl LaneNames {
    pub(super) fn new(prefix: &str, lane: u16, lanes: u16) -> Self {
        LaneNames {
            stream: format!("{prefix}_inbox_{lane}_of_{lanes}"),
            input: format!("{prefix}.inbox.{lanes}.{lane}"),
            stored: format!("{prefix}.inbox-stored.{lanes}.{lane}"),
        }
    }
}

/// Declares the stream, or finds it, and returns its newest record. `taken` is the position up to which the
/// inbox has taken the lane: a stream that ends before it was replaced or restored, and would give positions again.
pub(super) async fn open(
    context: &Context,
    names: &LaneNames,
    config: &NatsConfig,
    dedup: Duration,
    entries_max: u64,
    taken: Sequence,
    lanes: u16,
) -> Result<u64, NatsError> {
    let failed = |reason: String| NatsError::Setup { what: names.stream.clone(), reason };
    if config.declare {
        let wanted = wanted(names, config, dedup, entries_max, taken, lanes);
        context.create_or_update_stream(wanted).await.map_err(|error| failed(error.to_string()))?;
    }
    let mut stream = context.get_stream(&names.stream).await.map_err(|error| failed(error.to_string()))?;
    let state = stream.info().await.map_err(|error| failed(error.to_string()))?.state.clone();
    // A new stream that begins behind a position counts as one that ends there.
    let newest = state.last_sequence.max(state.first_sequence.saturating_sub(1));
    let taken = record::record_of(taken);
    if newest < taken {
        return Err(NatsError::LaneEnds { lane: names.stream.clone(), newest, taken });
    }
    Ok(newest)
}

fn wanted(
    names: &LaneNames,
    config: &NatsConfig,
    dedup: Duration,
    entries_max: u64,
    taken: Sequence,
    lanes: u16,
) -> Config {
    Config {
        name: names.stream.clone(),
        subjects: vec![names.input.clone()],
        first_sequence: (taken > Sequence::ZERO).then(|| record::record_of(taken) + 1),
        republish: Some(Republish {
            source: names.input.clone(),
            destination: names.stored.clone(),
            headers_only: true,
        }),
        // An accepted event never leaves before the inbox has it: a full lane refuses.
        discard: DiscardPolicy::New,
        max_messages: i64::try_from(entries_max).unwrap_or(i64::MAX),
        // A server reserves the bytes of each stream: all lanes together take those of one.
        max_bytes: i64::try_from(config.stream_bytes_max / u64::from(lanes.max(1))).unwrap_or(i64::MAX),
        duplicate_window: dedup,
        storage: match config.storage {
            NatsStorage::File => StorageType::File,
            NatsStorage::Memory => StorageType::Memory,
        },
        num_replicas: config.replicas,
        allow_direct: true,
        ..Config::default()
    }
}
