//! Builds a `batch` frame from bodies that are copied as they are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::frame::RepairOutcome;
use crate::poll::PollCounts;
use crate::{Class, RoomId, Sequence};

/// One message of a batch: position, class and the bytes of its body.
#[derive(Debug, Clone, Copy)]
pub struct BatchItem<'a> {
    /// Position in the room's chain, greater than that of the item before.
    pub sequence: Sequence,
    /// Class, by which the gateway drops under load.
    pub class: Class,
    /// JSON object that the uplink made; it is copied without parsing.
    pub body: &'a [u8],
}

/// Number of messages of each droppable class that the server dropped from the range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Chat messages of the range that the server dropped under load.
    #[serde(default)]
    pub chat: u64,
}

impl LeftOut {
    /// Reports whether nothing was dropped.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == LeftOut::default()
    }
}

/// Totals of events without a place in the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pulse {
    /// Likes since the last pulse; the JSON omits a zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub likes: u64,
    /// Viewers that joined since the last pulse.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub entries: u64,
    /// Current viewers of the room; absent when unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<u64>,
    /// Reactions beside the like since the last pulse, by name; absent without any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, u64>,
    /// Votes of the running poll so far, when they have changed: one entry at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub polls: Vec<PollCounts>,
    /// Chat that viewers offered since the last pulse; present while the room's quota shows a sample.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offered: u64,
    /// Chat out of `offered` that the room's quota let through.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shown: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Pulse {
    /// Reports whether the pulse carries no figure.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Pulse::default()
    }
}

/// Fields of a `batch` frame without its messages.
#[derive(Debug, Clone, Default)]
pub struct BatchWriter {
    /// Position of the chain before this batch.
    pub previous: Sequence,
    /// Position of the chain after this batch.
    pub sequence: Sequence,
    /// Messages of the range that the batch lacks, because the server dropped them.
    pub left_out: LeftOut,
    /// Totals that travel with this batch; an empty pulse is not written.
    pub pulse: Pulse,
    /// Outcome and skipped messages; set on the answer to a resume or a repair.
    pub repair: Option<(RepairOutcome, u64)>,
}

impl BatchWriter {
    /// Appends the JSON of the frame to `out`.
    pub fn write<'a>(
        &self,
        out: &mut Vec<u8>,
        room: &RoomId,
        items: impl IntoIterator<Item = BatchItem<'a>>,
    ) {
        use std::io::Write;
        const MEMORY: &str = "writing to memory cannot fail";
        write!(
            out,
            r#"{{"type":"batch","room":"{room}","previous":{},"sequence":{},"messages":["#,
            self.previous, self.sequence
        )
        .expect(MEMORY);
        let mut first = true;
        for item in items {
            if !first {
                out.push(b',');
            }
            first = false;
            write!(out, r#"{{"sequence":{},"class":"{}","body":"#, item.sequence, item.class.label())
                .expect(MEMORY);
            out.extend_from_slice(item.body);
            out.push(b'}');
        }
        out.push(b']');
        self.write_rest(out);
        out.push(b'}');
    }

    /// Appends the fields behind the messages, each with a comma before it.
    pub(crate) fn write_rest(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        const MEMORY: &str = "writing to memory cannot fail";
        if self.left_out != LeftOut::default() {
            write!(out, r#","left_out":{{"chat":{}}}"#, self.left_out.chat).expect(MEMORY);
        }
        if !self.pulse.is_empty() {
            out.extend_from_slice(br#","pulse":"#);
            serde_json::to_writer(&mut *out, &self.pulse).expect(MEMORY);
        }
        if let Some((outcome, skipped)) = self.repair {
            write!(out, r#","repair":{{"outcome":"{}","skipped":{skipped}}}"#, outcome.label())
                .expect(MEMORY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::ServerFrame;

    #[test]
    fn what_is_spliced_is_what_is_parsed() {
        let mut out = Vec::new();
        let writer = BatchWriter {
            previous: Sequence(3),
            sequence: Sequence(9),
            left_out: LeftOut { chat: 2 },
            pulse: Pulse { likes: 7, online: Some(12), ..Pulse::default() },
            repair: Some((RepairOutcome::Partial, 2)),
        };
        let body = br#"{"type":"chat","text":"\u5f39\"\\"}"#;
        let item = BatchItem { sequence: Sequence(5), class: Class::Chat, body };
        writer.write(&mut out, &RoomId::parse("demo").unwrap(), [item, item]);
        let ServerFrame::Batch(batch) = ServerFrame::parse(&out).unwrap() else { panic!("not a batch") };
        assert_eq!(batch.messages.len(), 2);
        assert_eq!(batch.messages[0].body.get().as_bytes(), body);
        assert_eq!(batch.left_out.chat, 2);
        assert_eq!(batch.pulse.unwrap().online, Some(12));
        assert_eq!(batch.repair.unwrap().outcome, RepairOutcome::Partial);
    }
}
