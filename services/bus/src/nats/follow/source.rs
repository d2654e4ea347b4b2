//! Reads of the streams on behalf of all followed topics.

use tokio::sync::{Semaphore, watch};

use crate::config::BusConfig;
use crate::error::BusError;
use crate::metrics::BusMetrics;
use crate::nats::connection::connect::Disturbances;
use crate::nats::stream::streams::Streams;

/// Maximum number of topics that are read at once; the others wait, so that a reconnect of a
/// process with thousands of rooms is no storm of reads.
const READS_MAX: usize = 32;

/// The streams, and the limits under which topics are read from them.
pub(crate) struct Source {
    pub(crate) streams: Streams,
    /// Limits of the logs in memory. They remember no ids: the servers do.
    pub(crate) limits: BusConfig,
    pub(crate) metrics: BusMetrics,
    /// One permit for each topic that is read.
    pub(crate) reads: Semaphore,
    disturbances: watch::Receiver<Disturbances>,
}

impl Source {
    pub(crate) fn new(
        streams: Streams,
        limits: &BusConfig,
        metrics: BusMetrics,
        disturbances: watch::Receiver<Disturbances>,
    ) -> Self {
        Source {
            streams,
            limits: BusConfig { dedup_per_room_max: 0, ..limits.clone() },
            metrics,
            reads: Semaphore::new(READS_MAX),
            disturbances,
        }
    }

    /// Returns a receiver of the disturbances from now on; earlier ones do not wake its reader.
    pub(crate) fn disturbances(&self) -> watch::Receiver<Disturbances> {
        let mut disturbances = self.disturbances.clone();
        disturbances.mark_unchanged();
        disturbances
    }

    /// Runs a read, and fails when its connection is lost: the answer would never arrive.
    pub(crate) async fn while_connected<T>(
        &self,
        read: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        let mut disturbances = self.disturbances.clone();
        let connects = disturbances.borrow_and_update().connects;
        let lost = async { drop(disturbances.wait_for(|now| now.connects > connects).await) };
        tokio::select! {
            biased;
            done = read => done,
            () = lost => Err(BusError::Unavailable("the connection was lost".into())),
        }
    }
}
