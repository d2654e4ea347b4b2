//! Time of a check against 100,000 words, over real danmaku texts. Prints one JSON object.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use barrage_guarded::BreakerMetrics;
use barrage_moderation::{
    Action, Candidate, ListConfig, ListScope, ModerationConfig, ModerationMetrics, Moderator, WordList,
};
use barrage_protocol::{Class, MessageId, RoomId, UserId};
use barrage_recording::{ItemKind, Limits};
use clap::Args;
use prometheus::Registry;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

const WORDS: usize = 100_000;
const MESSAGES: usize = 20_000;
/// Length that the published bound is stated for: short texts are joined up to it.
const CHARS: usize = 100;

#[derive(Args)]
pub(crate) struct Options {
    /// Recordings to take texts from; without one, the demo's texts are used.
    recordings: Vec<PathBuf>,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(print_times(&texts(&self.recordings)?))
    }
}

async fn print_times(texts: &[String]) -> anyhow::Result<()> {
    let words = words();
    let began = Instant::now();
    let list = WordList::build(words.iter().map(String::as_str))?;
    let build_ms = began.elapsed().as_millis() as u64;
    let (count, bytes) = (list.len(), list.memory_bytes());

    let mut config = ModerationConfig::default();
    let all = ListConfig {
        name: "all".into(),
        file: None,
        action: Action::Mask,
        shadow: false,
        scope: ListScope::All,
    };
    config.lists.push(all);
    config.links.action = Action::Mask;
    let registry = Registry::new();
    let moderator =
        Moderator::new(config, ModerationMetrics::new(&registry)?, &BreakerMetrics::new(&registry)?)?;
    moderator.replace("all", list)?;

    let (as_sent, hits) = measure(&moderator, texts).await?;
    let (at_length, _) = measure(&moderator, &joined(texts)).await?;
    println!(
        "{}",
        json!({
            "moderation_p99_us": at(&at_length, 0.99), "p50_us": at(&at_length, 0.5), "max_us": at(&at_length, 1.0),
            "as_sent_p99_us": at(&as_sent, 0.99), "as_sent_p50_us": at(&as_sent, 0.5), "hits": hits,
            "messages": texts.len(), "build_ms": build_ms, "words": count, "bytes": bytes,
        })
    );
    Ok(())
}

/// Returns the microseconds of each check, sorted, and the number of texts that met a rule.
async fn measure(moderator: &Moderator, texts: &[String]) -> anyhow::Result<(Vec<f64>, usize)> {
    let room = RoomId::parse("room")?;
    let (mut took, mut hits) = (Vec::with_capacity(texts.len()), 0);
    for (at, text) in texts.iter().enumerate() {
        let (user, id) = (UserId::parse(&format!("u{}", at % 997))?, MessageId::parse(&format!("m{at}"))?);
        let candidate = Candidate {
            room: &room,
            user: &user,
            id: &id,
            name: "Ann",
            role: "viewer",
            attributes: "",
            room_rules: None,
            class: Class::Chat,
            text,
        };
        let now = Duration::from_millis(at as u64 * 10);
        let began = Instant::now();
        let decision = moderator.check(&candidate, now, 0).await;
        took.push(began.elapsed().as_secs_f64() * 1e6);
        hits += usize::from(!decision.audit.is_empty());
    }
    took.sort_by(f64::total_cmp);
    Ok((took, hits))
}

/// Returns a percentile in microseconds, with one decimal.
fn at(sorted: &[f64], share: f64) -> f64 {
    (sorted[((sorted.len() - 1) as f64 * share) as usize] * 10.0).round() / 10.0
}

fn texts(files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let limits = Limits::default();
    let mut recordings = Vec::new();
    for path in files {
        recordings.push(barrage_recording::read(BufReader::new(File::open(path)?), &limits)?);
    }
    if recordings.is_empty() {
        recordings.push(barrage_recording::parse(barrage_recording::DEMO, &limits)?);
    }
    let items = recordings.into_iter().flat_map(|recording| recording.items);
    let texts: Vec<String> = items
        .filter_map(|item| match item.kind {
            ItemKind::Chat { text, .. } | ItemKind::SuperChat { text, .. } => Some(text),
            ItemKind::Gift { .. } => None,
        })
        .collect();
    Ok(texts.into_iter().cycle().take(MESSAGES).collect())
}

/// Joins each text with its followers, and some Latin, up to [`CHARS`] characters.
fn joined(texts: &[String]) -> Vec<String> {
    let fill = |at: usize| {
        let followers = texts[at..].iter().chain(texts).flat_map(|text| text.chars().chain(" ok, ".chars()));
        followers.take(CHARS).collect()
    };
    (0..texts.len()).map(fill).collect()
}

/// Returns random words: half Chinese with 2 to 6 characters, half Latin with 4 to 12.
fn words() -> Vec<String> {
    let mut random = StdRng::seed_from_u64(1);
    let mut words = HashSet::new();
    while words.len() < WORDS {
        let word: String = if words.len() % 2 == 0 {
            let han = 0..random.random_range(2..=6);
            han.map(|_| char::from_u32(random.random_range(0x4E00..0x5800)).unwrap_or('一')).collect()
        } else {
            let latin = 0..random.random_range(4..=12);
            latin.map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
        };
        words.insert(word);
    }
    words.into_iter().collect()
}
