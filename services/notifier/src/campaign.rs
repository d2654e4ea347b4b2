//! Tells the followers of hosts who are live, at the pace at which gateways admit viewers.

use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Bus, Change, InstanceReport, Prewarm, RoomPatch};
use barrage_inbox::UserNumber;
use barrage_protocol::RoomId;
use barrage_store::{Campaign, Follower, InboxError, PushStore, Take};
use futures_util::StreamExt;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use crate::config::PushConfig;
use crate::dispatch::Dispatch;
use crate::error::NotifierError;
use crate::metrics::NotifierMetrics;
use crate::note;
use crate::pace::{GatewayJoins, expected_viewers, notices_per_s, step_of};
use crate::queue::wants_live;

/// Time between two looks at the pace, and at campaigns while one runs.
const TICK: Duration = Duration::from_millis(200);
/// Followers of one step, at most: what is told twice after a crash.
const STEP_MAX: usize = 1_000;

/// Runs campaigns, one step after the other.
pub(crate) struct Campaigns {
    config: Arc<PushConfig>,
    store: Arc<dyn PushStore>,
    bus: Arc<dyn Bus>,
    dispatch: Arc<Dispatch>,
    metrics: NotifierMetrics,
    /// Followers told a second, in the last step.
    told_per_s: f64,
}

impl Campaigns {
    pub(crate) fn new(
        config: Arc<PushConfig>,
        store: Arc<dyn PushStore>,
        bus: Arc<dyn Bus>,
        dispatch: Arc<Dispatch>,
        metrics: NotifierMetrics,
    ) -> Self {
        Campaigns { config, store, bus, dispatch, metrics, told_per_s: 0.0 }
    }

    /// Runs until the shutdown.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> Result<(), NotifierError> {
        let idle = Duration::from_millis(self.config.poll_interval_ms);
        let mut backoff = PushConfig::store_backoff();
        loop {
            let wait = match self.step().await {
                Ok(is_running) => {
                    backoff = PushConfig::store_backoff();
                    if is_running { TICK } else { idle.max(TICK) }
                }
                Err(error) if error.is_retryable() => {
                    self.metrics.failures.inc();
                    tracing::warn!(%error, "campaigns cannot be read");
                    backoff.next_wait(rand::random())
                }
                Err(error) => return Err(NotifierError::Store(error)),
            };
            if shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Tells some followers of one campaign. Returns whether there was one.
    async fn step(&mut self) -> Result<bool, InboxError> {
        let now_ms = barrage_clock::unix_ms();
        let take = Take {
            now_ms,
            lease_ms: self.config.lease_secs * 1_000,
            limit: 1,
            taken: rand::random_range(1..=i64::MAX),
        };
        let Some(mut campaign) = self.store.take_campaign(take).await? else {
            self.told_per_s = 0.0;
            return Ok(false);
        };
        let begin_ms = campaign.about.at_ms + self.config.live.ahead_secs * 1_000;
        if campaign.after == UserNumber(0) && campaign.told == 0 {
            // Again after a crash: the announcement has the same id.
            self.announce(&campaign, begin_ms).await;
            if now_ms < begin_ms {
                self.store.move_campaign(&campaign, begin_ms).await?;
                return Ok(true);
            }
        }
        let per_s = notices_per_s(&self.config.live, &self.gateways(), self.told_per_s);
        let step = step_of(per_s, TICK, STEP_MAX);
        let due_ms = now_ms + u64::try_from(step.lasts.as_millis()).unwrap_or(u64::MAX);
        let mut told = 0;
        if step.notices > 0 {
            let followers = self.store.followers(&campaign.about.host, campaign.after, step.notices).await?;
            told = self.tell(&campaign, &followers).await;
            campaign.told += told;
            campaign.after = followers.last().map_or(campaign.after, |last| last.user);
            campaign.ended_at_ms = (followers.len() < step.notices).then(barrage_clock::unix_ms);
        }
        self.told_per_s = told as f64 / step.lasts.as_secs_f64();
        self.metrics.live_told.inc_by(told);
        self.store.move_campaign(&campaign, due_ms).await?;
        if campaign.ended_at_ms.is_some() {
            let (stream, told) = (&campaign.about.id, campaign.told);
            tracing::info!(
                stream,
                told,
                followers = campaign.followers,
                "followers of a live host were told"
            );
        }
        Ok(true)
    }

    /// Tells entry how many viewers to expect, and from when on.
    async fn announce(&self, campaign: &Campaign, begin_ms: u64) {
        let live = &self.config.live;
        let viewers = expected_viewers(live, campaign.followers);
        let prewarm = Prewarm { at_ms: begin_ms / 1_000 * 1_000, lasts_secs: live.lasts_secs, viewers };
        let Ok(room) = RoomId::parse(&campaign.about.room) else { return };
        if !self.bus.settings().borrow().rooms.contains_key(&room) {
            return;
        }
        if let Err(error) = self.bus.change(Change::Patch(room, RoomPatch::SetPrewarm(prewarm))).await {
            tracing::warn!(%error, "viewers of a live host could not be announced to entry");
        }
    }

    /// Tells followers, a bounded number at the same time. Returns how many wanted it.
    async fn tell(&self, campaign: &Campaign, followers: &[Follower]) -> u64 {
        let wants = |follower: &&Follower| {
            follower.id != campaign.about.host && wants_live(follower.settings.as_deref())
        };
        let sends = followers.iter().filter(wants).map(|follower| async move {
            let note = note::of_live(&campaign.about, follower.total);
            for device in &follower.devices {
                // A repeat is not worth its time: the host is live now.
                self.dispatch.deliver(follower.user, device, &note).await;
            }
        });
        let sends: Vec<_> = sends.collect();
        let told = sends.len() as u64;
        stream::iter(sends).buffer_unordered(self.config.parallel_max).collect::<Vec<()>>().await;
        told
    }

    fn gateways(&self) -> Vec<GatewayJoins> {
        self.bus.gateways().iter().map(|registered| joins(&registered.report)).collect()
    }
}

fn joins(report: &InstanceReport) -> GatewayJoins {
    let load = &report.load;
    let connections = load.connections.max(0.0) as u64;
    GatewayJoins {
        is_ready: !report.draining && load.connections_max > 0,
        overload_level: load.overload_level,
        joins_per_s: load.joins_per_s,
        joins_per_s_max: (load.joins_per_s_max > 0).then_some(load.joins_per_s_max),
        free: load.connections_max.saturating_sub(connections),
    }
}
