//! Starts the parts of each role: gateway, uplink, entry, archiver, webhooks, media, courier and push.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use barrage_archiver::ArchiverMetrics;
use barrage_bus::Bus;
use barrage_counters::LocalQuotaMetrics;
use barrage_counters::{LocalQuota, Quota};
use barrage_entry::{Entry, LocalEndpoints, LocalMedia};
use barrage_gateway::{Access, Gateway, GatewayMetrics};
use barrage_guarded::Guarded;
use barrage_http::{AdminRoutes, AuditLog, AuditSink, DirectRoute, Greeter};
use barrage_media::Media;
use barrage_moderation::{ModerationMetrics, Moderator};
use barrage_quota::{QuotaMetrics, RedisOnline, RedisPages, RedisQuota};
use barrage_store::Store;
use barrage_uplink::{AccountNames, AccountParts, Parts, Uplink, UplinkMetrics};
use barrage_webhooks::WebhooksMetrics;
use tokio::sync::watch;

use super::breakers::{Breakers, SwitchMetrics};
use super::context::ProcessContext;
use super::listeners::Listeners;
use super::media::MediaListeners;
use super::{audit, courier, fleet_ledger, media, push};
use crate::replay::{self, Replay};
use crate::supervise::{Stage, Supervisor, Task, Wakeup};

/// Time between two looks at the number of instances that share a limit.
const INSTANCE_COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// Routes of the started roles, and the sink of the audit log.
pub(super) struct Services {
    pub(super) public_router: Router,
    pub(super) admin_routes: AdminRoutes,
    pub(super) greeter: Option<Arc<dyn Greeter>>,
    /// The route of posts, where this process is an uplink.
    pub(super) direct: Option<Arc<dyn DirectRoute>>,
    pub(super) audit: Arc<dyn AuditSink>,
    /// The role media, whose routes are on listeners of its own.
    pub(super) media: Option<Arc<Media>>,
}

/// Quota of this process, and the breaker before a quota that is kept in Redis.
struct SharedQuota {
    quota: Arc<dyn Quota>,
    breaker: Option<Arc<Guarded>>,
}

impl Services {
    /// Starts the parts of all roles of the process.
    pub(super) fn start(
        context: &ProcessContext,
        (listeners, media): (&Listeners, Option<&MediaListeners>),
        replay: Option<Replay>,
        tasks: &mut Supervisor,
    ) -> anyhow::Result<Services> {
        let mut services = Services {
            public_router: Router::new(),
            admin_routes: AdminRoutes::new(Router::new()),
            greeter: None,
            direct: None,
            audit: audit_sink(context, tasks)?,
            media: None,
        };
        let roles = context.roles;
        if let Some(store) = context.store.as_ref().filter(|_| roles.archiver) {
            start_archiver(context, store, tasks)?;
        }
        if let Some(store) = context.store.as_ref().filter(|_| roles.webhooks) {
            start_webhooks(context, store, tasks)?;
        }
        if let Some(inbox) = context.inbox.as_ref().filter(|_| roles.courier) {
            courier::start(context, inbox, tasks)?;
        }
        if let Some(inbox) = context.inbox.as_ref().filter(|_| roles.push) {
            push::start(context, inbox, tasks)?;
        }
        let quota = match roles.needs_quota() {
            true => Some(start_quota(context, tasks)?),
            false => None,
        };
        if let (Some(quota), true) = (&quota, roles.media) {
            let media = media::start(context, &quota.quota, tasks)?;
            services.add(Router::new(), media.admin_router());
            services.media = Some(media);
        }
        if roles.gateway {
            services.start_gateway(context, tasks)?;
        }
        let mut names = None;
        if let (Some(quota), Some(store), true) = (&quota, &context.store, roles.uplink) {
            names = services.start_uplink(context, quota, store, replay, tasks)?;
        }
        if let (Some(quota), true) = (&quota, roles.entry) {
            services.start_entry(context, quota, names, (listeners, media), tasks)?;
        } else if roles.gateway || roles.uplink {
            // Clients measure gateways and uplinks by the race resource.
            let race = barrage_entry::race_router(context.config.entry.race_bytes);
            services.add(race, AdminRoutes::new(Router::new()));
        }
        Ok(services)
    }

    fn start_gateway(&mut self, context: &ProcessContext, tasks: &mut Supervisor) -> anyhow::Result<()> {
        let gateway = gateway(context)?;
        self.add(gateway.router(), gateway.admin_router());
        self.greeter = Some(gateway.greeter());
        let health = gateway.health();
        tasks.watch().roster().parts_of("gateway", move || {
            health.ages().into_iter().map(|heartbeat| (heartbeat.part, heartbeat.age)).collect()
        });
        tasks.spawn(
            Task::new("gateway", Stage::Front),
            Wakeup::OwnTimer,
            async move { Ok(gateway.run().await?) },
        );
        Ok(())
    }

