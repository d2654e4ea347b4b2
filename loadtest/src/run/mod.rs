//! One run: prepares rooms and tokens, starts the workers, joins their messages, and builds the
//! report.

mod crew;
mod fleet;
mod gather;
mod progress;
mod scrape;
pub(crate) mod setup;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use barrage_tls::ClientTls;
use barrage_token::Role;

use crate::clock::Moment;
use crate::descriptors;
use crate::error::LoadtestError;
use crate::live::{Listener, Live, RemoteWrite};
use crate::measure::ledger::{Balance, Ledger};
use crate::out::HdrLog;
use crate::plan::{FromWorker, Plan, ToWorker};
use crate::recording::tape;
use crate::report::{Report, Run};
use crate::scenario::{Identity, Scenario};

use crew::Crew;
use gather::Gathered;
use progress::Progress;

/// Time between the start of the workers and the first phase, in seconds: they connect their pipes
/// and ask entry.
const LEAD_SECS: f64 = 1.0;
/// Time after the end for the workers' last messages; then the run has failed.
const GRACE: Duration = Duration::from_secs(60);

/// Options of one run, from the command line.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Base URL of the entry under test.
    pub target: String,
    /// File with authorities to trust beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// File with the key that signs the senders' tokens.
    pub token_key: Option<PathBuf>,
    /// Base URL of the admin listener, where rooms are created.
    pub admin: Option<String>,
    /// URL of the server's metrics; without it, the report has no figures of the server.
    pub metrics: Option<String>,
    /// Address on which the run serves its own metrics while it lasts.
    pub metrics_listen: Option<SocketAddr>,
    /// URL to which the metrics of the run are written once a second, by Prometheus' remote write.
    pub remote_write: Option<String>,
    /// File for the latencies of each second, as an HdrHistogram log.
    pub hdr_log: Option<PathBuf>,
    /// Worker processes; when absent, as few as the descriptor limit allows.
    pub processes: Option<u32>,
    /// Threads of each process; when absent, the machine's cores divided among the processes.
    pub threads: Option<u32>,
    /// Shell command that causes each fault, in place of reset connections.
    pub hook: Option<String>,
    /// Seed of the load: equal seeds give equal arrivals.
    pub seed: u64,
    /// Role of the senders, when this process signs their tokens.
    pub senders: Role,
    /// Push service that the run plays, for followers of a host who goes live.
    pub push: PushService,
    /// Whether progress is hidden, as for scripts.
    pub quiet: bool,
}

/// Push service of browsers that a run plays. The server must reach and trust it.
#[derive(Debug, Clone)]
pub struct PushService {
    /// Address of the service.
    pub listen: SocketAddr,
    /// Name in its URLs, which its certificate has.
    pub host: String,
    /// PEM file with its certificate.
    pub cert: Option<PathBuf>,
    /// PEM file with the key of the certificate.
    pub key: Option<PathBuf>,
}

impl Default for PushService {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        PushService { listen, host: "localhost".into(), cert: None, key: None }
    }
}

/// Runs a scenario to its end. A run that can be judged is no error, whatever the verdict.
pub async fn run(scenario: Scenario, options: &RunOptions) -> Result<Report, LoadtestError> {
    scenario.check().map_err(|error| LoadtestError::Usage(error.to_string()))?;
    if scenario.viewer_identity == Identity::Token && options.token_key.is_none() {
        return Err(LoadtestError::Usage("viewers with tokens need --token-key".into()));
    }
    let tape = tape::load(scenario.recording.as_deref())?;
    let users = tape.users().filter(|_| scenario.replay.is_some());
    let fit = descriptors::raise()?;
    let workers = descriptors::processes(scenario.population().peak(), fit, options.processes)?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u32;
    let threads = options.threads.unwrap_or_else(|| (cores / workers).max(1));
    let mut interrupts = signal(SignalKind::interrupt())
        .map_err(|error| LoadtestError::cannot_run("Ctrl-C cannot be listened to", error))?;
    let ready = tokio::select! {
        ready = setup::prepare(&scenario, users, options) => ready?,
        _ = interrupts.recv() => return Err(LoadtestError::Interrupted),
    };
    let plan = Plan {
        host: ready.target.host.clone(),
        address: ready.target.address,
        is_encrypted: ready.target.tls.is_some(),
        ca_file: options.ca_file.clone(),
        worker: 0,
        workers,
        threads,
        seed: options.seed,
        start: Moment::now().after(LEAD_SECS + 0.1 * f64::from(workers)),
        tokens: ready.tokens,
        cut: options.hook.is_none(),
        scenario,
    };
    let started_unix_secs = barrage_clock::since_unix_epoch().as_secs();
    let Conducted { gathered, balance, notes, interrupted_at_secs } =
        conduct(&plan, options, ready.fleet, ready.notes, &mut interrupts).await?;
    Ok(Report::new(Run {
        scenario: plan.scenario,
        target: options.target.clone(),
        started_unix_secs,
        processes: workers,
        threads,
        seed: options.seed,
        gathered_series: gathered.series,
        total: gathered.total,
        balance,
        notes,
        interrupted_at_secs,
    }))
}

