//! Sending viewers elsewhere: all of them before this gateway leaves, or a share that
//! it gives back. They are told one by one, at the pace that the others admit, open a
//! connection there, and only then leave the one here.

use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::RoomId;
use barrage_protocol::entry::{Endpoint, Transport};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::departure::{Others, Span};
use crate::gateway::{Shared, broadcast};
use crate::shard::Command;

/// Other gateways named to one viewer at most.
const NAMED_MAX: usize = 3;
/// How often the last viewer's leaving is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who came from elsewhere is not given back so soon: nobody is sent to and fro.
const MOVE_AGAIN_AFTER: Duration = Duration::from_secs(5 * 60);

/// Why viewers are sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The process ends.
    Shutdown,
    /// An operator or the autoscaler asked for it, and may call it off.
    Drain,
    /// Some of them, to lighten the load.
    GiveBack,
}

impl Cause {
    /// Stable name, in answers and as a metric label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Cause::Shutdown => "shutdown",
            Cause::Drain => "drain",
            Cause::GiveBack => "give_back",
        }
    }

    /// Whether everybody goes and nobody new comes in.
    pub(crate) const fn is_drain(self) -> bool {
        !matches!(self, Cause::GiveBack)
    }
}

/// Viewers are being sent away.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) cause: Cause,
    /// Of the viewers, at random; 1 is all.
    pub(crate) share: f64,
    pub(crate) span: Span,
    pub(crate) begun: Instant,
    /// Where to; empty means by way of entry.
    elsewhere: Vec<Elsewhere>,
}

/// A gateway that viewers are named.
#[derive(Debug)]
struct Elsewhere {
    gateway: String,
    base: String,
    weight: f64,
}

impl Leaving {
    pub(crate) fn ends_at(&self) -> Instant {
        self.begun + self.span.whole
    }

    /// Whether a viewer is left alone that came with a place in the chain then: from another
    /// gateway, or back.
    pub(crate) fn spares(&self, resumed_at: Option<Instant>) -> bool {
        !self.cause.is_drain() && resumed_at.is_some_and(|at| at.elapsed() < MOVE_AGAIN_AFTER)
    }

    /// Some of the other gateways, in a random order of each viewer's own: those that
    /// take more come first more often.
    pub(crate) fn endpoints(&self, room: &RoomId) -> Vec<Endpoint> {
        let draw = |to: &Elsewhere| (1.0 - rand::random::<f64>()).ln() / to.weight;
        let mut drawn: Vec<_> = self.elsewhere.iter().map(|to| (draw(to), to)).collect();
        drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
        drawn.truncate(NAMED_MAX);
        let mut endpoints = Vec::new();
        for (transport, resource) in [(Transport::Ws, "ws"), (Transport::Sse, "sse")] {
            for (_, to) in &drawn {
                let base = match (transport, to.base.strip_prefix("http")) {
                    (Transport::Ws, Some(rest)) => format!("ws{rest}"),
                    _ => to.base.clone(),
                };
                let url = format!("{base}/v1/rooms/{room}/{resource}");
                endpoints.push(Endpoint { transport, url, gateway: to.gateway.clone() });
            }
        }
        endpoints
    }
}

/// Who is being sent away now, if anybody.
#[derive(Debug)]
pub(crate) struct Departures(watch::Sender<Option<Arc<Leaving>>>);

impl Departures {
    pub(crate) fn none() -> Self {
        Departures(watch::Sender::new(None))
    }

    /// `None` once a share that was to be given back has gone.
    pub(crate) fn now(&self) -> Option<Arc<Leaving>> {
        let leaving = self.0.borrow().clone();
        leaving.filter(|leaving| leaving.cause.is_drain() || leaving.ends_at() > Instant::now())
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|leaving| leaving.cause.is_drain())
    }

    pub(crate) fn changes(&self) -> watch::Receiver<Option<Arc<Leaving>>> {
        self.0.subscribe()
    }
}

impl Shared {
    /// Viewers elsewhere, by the registry.
    pub(crate) fn others(&self) -> Others {
        let gateways = self.bus.gateways();
        Others::of(&self.config.id, gateways.iter().map(|gateway| &gateway.report))
    }

    /// Begins to send viewers away, within a time or at the pace that the others admit.
    pub(crate) async fn depart(&self, cause: Cause, share: f64, within: Option<Duration>) {
        let viewers = (self.viewers() as f64 * share) as u64;
        let least = Duration::from_secs(self.config.drain_secs);
        let most = Duration::from_secs(self.config.drain_secs_max);
        let paced = || Span::paced(viewers, &self.others(), least, most);
        let span = within.map_or_else(paced, Span::within);
        // Who gives back names the others: entry might name this gateway again.
        let elsewhere = if cause.is_drain() { Vec::new() } else { self.elsewhere() };
        let leaving = Arc::new(Leaving { cause, share, span, begun: Instant::now(), elsewhere });
        self.metrics.draining.set(i64::from(cause.is_drain()));
        self.departures.0.send_replace(Some(Arc::clone(&leaving)));
        tracing::info!(
            cause = cause.label(),
            viewers,
            within_secs = span.whole.as_secs_f64(),
            "viewers are sent elsewhere"
        );
        broadcast(self, || Command::Depart(Arc::clone(&leaving))).await;
    }

    /// Calls it off: who was not told stays.
    pub(crate) async fn stay(&self) {
        self.metrics.draining.set(0);
        self.departures.0.send_replace(None);
        tracing::info!(viewers = self.viewers(), "the sending away is called off");
        broadcast(self, || Command::Stay).await;
    }

    fn elsewhere(&self) -> Vec<Elsewhere> {
        let gateways = self.bus.gateways();
        let reports = gateways.iter().map(|gateway| &gateway.report);
        let open = reports
            .filter(|report| report.id != self.config.id && !report.draining && report.load.has_free_slot());
        open.filter_map(|report| {
            let free = f64::from(report.load.joins_per_s_max) - report.load.joins_per_s;
            let base = report.base_urls.first()?.clone();
            Some(Elsewhere { gateway: report.id.clone(), base, weight: free.max(0.01) })
        })
        .collect()
    }
}

/// Waits for the shutdown, then for the viewers to go, or for the end of their time.
pub(crate) async fn at_shutdown(shared: &Shared) {
    shared.shutdown.cancelled().await;
    shared.depart(Cause::Shutdown, 1.0, None).await;
    let ends_at = shared.departures.now().map_or_else(Instant::now, |leaving| leaving.ends_at());
    while shared.viewers() > 0 && Instant::now() < ends_at {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
