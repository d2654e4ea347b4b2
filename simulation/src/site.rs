//! The embedded bus of a simulated site: clocks, disk, and the engine in turns.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use barrage_bus::{BusConfig, BusError, BusMetrics, Committed, EmbeddedBus, SteppedBus};
use barrage_clock::ManualClock;
use barrage_protocol::Sequence;
use prometheus::Registry;

use crate::disk::{Disk, Honesty, Image};
use crate::rng::Rng;

const START_MS: u64 = 1_700_000_000_000;

/// An empty log, made once: its tables cost more than most runs.
static EMPTY: LazyLock<Image> = LazyLock::new(|| {
    let mut disk = Disk::new(&Image::default());
    let clock = ManualClock::at_unix_ms(START_MS);
    drop(open(&clock, &disk, BusConfig::default(), Sequence::ZERO));
    disk.closed();
    disk.image()
});

/// Metrics that nobody reads, made once.
static METRICS: LazyLock<BusMetrics> =
    LazyLock::new(|| BusMetrics::new(&Registry::new()).expect("names of metrics are valid"));

/// End of the process that has the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The process ends in order.
    Stop,
    /// The process is killed: the kernel has all that it wrote.
    Kill,
    /// The machine loses power.
    PowerCut(Honesty),
    /// The process is killed, and a bit of the write-ahead log changes.
    Rot,
}

/// The bus of a site.
pub(crate) struct Site {
    pub(crate) clock: ManualClock,
    config: BusConfig,
    disk: Disk,
    /// `None` while the process is down.
    stepped: Option<SteppedBus>,
}

fn open(
    clock: &ManualClock,
    disk: &Disk,
    config: BusConfig,
    archived: Sequence,
) -> Result<SteppedBus, BusError> {
    SteppedBus::open(Box::new(clock.clone()), &disk.path(), config, METRICS.clone(), archived)
}

impl Site {
    pub(crate) fn new(config: BusConfig) -> Self {
        let clock = ManualClock::at_unix_ms(START_MS);
        let disk = Disk::new(&EMPTY);
        let stepped =
            open(&clock, &disk, config.clone(), Sequence::ZERO).expect("an empty log can be opened");
        Site { clock, config, disk, stepped: Some(stepped) }
    }

    /// Returns the bus as its users have it.
    pub(crate) fn bus(&self) -> &Arc<EmbeddedBus> {
        self.stepped.as_ref().expect("the bus runs between events").bus()
    }

    fn stepped(&mut self) -> &mut SteppedBus {
        self.stepped.as_mut().expect("the bus runs between events")
    }

    /// Writes what is queued; the disk learns what is synced.
    pub(crate) fn commit(&mut self) -> Committed {
        let committed = self.stepped().commit();
        if committed.synced {
            self.disk.synced();
            // The engine syncs the mark with each new reservation, in the same commit.
            self.disk.mark_synced();
        }
        committed
    }

    pub(crate) fn tick(&mut self) {
        self.stepped().tick();
    }

    /// Ends the process and starts it again beside an archive that has reached a position. A defect may change
    /// the files in between.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub(crate) fn restart(
        &mut self,
        end: End,
        rng: &mut Rng,
        archived: Sequence,
        defect: impl Fn(Image) -> Image,
    ) -> Result<(), BusError> {
        let image = match end {
            End::Stop => {
                drop(self.stepped.take());
                self.disk.closed();
                self.disk.image()
            }
            End::Kill => self.disk.image(),
            End::PowerCut(honesty) => self.disk.power_cut(rng, honesty),
            End::Rot => self.disk.rot(rng),
        };
        drop(self.stepped.take());
        self.disk.put(&defect(image));
        self.stepped = Some(open(&self.clock, &self.disk, self.config.clone(), archived)?);
        Ok(())
    }
}

/// Polls a future once. The futures of the stepped bus need no runtime: a commit answers them.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Completes a future that waits for nothing.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    poll(&mut Box::pin(future)).expect("this call waits for nothing")
}
