//! A dump of an uplink's flight recorder: who posted what kind of thing when, without texts and
//! names, read so that it can be posted again.

use std::collections::HashMap;

use barrage_protocol::Class;
use serde::Deserialize;

use crate::arrivals::Kind;

/// Version of the form that is understood.
const VERSION: u32 = 1;
/// Largest file.
const BYTES_MAX: usize = 1 << 30;

/// What can be posted again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dump {
    /// The room that it is of.
    pub room: String,
    /// In order of time.
    pub posts: Vec<DumpedPost>,
    /// Different senders.
    pub users: u32,
    /// Records that are not posted again: retries, whose first post is.
    pub retries: u64,
    /// Older records of its time were forgotten.
    pub cut: bool,
}

/// One post of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpedPost {
    /// After the first one.
    pub offset_ms: u64,
    /// What it was; one that was refused unread counts as chat.
    pub kind: Kind,
    /// Bytes of its text.
    pub bytes: u32,
    /// Its sender, from 0.
    pub user: u32,
}

/// Why a file is no dump that can be played.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// Larger than is read.
    #[error("it is larger than {} MiB", BYTES_MAX >> 20)]
    TooLarge,
    /// The first line is something else.
    #[error("its first line is no header of a flight recorder")]
    NoHeader,
    /// Of a later version of Barrage.
    #[error("it is of version {0}, and this is a load tester of version {VERSION}")]
    Version(u32),
    /// A gateway's.
    #[error("it is of a {0}, which saw batches; the posts are in the dump of an uplink")]
    Source(String),
    /// A line that is no record.
    #[error("line {line} is no record: {error}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// Nothing to play.
    #[error("it holds no post")]
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
    /// Whether a file begins as a dump does.
    #[must_use]
    pub fn is_one(bytes: &[u8]) -> bool {
        header(bytes).is_some()
    }

    /// Reads a whole file.
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
        // A record is written when its post is answered, and says when it came.
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

    /// From the first post to the last, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        self.posts.last().map_or(0, |post| post.offset_ms)
    }

    /// Posts of a kind.
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
    fn posts_keep_their_distances_their_kinds_and_their_senders() {
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
    fn what_cannot_be_played_says_why() {
        let said = |text: &str| Dump::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(said("<i></i>").contains("header"));
        assert!(said(&HEADER.replace("\"uplink\"", "\"gateway\"")).contains("dump of an uplink"));
        assert!(said(&HEADER.replace("recorder\":1", "recorder\":2")).contains("version 2"));
        assert!(said(HEADER).contains("no post"));
        assert!(said(&format!("{HEADER}\n\n{{\"at_ms\":1}}\n")).contains("line 3"));
    }
}
