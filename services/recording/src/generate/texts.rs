//! Texts: composed of common words, with a share of repeats. None is of a real recording.

use std::collections::HashSet;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::profile::{Mode, Profile};

/// Words of one to four characters that a text is composed of.
const WORDS: &[&str] = &[
    "今晚",
    "真的",
    "好",
    "太",
    "稳",
    "镜头",
    "灯光",
    "舞台",
    "那边",
    "左边",
    "右边",
    "慢点",
    "再来",
    "一次",
    "厉害",
    "漂亮",
    "大家",
    "晚安",
    "早上",
    "吃饭",
    "下班",
    "路过",
    "报到",
    "声音",
    "小了",
    "大一点",
    "卡了吗",
    "不卡",
    "清楚",
    "谁懂",
    "笑",
    "哭",
    "啊",
    "呀",
    "吧",
    "呢",
    "嘛",
    "这",
    "那",
    "段",
    "手",
    "鼓",
    "吉他",
    "键盘",
    "高音",
    "低音",
    "节奏",
    "转身",
    "回头",
    "天空",
    "火箭",
    "月亮",
    "海边",
    "雨",
    "雪",
    "猫",
    "狗",
    "企鹅",
    "土豆",
    "西瓜",
    "面条",
    "咖啡",
    "奶茶",
    "同意",
    "反对",
    "加一",
    "冲",
    "别走",
    "等等",
    "来晚",
    "刚到",
    "第几",
    "首",
    "开始",
    "结束",
    "倒数",
    "十秒",
    "三",
    "二",
    "一",
    "零",
    "よし",
    "すごい",
    "かわいい",
    "ラスト",
    "もう一回",
    "おつ",
    "待って",
    "拍手",
];
const ENGLISH: &[&str] = &[
    "nice", "wow", "again", "so", "good", "that", "light", "who", "is", "this", "please", "louder", "left",
    "camera", "go", "team", "what", "a", "save", "late", "hello", "from", "the", "sea", "drums", "yes", "no",
    "way", "clean", "lol", "gg",
];
/// Ends of a text, as people stretch it.
const ENDS: &[&str] =
    &["", "", "", "", "!", "!!", "！", "？", "~", "...", "ww", "233", "&", "<3", "🎉", "👏👏"];

/// The texts of one recording, with the share of repeats that its profile has.
pub(super) struct Texts {
    /// For each message that is still to come: whether it repeats an earlier text.
    repeats: Vec<bool>,
    plain: Written,
    positioned: Written,
    drawings: Written,
    chars_p50: f64,
    /// Standard deviation of the logarithm of the length.
    spread: f64,
    chars_max: usize,
    english: f64,
}

/// Texts of one kind, in their order, repeats included: a text that was repeated often is
/// repeated again more often.
#[derive(Default)]
struct Written {
    said: Vec<String>,
    distinct: HashSet<String>,
}

impl Written {
    fn say(&mut self, text: String) -> String {
        self.distinct.insert(text.clone());
        self.said.push(text.clone());
        text
    }
}

impl Texts {
    pub(super) fn new(profile: &Profile, modes: &[Mode], rng: &mut StdRng) -> Self {
        let total = modes.len();
        let wanted = (profile.repeats * total as f64).round() as usize;
        let mut repeats: Vec<bool> = (0..total).map(|at| at < wanted).collect();
        repeats.shuffle(rng);
        Texts {
            repeats,
            plain: Written::default(),
            positioned: Written::default(),
            drawings: Written::default(),
            chars_p50: f64::from(profile.chars_p50),
            // The 95th percentile of a normal distribution is 1.645 deviations above its median.
            spread: (f64::from(profile.chars_p95) / f64::from(profile.chars_p50)).ln() / 1.645,
            chars_max: profile.chars_max as usize,
            english: profile.english,
        }
    }

