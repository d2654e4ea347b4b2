//! One uplink: its pipeline, its admin context, and the tasks that run beside the requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{Bus, EmoteWords, InstanceReport, Role, UplinkLoad};
use barrage_counters::{Pages, Quota};
use barrage_http::{AdminCall, AuditSink};
use barrage_ledger::Ledger;
use barrage_moderation::Moderator;
use barrage_protocol::RoomId;
use barrage_protocol::code::Refusal;
use barrage_protocol::emote::EmoteSet;
use barrage_protocol::post::{Post, PostAnswer};
use barrage_recorder::Recorder;
use barrage_store::{AuditRecord, Store};
use barrage_token::{AddressKeys, Identity, Keyring};
use barrage_trace::Tracer;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::account::AccountNames;
use crate::action::{ActionControl, ActionParts};
use crate::admin::AdminContext;
use crate::attribute::{AttributeControl, AttributeParts};
use crate::config::UplinkConfig;
use crate::export_slots::ExportSlots;
use crate::history::{HistoryCache, HistoryParts};
use crate::inbox::{InboxControl, InboxParts, InboxShared};
use crate::limits_config::LimitsError;
use crate::media::MediaLinks;
use crate::metrics::UplinkMetrics;
use crate::poll::{PollControl, PollParts};
use crate::post::{PipelineParts, PostPipeline};
use crate::processor_time::ProcessorTime;
use crate::record::{AuditQueue, CheckLog, PostRecord, PostRecords, RequestTrace};
use crate::review::{ReviewControl, ReviewParts};
use crate::room::RoomControl;
use crate::words::{WordsControl, WordsParts};

const DAY_SECS: u64 = 86_400;
/// Minimum period of publishing sums of likes, in milliseconds.
const PULSE_MS_MIN: u64 = 10;

/// The parts that an uplink is built from; the caller shares them with other roles.
pub struct Parts {
    /// Takes the messages of senders, changes of settings, and reports to the registry.
    pub bus: Arc<dyn Bus>,
    /// Has the history, the mutes and the audit log.
    pub store: Arc<dyn Store>,
    /// Verifies the tokens of senders and readers.
    pub keyring: Arc<Keyring>,
    /// Counts the posts of senders, in this process or in Redis.
    pub quota: Arc<dyn Quota>,
    /// Checks the texts and names of senders.
    pub moderator: Arc<Moderator>,
    /// The conservation ledger of the process, shared by all roles.
    pub ledger: Ledger,
    /// Whether the history may be read without a token.
    pub anonymous: bool,
    /// Takes the spans of sampled posts.
    pub tracer: Tracer,
    /// Shares first pages of histories with other uplinks; `None` where each reads the store for itself.
    pub pages: Option<Arc<dyn Pages>>,
    /// Names that only their accounts may use; `None` where accounts are off.
    pub names: Option<Arc<AccountNames>>,
    /// Takes letters and groups; `None` where they are off.
    pub inbox: Option<InboxParts>,
    /// Secrets of references to media and of their addresses; `None` where messages have no media.
    pub media: Option<Arc<AddressKeys>>,
}

/// One uplink of a process, shared by its request handlers and its tasks.
pub struct Uplink {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) anonymous: bool,
    pub(crate) config: UplinkConfig,
    pub(crate) metrics: UplinkMetrics,
    pub(crate) pipeline: PostPipeline,
    pub(crate) actions: Arc<ActionControl>,
    pub(crate) attributes: AttributeControl,
    pub(crate) polls: Arc<PollControl>,
    pub(crate) reviews: Arc<ReviewControl>,
    pub(crate) words: Arc<WordsControl>,
    pub(crate) history: HistoryCache,
    pub(crate) media: MediaLinks,
    /// Letters and groups; `None` where they are off.
    pub(crate) inbox: Option<Arc<InboxControl>>,
    pub(crate) tracer: Tracer,
    /// One slot for each export that may be written at the same time.
    pub(crate) exports: ExportSlots,
    moderator: Arc<Moderator>,
    ledger: Ledger,
    control: RoomControl,
    audit: Arc<AuditQueue>,
    check_log: Arc<CheckLog>,
    recorder: Arc<Recorder<PostRecord>>,
    started: Instant,
}