    /// Starts the uplink. Returns the names of accounts, which guests may not take.
    fn start_uplink(
        &mut self,
        context: &ProcessContext,
        quota: &SharedQuota,
        store: &Arc<dyn Store>,
        replay: Option<Replay>,
        tasks: &mut Supervisor,
    ) -> anyhow::Result<Option<Arc<AccountNames>>> {
        let StartedUplink { uplink, accounts, names } = uplink(context, quota, store, tasks)?;
        self.add(barrage_uplink::router(&uplink).merge(accounts), barrage_uplink::admin_router(&uplink));
        self.direct = Some(barrage_uplink::direct_route(&uplink));
        self.audit = Arc::clone(&uplink) as Arc<dyn AuditSink>;
        if let Some(replay) = replay {
            let (uplink, shutdown) = (Arc::clone(&uplink), context.stop.front.clone());
            tasks.spawn(Task::new("replay", Stage::Front).may_end(), Wakeup::Supervisor, async move {
                replay::run(replay, uplink, shutdown).await;
                Ok(())
            });
        }
        let shutdown = context.stop.front.clone();
        tasks.spawn(Task::new("uplink", Stage::Front), Wakeup::OwnTimer, async move {
            uplink.run(shutdown).await;
            Ok(())
        });
        Ok(names)
    }

    /// Starts entry, the guest tokens of the page, and the sum of the fleet's ledgers.
    fn start_entry(
        &mut self,
        context: &ProcessContext,
        quota: &SharedQuota,
        names: Option<Arc<AccountNames>>,
        (listeners, media): (&Listeners, Option<&MediaListeners>),
        tasks: &mut Supervisor,
    ) -> anyhow::Result<()> {
        let (config, keyring) = (&context.config, &context.keyring);
        let ports = listeners.addresses.iter().map(|address| address.port()).collect();
        let media = LocalMedia {
            base_url: config.media.base_url.clone(),
            ports: media.map(MediaListeners::ports).unwrap_or_default(),
        };
        let local = LocalEndpoints { is_tls: config.http.tls_cert_file.is_some(), ports, media };
        let (bus, quota) = (Arc::clone(&context.bus), Arc::clone(&quota.quota));
        let entry =
            Entry::new(bus, quota, local, config.entry.clone(), &context.registry, Arc::clone(keyring))?;
        let guests_are_open = config.token.guests.unwrap_or_else(|| listeners.is_local());
        let guests =
            barrage_uplink::guest_router(Arc::clone(keyring), names, &config.uplink, guests_are_open);
        let reports = barrage_entry::run(Arc::clone(&entry), context.stop.front.clone());
        tasks.spawn(Task::new("entry", Stage::Front), Wakeup::OwnTimer, async move {
            reports.await;
            Ok(())
        });
        self.add(barrage_entry::router(Arc::clone(&entry)).merge(guests), barrage_entry::admin_router(entry));
        Ok(fleet_ledger::follow(Arc::clone(&context.bus), &context.registry, tasks)?)
    }

    fn add(&mut self, public: Router, admin: AdminRoutes) {
        self.public_router = std::mem::take(&mut self.public_router).merge(public);
        let routes = std::mem::replace(&mut self.admin_routes, AdminRoutes::new(Router::new()));
        self.admin_routes = routes.merge(admin);
    }
}

/// Returns the audit log of a process without an uplink: the store of the uplinks where the
/// configuration names one, else the log of this process.
fn audit_sink(context: &ProcessContext, tasks: &mut Supervisor) -> anyhow::Result<Arc<dyn AuditSink>> {
    if context.roles.needs_store() {
        return Ok(Arc::new(AuditLog));
    }
    let Some((queue, writing)) =
        audit::without_store(&context.config, &context.registry, &context.stop.front)?
    else {
        return Ok(Arc::new(AuditLog));
    };
    tasks.spawn(Task::new("audit log", Stage::Front), Wakeup::Supervisor, writing);
    Ok(queue)
}

fn start_archiver(
    context: &ProcessContext,
    store: &Arc<dyn Store>,
    tasks: &mut Supervisor,
) -> anyhow::Result<()> {
    let archiving = barrage_archiver::run(
        Arc::clone(&context.bus),
        Arc::clone(store),
        context.config.archiver.clone(),
        ArchiverMetrics::new(&context.registry)?,
        context.tracer.clone(),
        context.stop.archiver.clone(),
    );
    tasks.spawn(Task::new("archiver", Stage::Archiver), Wakeup::Supervisor, async move {
        let report = archiving.await?;
        tracing::info!(archived = report.archived, positions = ?report.positions, "the archiver stopped");
        Ok(())
    });
    Ok(())
}

/// Starts the webhooks. What they have not sent at the shutdown is in the store, and is sent after the
/// next start.
fn start_webhooks(
    context: &ProcessContext,
    store: &Arc<dyn Store>,
    tasks: &mut Supervisor,
) -> anyhow::Result<()> {
    let sending = barrage_webhooks::run(
        Arc::clone(&context.bus),
        Arc::clone(store),
        context.config.webhooks.clone(),
        context.config.client_tls()?,
        WebhooksMetrics::new(&context.registry)?,
        context.stop.archiver.clone(),
    );
    tasks.spawn(
        Task::new("webhooks", Stage::Archiver),
        Wakeup::Supervisor,
        async move { Ok(sending.await?) },
    );
    Ok(())
}

