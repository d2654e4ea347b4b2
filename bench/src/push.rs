//! Notifications to the followers of a host, through tables, encryption and one HTTP/2 connection. Prints one JSON object.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use barrage_bus::{Bus, BusConfig, BusMetrics, EmbeddedBus, InstanceReport, Role};
use barrage_notifier::{NotifierMetrics, Parts, PushConfig, Unknown, run};
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

#[derive(Args)]
pub(crate) struct Push {
    /// Empty folder for tables, keys and certificates.
    #[arg(long)]
    folder: PathBuf,
    /// Followers, each with one browser.
    #[arg(long, default_value_t = 20_000)]
    followers: u64,
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
        let (told, wall, processor) = runtime.block_on(self.measure(&url))?;
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
            })
        );
        Ok(())
    }

    /// Tells all followers. Returns their number, and the wall and processor time of the role with its tables.
    async fn measure(&self, url: &str) -> anyhow::Result<(u64, Duration, Duration)> {
        let store = Arc::new(SqliteInbox::open(&self.folder.join("inbox.sqlite")).await?);
        let metrics = BusMetrics::new(&Registry::new())?;
        let bus: Arc<dyn Bus> =
            EmbeddedBus::open(&self.folder.join("bus.sqlite"), BusConfig::default(), metrics)?;
        let host = UserId::parse("host")?;
        for number in 0..self.followers {
            let user = UserId::parse(&format!("user-{number}"))?;
            store.follow(&user, &host, 1).await?;
            let device = NewDevice {
                device: "browser".into(),
                service: "web".into(),
                address: format!("{url}/send/{number}"),
                keys: Some(KEYS.into()),
                at_ms: 1_700_000_000_000,
            };
            store.register_device(&user, &device).await?;
        }
        let (shutdown, before) = (CancellationToken::new(), process_time());
        let began = Instant::now();
        let parts = Parts {
            store: Arc::clone(&store) as Arc<dyn PushStore>,
            bus: Arc::clone(&bus),
            presence: Arc::new(Unknown),
            tls: ClientTls::load(Some(self.folder.join("ca.pem").as_path()))?,
        };
        let metrics = NotifierMetrics::new(&Registry::new())?;
        let running = tokio::spawn(run(self.config()?, parts, metrics, shutdown.clone()));
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
        Ok((told, wall, processor))
    }

    fn config(&self) -> anyhow::Result<PushConfig> {
        let (_, pem) = barrage_push::VapidKey::generate("")?;
        let file = self.folder.join("vapid.key");
        std::fs::write(&file, pem)?;
        let mut config = PushConfig {
            contact: "mailto:ops@example.com".into(),
            vapid_key_file: Some(file),
            allow_networks: vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
            unseen_days: 3_650,
            ..PushConfig::default()
        };
        config.live.ahead_secs = 0;
        Ok(config)
    }
}

/// Returns the processor time of this process.
fn process_time() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(tv_sec.unsigned_abs(), u32::try_from(tv_nsec).unwrap_or(0))
}
