//! Notifications to the followers of a host, through tables, encryption and one HTTP/2 connection. Prints one JSON object.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use barrage_bus::{Bus, BusConfig, BusMetrics, EmbeddedBus, InstanceReport, Role};
use barrage_inbox::UserNumber;
use barrage_notifier::{ApnsConfig, NotifierMetrics, Parts, PushConfig, Unknown, run};
use barrage_protocol::UserId;
use barrage_store::{NewCampaign, NewDevice, PushStore, SqliteInbox};
use barrage_testkit::{ClientTls, PushServices, certificates};
use clap::Args;
use prometheus::Registry;
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Keys of a browser that nobody has.
const KEYS: &str = r#"{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}"#;

/// Followers of one transaction, as in a step of a campaign.
const PAGE: usize = 1_000;

#[derive(Args)]
pub(crate) struct Push {
    /// Empty folder for tables, keys and certificates.
    #[arg(long)]
    folder: PathBuf,
    /// Followers, each with one browser.
    #[arg(long, default_value_t = 20_000)]
    followers: u64,
    /// Service that reaches the devices of the followers.
    #[arg(long, value_enum, default_value_t = Through::Web)]
    service: Through,
}

/// Service of the notifications of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Through {
    /// Web Push: each text is encrypted for its browser.
    Web,
    /// Apple's service: texts are plain in the connection.
    Apns,
}

/// Figures of a run.
struct Run {
    told: u64,
    wall: Duration,
    processor: Duration,
    /// Processor time of reading all followers with their devices, settings and totals, a page a transaction.
    followers: Duration,
}

#[derive(Args)]
pub(crate) struct Service {
    /// Folder with the certificate.
    #[arg(long)]
    folder: PathBuf,
}

impl Service {
    /// Plays a push service until standard input ends, and then prints what it has got.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let services = PushServices::start(&self.folder).await;
            println!("{}", json!({ "url": services.url() }));
            let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
            end.await??;
            let (connections, requests) = (services.connections(), services.requests().len());
            println!("{}", json!({ "connections": connections, "requests": requests }));
            Ok(())
        })
    }
}

impl Push {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        certificates::make(&self.folder);
        let mut service = Command::new(std::env::current_exe()?)
            .args(["push-service", "--folder"])
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(service.stdout.take().context("its output")?).lines();
        let mut line = || -> anyhow::Result<Value> {
            Ok(serde_json::from_str(&lines.next().context("the service ended")??)?)
        };
        let url = line()?["url"].as_str().context("no address")?.to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let Run { told, wall, processor, followers } = runtime.block_on(self.measure(&url))?;
        drop(service.stdin.take());
        let got = line()?;
        service.wait()?;
        ensure!(got["requests"] == json!(told), "{told} were told, and the service has {got}");
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        println!(
            "{}",
            json!({
                "followers": self.followers, "told": told, "wall_s": tenth(wall.as_secs_f64()),
                "per_s_core": (told as f64 / processor.as_secs_f64()).round(),
                "cpu_s_per_million": tenth(processor.as_secs_f64() / told as f64 * 1e6),
                "h2_connections": got["connections"],
                "followers_cpu_s": tenth(followers.as_secs_f64()),
                "followers_cpu_s_per_million": tenth(followers.as_secs_f64() / told as f64 * 1e6),
            })
        );
        Ok(())
    }

    /// Reads all followers, and then tells them. The processor time is that of the role with its tables.
    async fn measure(&self, url: &str) -> anyhow::Result<Run> {
        let store = Arc::new(SqliteInbox::open(&self.folder.join("inbox.sqlite")).await?);
        let metrics = BusMetrics::new(&Registry::new())?;
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&self.folder.join("bus.sqlite"), BusConfig::default(), metrics)?;
        let host = UserId::parse("host")?;
        for number in 0..self.followers {
            let user = UserId::parse(&format!("user-{number}"))?;
            store.follow(&user, &host, 1).await?;
            store.register_device(&user, &self.device(url, number)).await?;
        }
        let followers = read_all(&*store, &host, self.followers).await?;
        let (shutdown, before) = (CancellationToken::new(), process_time());
        let began = Instant::now();
        let parts = Parts {
            store: Arc::clone(&store) as Arc<dyn PushStore>,
            bus: Arc::clone(&bus),
            presence: Arc::new(Unknown),
            tls: ClientTls::load(Some(self.folder.join("ca.pem").as_path()))?,
        };
        let metrics = NotifierMetrics::new(&Registry::new())?;
        let running = tokio::spawn(run(self.config(url)?, parts, metrics, shutdown.clone()));
        let campaign = NewCampaign {
            id: "stream".into(),
            host,
            room: "demo".into(),
            title: "前方高能预警".into(),
            at_ms: 1,
        };
        let told = loop {
            let mut report = InstanceReport::new(Role::Gateway, "gateway-1");
            report.load.connections_max = 10_000_000;
            report.load.joins_per_s_max = 1_000_000;
            bus.report(report).await?;
            let progress = store.start_campaign(&campaign).await?;
            if progress.ended_at_ms.is_some() {
                break progress.told;
            }
            ensure!(!running.is_finished(), "the role ended: {:?}", running.await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let (wall, processor) = (began.elapsed(), process_time().saturating_sub(before));
        shutdown.cancel();
        running.await??;
        Ok(Run { told, wall, processor, followers })
    }

    fn device(&self, url: &str, number: u64) -> NewDevice {
        let (service, address, keys) = match self.service {
            Through::Web => ("web", format!("{url}/send/{number}"), Some(KEYS.into())),
            Through::Apns => ("apns", format!("{number:064x}"), None),
        };
        let (device, service) = ("phone".into(), service.into());
        NewDevice { device, service, address, keys, at_ms: 1_700_000_000_000 }
    }

    fn config(&self, url: &str) -> anyhow::Result<PushConfig> {
        let (_, pem) = barrage_push::VapidKey::generate("")?;
        let file = self.folder.join("vapid.key");
        std::fs::write(&file, pem)?;
        let mut config = PushConfig {
            contact: "mailto:ops@example.com".into(),
            vapid_key_file: Some(file.clone()),
            apns: Some(ApnsConfig {
                key_file: file,
                key_id: "KEY".into(),
                team_id: "TEAM".into(),
                topic: "com.example.app".into(),
                url: url.to_owned(),
            }),
            allow_networks: vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
            unseen_days: 3_650,
            ..PushConfig::default()
        };
        config.live.ahead_secs = 0;
        Ok(config)
    }
}

/// Reads the followers as a campaign does, and returns the processor time.
async fn read_all(store: &dyn PushStore, host: &UserId, expected: u64) -> anyhow::Result<Duration> {
    let (before, mut after, mut read) = (process_time(), UserNumber(0), 0);
    loop {
        let page = store.followers(host, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.user;
        read += page.len() as u64;
    }
    ensure!(read == expected, "{read} followers of {expected} were read");
    Ok(process_time().saturating_sub(before))
}

/// Returns the processor time of this process.
fn process_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or(0))
}