/// Results that the workers sent before they ended.
struct Conducted {
    gathered: Gathered,
    balance: Balance,
    notes: Vec<String>,
    /// Seconds after the start at which the user interrupted the run.
    interrupted_at_secs: Option<f64>,
}

/// Conducts a run from the start of the workers to the balance of the last one. The first Ctrl-C
/// ends the load and keeps the measurements; the second ends the run at once.
async fn conduct(
    plan: &Plan,
    options: &RunOptions,
    fleet: Option<fleet::FleetAccess>,
    mut notes: Vec<String>,
    interrupts: &mut Signal,
) -> Result<Conducted, LoadtestError> {
    let mut interrupted_at_secs = None;
    let live = Live::default();
    let _listener = match options.metrics_listen {
        Some(address) => Some(Listener::start(address, live.clone()).await?),
        None => None,
    };
    let starts = UNIX_EPOCH + barrage_clock::since_unix_epoch() + plan.start.since(Moment::now());
    let log = options.hdr_log.as_deref().map(|path| HdrLog::create(path, starts)).transpose()?;
    let remote = match &options.remote_write {
        Some(url) => Some(RemoteWrite::start(url, &options.tls()?, &plan.scenario.name, live.clone()).await?),
        None => None,
    };
    let mut crew = Crew::start(plan).await?;
    let end_secs = plan.scenario.population().secs() + plan.scenario.settle_secs;
    let mut progress = Progress::new(options.quiet, &plan.scenario, end_secs);
    let scraped = scrape::Scraper::start(options.metrics_url(), options.tls()?, plan.start);
    let fleet = fleet::FleetReader::start(fleet, plan.start);
    let hooks = tokio::spawn(hooks(plan.clone(), options.hook.clone()));
    let mut gathered = Gathered::new(plan, live, log);
    let (mut ledger, mut ledgers, mut balance, mut balances) = (Ledger::default(), 0, Balance::default(), 0);
    let mut deadline = plan.start.after(end_secs).instant() + GRACE;
    while balances < plan.workers {
        let message = tokio::select! {
            message = crew.next() => message?,
            () = tokio::time::sleep_until(deadline) => {
                return Err(LoadtestError::cannot(format!(
                    "the workers have not finished {} s after the end", GRACE.as_secs()
                )));
            }
            _ = interrupts.recv() => {
                if interrupted_at_secs.is_some() {
                    return Err(LoadtestError::Interrupted);
                }
                interrupted_at_secs = Some(Moment::now().since(plan.start).as_secs_f64());
                deadline = Instant::now() + GRACE;
                progress.note("interrupted: the report of the measurements follows; a second Ctrl-C ends the run without one");
                crew.send(&ToWorker::Stop).await?;
                continue;
            }
        };
        match message {
            FromWorker::Tick { second, interval, cpu_secs } => {
                for second in gathered.tick(second, &interval, cpu_secs, &scraped, &fleet) {
                    progress.show(second);
                }
            }
            FromWorker::Ledger(theirs) => {
                ledger.add(theirs);
                ledgers += 1;
                if ledgers == plan.workers {
                    crew.send(&ToWorker::Ledger(std::mem::take(&mut ledger))).await?;
                }
            }
            FromWorker::Balance(theirs) => {
                balance.add(&theirs);
                balances += 1;
            }
            FromWorker::Failed(message) => return Err(LoadtestError::cannot(message)),
        }
    }
    gathered.close(u32::MAX, &scraped, &fleet);
    progress.finish();
    hooks.abort();
    notes.extend(hooks.await.unwrap_or_default());
    notes.extend(scraped.note());
    notes.extend(gathered.log.take().and_then(HdrLog::finish));
    if let Some(remote) = remote {
        notes.extend(remote.finish().await.note());
    }
    Ok(Conducted { gathered, balance, notes, interrupted_at_secs })
}

/// Runs the hook at each fault, and returns notes for the report.
async fn hooks(plan: Plan, hook: Option<String>) -> Vec<String> {
    let mut notes = Vec::new();
    let Some(hook) = hook else { return notes };
    for (n, fault) in plan.scenario.faults.iter().enumerate() {
        let at: Instant = plan.start.after(fault.at_secs).instant();
        tokio::time::sleep_until(at).await;
        let status = tokio::process::Command::new("sh").args(["-c", &hook]).status().await;
        let said = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        notes.push(format!("hook at {} s (fault {n}): {said}", fault.at_secs));
    }
    notes
}

impl RunOptions {
    /// Reads the authorities that this run trusts.
    pub(crate) fn tls(&self) -> Result<ClientTls, LoadtestError> {
        ClientTls::load(self.ca_file.as_deref())
            .map_err(|error| LoadtestError::Usage(format!("--ca-file: {error}")))
    }

    pub(crate) fn metrics_url(&self) -> Option<String> {
        let of_admin = || self.admin.as_ref().map(|admin| format!("{}/metrics", admin.trim_end_matches('/')));
        self.metrics.clone().or_else(of_admin)
    }
}