fn start_quota(context: &ProcessContext, tasks: &mut Supervisor) -> anyhow::Result<SharedQuota> {
    let registry = &context.registry;
    let Some(redis) = &context.config.redis else {
        let quota = Arc::new(LocalQuota::new(&context.config.quota, LocalQuotaMetrics::new(registry)?));
        return Ok(SharedQuota { quota, breaker: None });
    };
    let metrics = QuotaMetrics::new(registry, context.redis.clone())?;
    let instances = count_uplinks(&context.bus, tasks);
    let quota = RedisQuota::new(redis, instances, metrics, &context.breakers).context("redis")?;
    let breaker = quota.breaker();
    Ok(SharedQuota { quota: Arc::new(quota), breaker: Some(breaker) })
}

/// Follows the number of uplinks: while Redis is away, each uplink enforces its share of a limit.
fn count_uplinks(bus: &Arc<dyn Bus>, tasks: &mut Supervisor) -> watch::Receiver<usize> {
    let (sender, receiver) = watch::channel(1);
    let bus = Arc::clone(bus);
    tasks.spawn(Task::new("count of uplinks", Stage::Background), Wakeup::OwnTimer, async move {
        let mut tick = tokio::time::interval(INSTANCE_COUNT_INTERVAL);
        loop {
            tick.tick().await;
            let live = bus.uplinks().len().max(1);
            sender.send_if_modified(|count| std::mem::replace(count, live) != live);
        }
    });
    receiver
}

fn gateway(context: &ProcessContext) -> anyhow::Result<Gateway> {
    let access = Access {
        keyring: Arc::clone(&context.keyring),
        anonymous: context.config.token.anonymous,
        origins: context.origins.clone(),
    };
    let metrics = GatewayMetrics::new(&context.registry, context.ledger.clone())?;
    let metrics = metrics.with_exemplars(&context.exemplars);
    let (bus, config) = (Arc::clone(&context.bus), context.config.gateway.clone());
    let (tracer, shutdown) = (context.tracer.clone(), context.stop.front.clone());
    let gateway = Gateway::start(bus, access, config, metrics, tracer, shutdown)?
        .with_retention(Duration::from_secs(context.config.bus.retention_secs));
    let gateway = match &context.mail {
        Some(mail) => gateway.with_mail(Arc::clone(mail)),
        None => gateway,
    };
    Ok(match &context.config.redis {
        Some(redis) => {
            gateway.with_online(Arc::new(RedisOnline::new(redis, context.redis.clone()).context("redis")?))
        }
        None => gateway,
    })
}

/// An uplink, the routes of its accounts, and their names.
struct StartedUplink {
    uplink: Arc<Uplink>,
    accounts: Router,
    names: Option<Arc<AccountNames>>,
}

fn uplink(
    context: &ProcessContext,
    quota: &SharedQuota,
    store: &Arc<dyn Store>,
    tasks: &mut Supervisor,
) -> anyhow::Result<StartedUplink> {
    let config = &context.config;
    let metrics = ModerationMetrics::new(&context.registry)?;
    let moderator = Arc::new(Moderator::new(config.moderation.clone(), metrics, &context.breakers)?);
    let uplink_metrics = UplinkMetrics::new(&context.registry)?.with_exemplars(&context.exemplars);
    let names = AccountNames::new(Arc::clone(store), &config.accounts, &uplink_metrics);
    let parts = Parts {
        bus: Arc::clone(&context.bus),
        store: Arc::clone(store),
        keyring: Arc::clone(&context.keyring),
        quota: Arc::clone(&quota.quota),
        moderator: Arc::clone(&moderator),
        ledger: context.ledger.clone(),
        anonymous: config.token.anonymous,
        tracer: context.tracer.clone(),
        inbox: context.inbox.as_ref().map(|inbox| inbox.parts(config)),
        pages: match &config.history_redis {
            Some(redis) => {
                Some(Arc::new(RedisPages::new(redis, &context.breakers).context("history_redis")?))
            }
            None => None,
        },
        names: names.clone(),
        media: media::of_messages(context)?,
    };
    let breakers = Breakers { redis: quota.breaker.clone(), moderator: Arc::clone(&moderator) };
    let switches = SwitchMetrics::new(&context.registry)?;
    let following = breakers.follow_switches(Arc::clone(&context.bus), switches);
    tasks.spawn(Task::new("breakers", Stage::Background), Wakeup::Supervisor, async move {
        following.await;
        Ok(())
    });
    let accounts = AccountParts {
        store: Arc::clone(store),
        keyring: Arc::clone(&context.keyring),
        quota: Arc::clone(&quota.quota),
        moderator,
        metrics: uplink_metrics.clone(),
        names: names.clone(),
    };
    let accounts = barrage_uplink::account_router(accounts, config.accounts.clone());
    let accounts = accounts.map_err(|problem| anyhow::anyhow!("accounts: {problem}"))?;
    let uplink = Uplink::new(parts, config.uplink.clone(), uplink_metrics).context("uplink.limits")?;
    Ok(StartedUplink { uplink, accounts, names })
}