    /// Returns the next message's text: a repeat, or one that is new in the recording.
    pub(super) fn next(&mut self, mode: Mode, rng: &mut StdRng) -> String {
        let is_repeat = self.repeats.pop().unwrap_or(false);
        let written = match mode {
            Mode::Positioned => &mut self.positioned,
            Mode::Drawing => &mut self.drawings,
            Mode::Scroll | Mode::Bottom | Mode::Top | Mode::Reverse => &mut self.plain,
        };
        if is_repeat {
            if let Some(text) = written.said.choose(rng).cloned() {
                return written.say(text);
            }
            // Nothing of this kind was said before: a later message repeats instead.
            if let Some(later) = self.repeats.iter_mut().rev().find(|repeat| !**repeat) {
                *later = true;
            }
        }
        let text = match mode {
            Mode::Positioned => positioned(&written.distinct, rng),
            Mode::Drawing => drawing(&written.distinct, rng),
            Mode::Scroll | Mode::Bottom | Mode::Top | Mode::Reverse => {
                let chars = self.chars_p50 * (normal(rng) * self.spread).exp();
                let words = if chance(rng, self.english) { ENGLISH } else { WORDS };
                plain(chars.round() as usize, self.chars_max, words, &written.distinct, rng)
            }
        };
        written.say(text)
    }
}

/// A standard normal value, as the sum of twelve uniform ones.
fn normal(rng: &mut StdRng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Draws an event of this probability; a value above 1 counts as 1.
pub(super) fn chance(rng: &mut StdRng, probability: f64) -> bool {
    probability > 0.0 && rng.random_bool(probability.min(1.0))
}

/// A text of about `chars` characters that is not in `taken`.
fn plain(
    chars: usize,
    chars_max: usize,
    words: &[&str],
    taken: &HashSet<String>,
    rng: &mut StdRng,
) -> String {
    let mut wanted = chars.clamp(1, chars_max);
    for attempt in 1_u32.. {
        let end = *ENDS.choose(rng).unwrap_or(&"");
        let mut text = String::new();
        while text.chars().count() + end.chars().count() < wanted {
            // English words need a space between them.
            if words[0].is_ascii() && !text.is_empty() {
                text.push(' ');
            }
            text.push_str(words.choose(rng).unwrap_or(&"好"));
        }
        text.push_str(end);
        let text: String = text.chars().take(wanted).collect();
        let text = text.trim().to_owned();
        if !text.is_empty() && !taken.contains(&text) {
            return text;
        }
        // Short texts are soon all taken: every third failure allows one more character.
        wanted = (wanted + usize::from(attempt.is_multiple_of(3))).min(chars_max);
    }
    String::new()
}

/// A positioned danmaku: x, y, opacity, seconds, text, two rotations, and sometimes a path.
fn positioned(taken: &HashSet<String>, rng: &mut StdRng) -> String {
    loop {
        let shape: String = (0..rng.random_range(1..8))
            .map(|_| *['█', '▂', '★', '♪', '　', '花'].choose(rng).unwrap_or(&'★'))
            .collect();
        // A text of spaces alone would not be kept.
        let shape = if shape.trim().is_empty() { "★".to_owned() } else { shape };
        let (x, y) = (rng.random_range(0..640), rng.random_range(0..420));
        let (from, to) = (rng.random_range(0..=10), rng.random_range(0..=10));
        let secs = f64::from(rng.random_range(5..60)) / 10.0;
        let mut text = format!(
            r#"["{x}","{y}","{}-{}","{secs}","{shape}","{}","0""#,
            f64::from(from) / 10.0,
            f64::from(to) / 10.0,
            rng.random_range(0..4) * 90
        );
        if rng.random_bool(0.3) {
            let path: String = (0..rng.random_range(2..30))
                .map(|n| {
                    format!(
                        "{}{},{}",
                        if n == 0 { "M" } else { "L" },
                        rng.random_range(0..640),
                        rng.random_range(0..420)
                    )
                })
                .collect();
            text.push_str(&format!(
                r#","{}","{}","500","0","1","SimHei","1","{path}""#,
                rng.random_range(0..640),
                rng.random_range(0..420)
            ));
        }
        text.push(']');
        if !taken.contains(&text) {
            return text;
        }
    }
}

/// A picture of several lines: `/n` between them, longer than a message may be.
fn drawing(taken: &HashSet<String>, rng: &mut StdRng) -> String {
    loop {
        let lines: Vec<String> = (0..rng.random_range(11..16))
            .map(|_| (0..19).map(|_| *['█', '　', '▓', '▄'].choose(rng).unwrap_or(&'█')).collect())
            .collect();
        let text = format!("█{}█", lines.join("/n"));
        if !taken.contains(&text) {
            return text;
        }
    }
}
