//! Time of a check against 100,000 words, over real danmaku texts.
//!
//! `cargo run --release -p barrage-moderation --example measure_moderation -- RECORDING.xml...`
//! prints one JSON object. Without a recording, the demo's texts are used.
#![allow(clippy::print_stdout, reason = "the figures are its output")]

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::time::{Duration, Instant};

use barrage_flow::BreakerMetrics;
use barrage_moderation::{
    Action, Candidate, ListConfig, ListScope, ModerationConfig, ModerationMetrics, Moderator, WordList,
};
use barrage_protocol::{Class, MessageId, RoomId, UserId};
use barrage_recording::{ItemKind, Limits};
use prometheus::Registry;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const WORDS: usize = 100_000;
const MESSAGES: usize = 20_000;
/// The length that the bound is stated for: short texts are joined up to it.
const CHARS: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let texts = texts()?;
    let words = words();
    let began = Instant::now();
    let list = WordList::build(words.iter().map(String::as_str))?;
    let build_ms = began.elapsed().as_millis();
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

    let (as_sent, hits) = measure(&moderator, &texts).await?;
    let (at_length, _) = measure(&moderator, &joined(&texts)).await?;
    println!(
        r#"{{"moderation_p99_us":{:.1},"p50_us":{:.1},"max_us":{:.1},"as_sent_p99_us":{:.1},"as_sent_p50_us":{:.1},"hits":{hits},"messages":{},"build_ms":{build_ms},"words":{count},"bytes":{bytes}}}"#,
        at(&at_length, 0.99),
        at(&at_length, 0.5),
        at(&at_length, 1.0),
        at(&as_sent, 0.99),
        at(&as_sent, 0.5),
        texts.len(),
    );
    Ok(())
}

/// Microseconds of each check, sorted, and how many texts met a rule.
async fn measure(
    moderator: &Moderator,
    texts: &[String],
) -> Result<(Vec<f64>, usize), Box<dyn std::error::Error>> {
    let room = RoomId::parse("room")?;
    let (mut took, mut hits) = (Vec::with_capacity(texts.len()), 0);
    for (at, text) in texts.iter().enumerate() {
        let (user, id) = (UserId::parse(&format!("u{}", at % 997))?, MessageId::parse(&format!("m{at}"))?);
        let candidate = Candidate { room: &room, user: &user, id: &id, class: Class::Chat, text };
        let now = Duration::from_millis(at as u64 * 10);
        let began = Instant::now();
        let decision = moderator.check(&candidate, now, 0).await;
        took.push(began.elapsed().as_secs_f64() * 1e6);
        hits += usize::from(!decision.audit.is_empty());
    }
    took.sort_by(f64::total_cmp);
    Ok((took, hits))
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn texts() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let limits = Limits::default();
    let mut recordings = Vec::new();
    for path in std::env::args().skip(1) {
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

/// Each text with its followers, and some Latin, up to [`CHARS`] characters.
fn joined(texts: &[String]) -> Vec<String> {
    let fill = |at: usize| {
        let followers = texts[at..].iter().chain(texts).flat_map(|text| text.chars().chain(" ok, ".chars()));
        followers.take(CHARS).collect()
    };
    (0..texts.len()).map(fill).collect()
}

/// Half Chinese words of 2 to 6 characters, half Latin ones of 4 to 12.
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
