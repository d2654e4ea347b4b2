//! Uploads, downloads and pictures through the role media, whose files are in memory.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use super::figures::{self, median, thousandths};
use super::site::{Build, Core, KEY, Part, Process, admin, empty_folder};
use crate::run::{command, note, run};

const PUBLIC: &str = "127.0.0.1:18496";
const ADMIN: &str = "127.0.0.1:18497";
const MEDIA: &str = "127.0.0.1:18498";
/// File system in memory: the disk is not measured.
const MEMORY: &str = "/dev/shm";
/// Limits above the load: all uploads are one user's.
const ENVIRONMENT: [(&str, &str); 8] = [
    ("BARRAGE_HTTP__LIMITS__UPLOADS_PER_S", "1000000"),
    ("BARRAGE_HTTP__LIMITS__MEDIA_PER_S", "1000000"),
    ("BARRAGE_HTTP__ADDRESS_CONNECTIONS_MAX", "10000"),
    ("BARRAGE_MEDIA__USER_OPEN_MAX", "10000"),
    ("BARRAGE_MEDIA__USER_UPLOADS_MAX", "1000"),
    ("BARRAGE_MEDIA__USER_MIB_PER_DAY", "1000000"),
    ("BARRAGE_MEDIA__ADDRESS_MIB_PER_DAY", "1000000"),
    ("BARRAGE_MEDIA__RATE_SECS", "600"),
];

/// Size of the bench of uploads.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct UploadPlan {
    /// MiB of each upload, up to 100.
    #[arg(long, default_value_t = 64)]
    mib: u32,
    /// Uploads at the same time.
    #[arg(long, default_value_t = 4)]
    at_once: u32,
    /// Uploads that rest for the figure of memory.
    #[arg(long, default_value_t = 500)]
    resting: u32,
    /// Rounds; medians are printed.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

/// Size of the bench of downloads and pictures.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct MediaPlan {
    /// Connections that read at the same time.
    #[arg(long, default_value_t = 500)]
    at_once: u32,
    /// Seconds of reading in each round.
    #[arg(long, default_value_t = 5)]
    secs: u32,
    /// Rounds of reading; medians are printed.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Pictures of 12 megapixels.
    #[arg(long, default_value_t = 8)]
    pictures: u32,
}

/// A server with the role media, whose files go with it.
struct Site {
    server: Process,
    folder: PathBuf,
    memory: PathBuf,
    key: String,
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.memory));
    }
}

impl Site {
    fn start(build: &Build, core: Core) -> anyhow::Result<Self> {
        let folder = empty_folder("media")?;
        let memory = Path::new(MEMORY).join(format!("barrage-bench-{}", std::process::id()));
        ensure!(Path::new(MEMORY).is_dir(), "{MEMORY} is missing: the figures are of files in memory");
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        let key = data.join("token.key");
        std::fs::write(&key, KEY)?;
        let arguments = ["up", "--listen", PUBLIC, "--admin-listen", ADMIN];
        let mut server = core.command(&build.barrage(), &arguments);
        server.arg("--data-dir").arg(&data).envs(ENVIRONMENT);
        server.env("BARRAGE_MEDIA__LISTEN", format!("[{MEDIA:?}]"));
        server.env("BARRAGE_MEDIA__SPOOL_DIR", memory.join("spool"));
        server.env("BARRAGE_MEDIA__BLOB_DIR", memory.join("blobs"));
        server.stdout(Stdio::null()).stderr(std::fs::File::create(folder.join("server.log"))?);
        let server = Process(server.spawn().context("the server cannot be started")?);
        admin::wait_ready(ADMIN)?;
        let key = key.display().to_string();
        Ok(Site { server, folder, memory, key })
    }

    fn begin(&self, build: &Build, at_once: u32, load: &[&str]) -> anyhow::Result<Part> {
        let at_once = at_once.to_string();
        let arguments = ["media", "--address", MEDIA, "--key", &self.key, "--at-once", &at_once];
        Part::begun(build, &[&arguments, load].concat())
    }

    /// Runs a load whose one line is its figures. Returns megabytes per CPU-second of the server.
    fn mb_per_s_core(&self, build: &Build, at_once: u32, load: &[&str]) -> anyhow::Result<f64> {
        let before = self.server.cpu_secs()?;
        let at_once = at_once.to_string();
        let arguments = ["media", "--address", MEDIA, "--key", &self.key, "--at-once", &at_once];
        let figures = Part::output(build, &[&arguments, load].concat())?.pop().context("no figures")?;
        rate(&figures["mb"], self.server.cpu_secs()? - before)
    }
}

