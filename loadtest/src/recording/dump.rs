//! A dump of an uplink's flight recorder: senders, kinds and times of posts, without texts and
//! names. The load tester can post it again.

use std::collections::HashMap;

use barrage_protocol::Class;
use serde::Deserialize;

use crate::load::arrivals::Kind;

/// Version of the format that this load tester reads.
const VERSION: u32 = 1;
/// Maximum size of a dump file: 1 GiB.
const BYTES_MAX: usize = 1 << 30;

/// Posts of a flight recorder's dump, in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dump {
    /// Room that the dump was recorded in.
    pub room: String,
    /// Posts in order of time, without retries.
    pub posts: Vec<DumpedPost>,
    /// Number of different senders of the posts.
    pub users: u32,
    /// Records that are not posted again, because they are retries of a post in the dump.
    pub retries: u64,
    /// Whether the recorder had already dropped older records.
    pub cut: bool,
}

/// One post of a recorded dump, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpedPost {
    /// Time after the first post, in milliseconds.
    pub offset_ms: u64,
    /// Kind of the post; a post that was refused before it was parsed counts as chat.
    pub kind: Kind,
    /// Length of the post's text, in bytes.
    pub bytes: u32,
    /// Number of the post's sender, from 0.
    pub user: u32,
}

/// Why a file cannot be replayed as a dump.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file is larger than the limit.
    #[error("the dump is larger than {} MiB", BYTES_MAX >> 20)]
    TooLarge,
    /// The first line is not the header of a flight recorder's dump.
    #[error("the first line is not the header of a flight recorder's dump")]
    NoHeader,
    /// The format is that of a later version of Barrage.
    #[error("the dump has format version {0}; this load tester reads version {VERSION}")]
    Version(u32),
    /// The dump is that of a gateway.
    #[error("the dump is of a {0}, which records batches; use the dump of an uplink, which records posts")]
    Source(String),
    /// A line after the header is not a record.
    #[error("line {line} is not a record: {error}")]
    Line {
        /// Number of the line in the file, from 1.
        line: usize,
        /// Error of the JSON parser for the line.
        error: serde_json::Error,
    },
    /// The dump contains no post, so there is nothing to replay.
    #[error("the dump contains no post")]
    Empty,
}

#[derive(Deserialize)]
struct Header {
    barrage_recorder: u32,
    source: String,
    room: String,
    #[serde(default)]
    cut: bool,
}

#[derive(Deserialize)]
struct Line {
    at_ms: u64,
    class: Option<Class>,
    bytes: u32,
    user: String,
    outcome: String,
}

impl Dump {
    /// Whether a file begins with the header of a dump.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        header(bytes).is_some()
    }

    /// Parses a whole file. One wrong line refuses the file.
    pub fn parse(bytes: &[u8]) -> Result<Dump, DumpError> {
        if bytes.len() > BYTES_MAX {
            return Err(DumpError::TooLarge);
        }
        let header = header(bytes).ok_or(DumpError::NoHeader)?;
        if header.barrage_recorder != VERSION {
            return Err(DumpError::Version(header.barrage_recorder));
        }
        if header.source != "uplink" {
            return Err(DumpError::Source(header.source));
        }
        let mut lines = Vec::new();
        for (at, text) in bytes.split(|byte| *byte == b'\n').enumerate().skip(1) {
            if !text.is_empty() {
                let parsed = serde_json::from_slice::<Line>(text);
                lines.push(parsed.map_err(|error| DumpError::Line { line: at + 1, error })?);
            }
        }
        let recorded = lines.len();
        lines.retain(|line| line.outcome != "duplicate");
        let retries = (recorded - lines.len()) as u64;
        // A record is written when the post is answered, but carries the time of its arrival.
        lines.sort_by_key(|line| line.at_ms);
        let first_ms = lines.first().ok_or(DumpError::Empty)?.at_ms;
        let mut users = HashMap::new();
        let posts = lines.into_iter().map(|line| {
            let next = users.len() as u32;
            DumpedPost {
                offset_ms: line.at_ms - first_ms,
                kind: kind(line.class),
                bytes: line.bytes,
                user: *users.entry(line.user).or_insert(next),
            }
        });
        let posts = posts.collect();
        Ok(Dump { room: header.room, posts, users: users.len() as u32, retries, cut: header.cut })
    }

    /// Time from the first post to the last, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.posts.last().map_or(0, |post| post.offset_ms)
    }

    /// Returns the number of posts of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.posts.iter().filter(|post| post.kind == kind).count()
    }
}

fn header(bytes: &[u8]) -> Option<Header> {
    let first = bytes.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(first).ok()
}

fn kind(class: Option<Class>) -> Kind {
    match class {
        Some(Class::Gift) => Kind::Gift,
        Some(Class::Pulse) => Kind::Like,
        Some(Class::Chat | Class::Signal) | None => Kind::Chat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"barrage_recorder":1,"source":"uplink","instance":"u","room":"r","cause":"request","dumped_at_ms":9,"minutes":10,"cut":true,"records":4}"#;
    const RECORDS: &str = r#"
{"at_ms":1500,"class":"gift","bytes":4,"user":"bb","outcome":"broadcast","rule":""}
{"at_ms":1000,"class":"chat","bytes":9,"user":"aa","outcome":"held","rule":"room_display_chat_per_s"}
{"at_ms":1700,"class":"chat","bytes":9,"user":"aa","outcome":"duplicate","rule":""}
{"at_ms":2000,"class":null,"bytes":0,"user":"bb","outcome":"rate_limited","rule":"user_per_s"}
"#;

    #[test]
    fn dump_keeps_intervals_kinds_and_senders() {
        let text = format!("{HEADER}{RECORDS}");
        assert!(Dump::is_one(text.as_bytes()) && !Dump::is_one(barrage_recording::DEMO));
        let dump = Dump::parse(text.as_bytes()).unwrap();
        let post = |offset_ms, kind, bytes, user| DumpedPost { offset_ms, kind, bytes, user };
        let wanted = [post(0, Kind::Chat, 9, 0), post(500, Kind::Gift, 4, 1), post(1_000, Kind::Chat, 0, 1)];
        assert_eq!(dump.posts, wanted);
        assert_eq!((dump.users, dump.retries, dump.cut, dump.room.as_str()), (2, 1, true, "r"));
        assert_eq!((dump.duration_ms(), dump.count(Kind::Gift)), (1_000, 1));
    }

    #[test]
    fn dump_that_cannot_be_replayed_names_the_reason() {
        let said = |text: &str| Dump::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(said("<i></i>").contains("header"));
        assert!(said(&HEADER.replace("\"uplink\"", "\"gateway\"")).contains("dump of an uplink"));
        assert!(said(&HEADER.replace("recorder\":1", "recorder\":2")).contains("version 2"));
        assert!(said(HEADER).contains("no post"));
        assert!(said(&format!("{HEADER}\n\n{{\"at_ms\":1}}\n")).contains("line 3"));
    }
}