impl Uplink {
    /// Builds an uplink; [`Uplink::run`] runs its tasks.
    ///
    /// # Errors
    /// When a limit or the list of gifts in `config` cannot be used.
    pub fn new(parts: Parts, config: UplinkConfig, metrics: UplinkMetrics) -> Result<Arc<Self>, LimitsError> {
        let Parts {
            bus,
            store,
            keyring,
            quota,
            moderator,
            ledger,
            anonymous,
            tracer,
            pages,
            names,
            inbox,
            media,
        } = parts;
        let media = MediaLinks::new(media, Arc::clone(&bus));
        let control = RoomControl::new(Arc::clone(&bus), Arc::clone(&store));
        let audit = Arc::new(AuditQueue::new(metrics.audit_lost.clone()));
        let check_log = Arc::<CheckLog>::default();
        let recorder = Recorder::new(config.recorder.clone(), &config.id);
        let records =
            PostRecords::new(&ledger, Arc::clone(&check_log), Arc::clone(&recorder), metrics.clone());
        let polls = PollParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
            quota: Arc::clone(&quota),
            ledger: ledger.clone(),
            metrics: metrics.clone(),
        };
        let polls = Arc::new(PollControl::new(polls, &config.polls)?);
        let reviews = Arc::new(ReviewControl::new(ReviewParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
            metrics: metrics.clone(),
            media: media.clone(),
        }));
        let words = Arc::new(WordsControl::new(WordsParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
            moderator: Arc::clone(&moderator),
        }));
        let inbox = inbox.map(|parts| {
            let shared = InboxShared {
                quota: Arc::clone(&quota),
                moderator: Arc::clone(&moderator),
                audit: Arc::clone(&audit),
                names: names.clone(),
                media: media.clone(),
                rooms: control.clone(),
            };
            InboxControl::new(parts, shared).map(Arc::new)
        });
        let inbox = inbox.transpose()?;
        let parts = PipelineParts {
            polls: Arc::clone(&polls),
            bus: Arc::clone(&bus),
            quota,
            moderator: Arc::clone(&moderator),
            control: control.clone(),
            audit: Arc::clone(&audit),
            records,
            reviews: Arc::clone(&reviews),
            words: Arc::clone(&words),
            names,
            media: media.clone(),
        };
        let actions = Arc::new(ActionControl::new(ActionParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
            text_chars_max: config.text_chars_max,
        }));
        let attributes = AttributeControl::new(AttributeParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            control: control.clone(),
            audit: Arc::clone(&audit),
        });
        let history = HistoryParts {
            bus: Arc::clone(&bus),
            store: Arc::clone(&store),
            hidings: Arc::clone(control.hidings()),
            pages,
            reads: metrics.history_reads.clone(),
            media: media.clone(),
        };
        Ok(Arc::new(Uplink {
            history: HistoryCache::new(history, &config),
            media,
            inbox,
            exports: ExportSlots::new(config.exports_max),
            actions,
            polls,
            reviews,
            words,
            attributes,
            pipeline: PostPipeline::new(parts, &config, &metrics)?,
            bus,
            store,
            keyring,
            anonymous,
            tracer,
            config,
            metrics,
            moderator,
            ledger,
            control,
            audit,
            check_log,
            recorder,
            started: barrage_clock::now(),
        }))
    }

    /// Runs the uplink's tasks until the shutdown: publishes sums of likes, keeps polls, writes the audit log,
    /// decides reviews by their fallback, removes attributes and super chats that are over, publishes signals that
    /// another process lost, moves rooms to their partitions, reloads word lists that changed, settles the ledger and reports
    /// to the registry.
    pub async fn run(&self, shutdown: CancellationToken) {
        let pulse_period = Duration::from_millis(self.config.pulse_ms.max(PULSE_MS_MIN));
        let keep = Duration::from_secs(u64::from(self.config.audit_days) * DAY_SECS);
        tokio::join!(
            self.pipeline.run_pulses(pulse_period, shutdown.clone()),
            self.polls.run(pulse_period, shutdown.clone()),
            self.audit.run(&*self.store, keep, shutdown.clone()),
            self.reviews.run(shutdown.clone()),
            self.attributes.run(shutdown.clone()),
            self.control.run_signals(shutdown.clone()),
            self.move_rooms(shutdown.clone()),
            self.run_inbox(shutdown.clone()),
            self.every_second(shutdown),
        );
    }

    /// Moves rooms to their partitions. The shutdown may leave a move half-way: others finish it.
    async fn move_rooms(&self, shutdown: CancellationToken) {
        tokio::select! {
            () = self.bus.move_rooms() => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Follows the lanes of letters and writes merged reads, where letters are on.
    async fn run_inbox(&self, shutdown: CancellationToken) {
        if let Some(inbox) = &self.inbox {
            inbox.run(shutdown).await;
        }
    }

    async fn every_second(&self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut processors = ProcessorTime::start();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = shutdown.cancelled() => {}
            }
            self.pipeline.settle();
            let draining = shutdown.is_cancelled();
            let report = InstanceReport {
                base_urls: self.config.base_urls.clone(),
                place: self.config.place(),
                uplink: Some(UplinkLoad { busy: processors.take_busy() }),
                age_secs: self.started.elapsed().as_secs(),
                draining,
                conservation_error: self.ledger.error_of(&["uplink", "votes", "polls"]),
                ..InstanceReport::new(Role::Uplink, self.config.id.clone())
            };
            if let Err(error) = self.bus.report(report).await {
                // The bus logs the loss of its servers once, as an error.
                tracing::debug!(%error, "the report to the registry failed");
            }
            if draining {
                return;
            }
            self.moderator.reload().await;
        }
    }

    /// Takes one post of a recording, which an operator plays, through all checks to the bus.
    ///
    /// # Errors
    /// The refusal of the first check that the post fails.
    pub async fn replay(&self, room: &RoomId, by: &Identity, post: &Post) -> Result<PostAnswer, Refusal> {
        let mut trace = RequestTrace::start(&self.tracer, None);
        let result = self.pipeline.replay(room, by, post, &mut trace).await;
        trace.end("replay", result.as_ref().map(Some));
        result
    }

    /// Replaces the emotes of a room, or of the platform with `None`; only `expected` ones if there are some.
    pub(crate) async fn set_emotes(
        &self,
        room: Option<&RoomId>,
        set: EmoteSet,
        expected: Option<EmoteWords>,
    ) -> Result<(), Refusal> {
        self.control.set_emotes(room, set, expected).await
    }

    /// Writes a line of the audit log before the answer, unless the store is away: then it is queued.
    pub(crate) async fn audit_line(&self, line: AuditRecord) {
        self.audit.write_through(&*self.store, line).await;
    }

    pub(crate) fn admin_context(&self) -> Arc<AdminContext> {
        Arc::new(AdminContext {
            bus: Arc::clone(&self.bus),
            store: Arc::clone(&self.store),
            control: self.control.clone(),
            polls: Arc::clone(&self.polls),
            actions: Arc::clone(&self.actions),
            media: self.media.clone(),
            check_log: Arc::clone(&self.check_log),
            inbox: self.inbox.clone(),
            tracer: self.tracer.clone(),
            recorder: Arc::clone(&self.recorder),
            event_senders: self.config.event_senders.clone(),
            text_chars_max: self.config.text_chars_max,
            broadcast_rooms_at_once: self.config.broadcast_rooms_at_once,
            broadcast_timeout: Duration::from_secs(self.config.broadcast_secs_max),
        })
    }
}

/// Admin calls of all roles of the process go into the audit log.
impl AuditSink for Uplink {
    fn record(&self, call: AdminCall) {
        self.audit.record(call);
    }
}