/// Uploads that send at a pace to a server on the core of the others, until this is dropped.
pub(super) struct Uploads {
    part: Part,
    _site: Site,
}

impl Uploads {
    /// Starts the server, and begins the uploads.
    pub(super) fn start(build: &Build, at_once: u32) -> anyhow::Result<Self> {
        let site = Site::start(build, Core::Others)?;
        Ok(Uploads { part: site.begin(build, at_once, &["trickle"])?, _site: site })
    }

    /// Ends the uploads, and returns the megabytes that they sent.
    pub(super) fn end(mut self) -> anyhow::Result<f64> {
        self.part.mark()?["mb"].as_f64().context("no megabytes")
    }
}

fn rate(mb: &Value, cpu_secs: f64) -> anyhow::Result<f64> {
    Ok(mb.as_f64().context("no megabytes")? / cpu_secs.max(0.01))
}

/// Uploads into memory, and uploads that rest.
pub(crate) fn upload(build: &Build, plan: UploadPlan, as_json: bool) -> anyhow::Result<()> {
    let site = Site::start(build, Core::Measured)?;
    let resting = site.server.resident_bytes()?;
    let rest = site.begin(build, plan.resting, &["rest"])?;
    let bytes = (site.server.resident_bytes()? - resting) / f64::from(plan.resting.max(1));
    drop((rest, site));
    let site = Site::start(build, Core::Measured)?;
    let (mib, mut received, mut kept) = (plan.mib.to_string(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        received.push(site.mb_per_s_core(build, plan.at_once, &["upload", "--mib", &mib])?);
        note(&format!(
            "  round {round} of {}: {:.0} MB per CPU-second",
            plan.rounds,
            received[received.len() - 1]
        ));
        // One file a round: the same one again is known, and only received.
        let whole = ["upload", "--mib", &mib, "--whole", "--first", &round.to_string()];
        kept.push(site.mb_per_s_core(build, 1, &whole)?);
    }
    let mut printed = Map::new();
    printed.insert("mb_per_s_core".into(), json!(median(&mut received).round()));
    printed.insert("kept_mb_per_s_core".into(), json!(median(&mut kept).round()));
    printed.insert("rss_bytes_per_upload".into(), json!(bytes.round()));
    figures::print(&printed, as_json)
}

/// Downloads by ranges, and pictures through the check.
pub(crate) fn media(build: &Build, plan: MediaPlan, as_json: bool) -> anyhow::Result<()> {
    let site = Site::start(build, Core::Measured)?;
    let (secs, mut rates, mut heads) = (plan.secs.to_string(), Vec::new(), Vec::new());
    for round in 1..=plan.rounds {
        let mut part = site.begin(build, plan.at_once, &["download", "--secs", &secs])?;
        let before = site.server.cpu_secs()?;
        let figures = part.line()?;
        rates.push(rate(&figures["mb"], site.server.cpu_secs()? - before)?);
        heads.push(figures["head_p99_ms"].as_f64().unwrap_or_default());
        note(&format!("  round {round} of {}: {:.0} MB per CPU-second", plan.rounds, rates[rates.len() - 1]));
    }
    let picture = site.folder.join("12mp.jpg");
    let source = ["-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=4000x3000", "-frames:v", "1"];
    let mut ffmpeg = command("ffmpeg", &source);
    ffmpeg.args(["-q:v", "3"]).arg(&picture);
    run(ffmpeg)?;
    let (file, times) = (picture.display().to_string(), plan.pictures.to_string());
    let before = site.server.children_cpu_secs()?;
    let arguments = ["media", "--address", MEDIA, "--key", &site.key, "picture", "--file", &file];
    Part::output(build, &[&arguments[..], &["--times", &times]].concat())?;
    let cpu_secs = site.server.children_cpu_secs()? - before;
    let mut printed = Map::new();
    printed.insert("mb_per_s_core".into(), json!(median(&mut rates).round()));
    printed.insert("head_p99_ms".into(), json!(thousandths(median(&mut heads))));
    printed.insert("connections".into(), json!(plan.at_once));
    let cpu_ms = cpu_secs * 1_000.0 / f64::from(plan.pictures.max(1));
    printed.insert("picture_12mp_cpu_ms".into(), json!(cpu_ms.round()));
    figures::print(&printed, as_json)
}
