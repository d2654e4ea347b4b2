use std::collections::VecDeque;
use std::sync::Arc;

use barrage_class::Counts;
use barrage_protocol::{RoomId, Sequence};
use bytes::{Buf, Bytes};

use crate::room::{SharedBatch, skip_json};
use crate::socket::{Encoding, encode};

/// Bytes up to which frames are joined by a copy, which costs less than another write.
const TOGETHER_BYTES_MAX: usize = 1_024;

#[derive(Debug)]
enum Item {
    /// Frame of which the socket may have taken a part, so that it must not change, and the
    /// messages in it.
    Frame(Bytes, Counts),
    /// Whole batch and the bytes of its frame.
    Full(Arc<SharedBatch>, usize),
    /// Batch without its chat, after the queue exceeded its soft bound.
    Thin(Arc<SharedBatch>),
    /// Range of which all messages were chat and are dropped.
    Skip { room: RoomId, previous: Sequence, sequence: Sequence, chat: u64 },
}

/// Result of queueing a batch for one viewer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Chat messages dropped so that the queue keeps its soft bound.
    pub(crate) dropped_chat: u64,
    /// The gifts and signals alone do not fit, so that the batch was not queued.
    pub(crate) is_overflow: bool,
}

/// Queue of the frames that the kernel did not take for one viewer, bounded in bytes; pure.
///
/// Over the soft bound the queue drops chat, oldest first, because an old danmaku is worth nothing.
/// The stream then carries the number of messages dropped, so that the chain still closes. Gifts
/// and signals stay. Over the hard bound the viewer must reconnect, and its resume brings them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: VecDeque<Item>,
    bytes: u32,
    /// Bytes that the gauge of all queues counts for this queue.
    reported: u32,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Returns the change of the bytes queued since the last call, for the gauge of all queues.
    pub(crate) fn report(&mut self) -> i64 {
        let before = std::mem::replace(&mut self.reported, self.bytes);
        i64::from(self.bytes) - i64::from(before)
    }

    /// Bytes that the gauge of all queues counts for this queue.
    pub(crate) fn reported(&self) -> i64 {
        i64::from(self.reported)
    }

    /// Queues a frame that must not change: an answer, or the rest of a frame that was sent in part.
    /// Small frames share a write. `messages` are the messages in the frame.
    pub(crate) fn push_frame(&mut self, frame: Bytes, messages: Counts) {
        self.bytes += size(frame.len());
        if let Some(Item::Frame(last, with)) = self.items.back_mut()
            && last.len() + frame.len() <= TOGETHER_BYTES_MAX
        {
            *last = [&last[..], &frame[..]].concat().into();
            *with += messages;
            return;
        }
        self.items.push_back(Item::Frame(frame, messages));
    }

    /// Messages that the queue holds, by class; dropped chat is not among them.
    pub(crate) fn holds(&self) -> Counts {
        self.items.iter().map(Item::messages).sum()
    }

    /// Queues a batch, or drops chat for it.
    pub(crate) fn push_batch(
        &mut self,
        batch: Arc<SharedBatch>,
        encoding: Encoding,
        soft_bytes: usize,
        hard_bytes: usize,
    ) -> Pushed {
        let len = batch.frame(encoding).len();
        self.bytes += size(len);
        self.items.push_back(Item::Full(batch, len));
        let mut dropped_chat = 0;
        if self.bytes() > soft_bytes {
            dropped_chat = self.thin(encoding, soft_bytes);
        }
        let is_overflow = self.bytes() > hard_bytes;
        if is_overflow {
            self.take_back(encoding);
        }
        Pushed { dropped_chat, is_overflow }
    }

    /// Queues the frame of a batch without chat, from which nothing may be dropped.
    pub(crate) fn push_counted(&mut self, frame: Bytes, messages: Counts, hard_bytes: usize) -> Pushed {
        let is_overflow = self.bytes() + frame.len() > hard_bytes;
        if !is_overflow {
            self.push_frame(frame, messages);
        }
        Pushed { dropped_chat: 0, is_overflow }
    }

    /// Removes the batch that was queued last.
    fn take_back(&mut self, encoding: Encoding) {
        let len = match self.items.back() {
            Some(Item::Full(_, len)) => *len,
            Some(Item::Thin(batch)) => batch.thin_frame(encoding).len(),
            // The batch was chat alone, which is dropped already.
            Some(Item::Frame(..) | Item::Skip { .. }) | None => return,
        };
        self.items.pop_back();
        self.bytes -= size(len);
    }

    /// Drops chat, oldest first, until the soft bound holds or no chat is left.
    fn thin(&mut self, encoding: Encoding, soft_bytes: usize) -> u64 {
        let mut dropped_chat = 0;
        let mut kept = VecDeque::with_capacity(self.items.len());
        for item in std::mem::take(&mut self.items) {
            let item = match item {
                Item::Full(batch, len)
                    if self.bytes() > soft_bytes && (batch.chat() > 0 || !batch.has_precious()) =>
                {
                    dropped_chat += batch.chat();
                    self.bytes -= size(len);
                    if batch.has_precious() {
                        let thin_len = batch.thin_frame(encoding).len();
                        self.bytes += size(thin_len);
                        Item::Thin(batch)
                    } else {
                        let (room, chat) = (batch.room.clone(), batch.chat() + batch.thinned);
                        Item::Skip { room, previous: batch.previous, sequence: batch.sequence, chat }
                    }
                }
                other => other,
            };
            push_merged(&mut kept, item);
        }
        self.items = kept;
        dropped_chat
    }

    /// Writes until the socket is full: `write` returns how many bytes it took, zero when full.
    /// Returns the messages that were written to their end, whether or not the socket failed later.
    pub(crate) fn drain<E>(
        &mut self,
        encoding: Encoding,
        mut write: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> (Counts, Result<(), E>) {
        let mut written = Counts::default();
        while let Some(item) = self.items.pop_front() {
            let messages = item.messages();
            let mut frame = match item {
                Item::Frame(frame, _) => frame,
                Item::Full(batch, _) => batch.frame(encoding).clone(),
                Item::Thin(batch) => batch.thin_frame(encoding).clone(),
                Item::Skip { room, previous, sequence, chat } => {
                    let frame = encode(&skip_json(&room, previous, sequence, chat), encoding);
                    self.bytes += size(frame.len());
                    frame
                }
            };
            while frame.has_remaining() {
                let taken = match write(&frame) {
                    Ok(taken) => taken,
                    Err(error) => {
                        self.items.push_front(Item::Frame(frame, messages));
                        return (written, Err(error));
                    }
                };
                self.bytes -= size(taken);
                frame.advance(taken);
                if taken == 0 {
                    self.items.push_front(Item::Frame(frame, messages));
                    return (written, Ok(()));
                }
            }
            written += messages;
        }
        // The queue nearly always stays empty, so it keeps no memory.
        self.items = VecDeque::new();
        (written, Ok(()))
    }
}

impl Item {
    fn messages(&self) -> Counts {
        match self {
            Item::Frame(_, messages) => *messages,
            Item::Full(batch, _) => batch.counts,
            Item::Thin(batch) => batch.counts.without_chat(),
            Item::Skip { .. } => Counts::default(),
        }
    }
}

/// Bytes of one frame; all bounds are far below 2^32.
fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn push_merged(items: &mut VecDeque<Item>, item: Item) {
    if let (
        Some(Item::Skip { room, sequence, chat, .. }),
        Item::Skip { room: next_room, sequence: next_sequence, chat: next_chat, .. },
    ) = (items.back_mut(), &item)
        && room == next_room
    {
        *sequence = *next_sequence;
        *chat += next_chat;
        return;
    }
    items.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use barrage_protocol::Class;
    use barrage_protocol::frame::{Batch, ServerFrame};
    use proptest::prelude::*;

    use crate::room::batch_of;

    fn frames(mut bytes: &[u8]) -> Vec<Batch> {
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let frame = barrage_ws::client::read(bytes, usize::MAX).unwrap().unwrap();
            let ServerFrame::Batch(batch) = ServerFrame::parse(frame.payload_in(bytes)).unwrap() else {
                panic!()
            };
            out.push(batch);
            bytes = &bytes[frame.bytes()..];
        }
        out
    }

    proptest! {
        #[test]
        fn the_chain_closes_with_every_gift_and_dropped_chat_is_counted(
            plan in prop::collection::vec((prop::collection::vec(0_u8..4, 1..6), 0_usize..600), 1..40),
            soft in 200_usize..2000,
        ) {
            let mut outbox = Outbox::default();
            let mut conserved = Counts::ZERO;
            let mut wire = Vec::new();
            let (mut position, mut gifts, mut chats) = (0, 0, 0);
            for (classes, room_on_socket) in plan {
                let classes: Vec<_> = classes.iter().map(|c| if *c == 0 { Class::Gift } else { Class::Chat }).collect();
                gifts += classes.iter().filter(|c| **c == Class::Gift).count();
                chats += classes.iter().filter(|c| **c == Class::Chat).count() as u64;
                let pushed = outbox.push_batch(batch_of(position, &classes), Encoding::Json, soft, usize::MAX);
                conserved.chat += pushed.dropped_chat;
                position += classes.len() as u64;
                let mut free = room_on_socket;
                let (written, _) = outbox.drain(Encoding::Json, |bytes| {
                    let n = bytes.len().min(free);
                    free -= n;
                    wire.extend_from_slice(&bytes[..n]);
                    Ok::<_, ()>(n)
                });
                conserved += written;
                let accounted = conserved + outbox.holds();
                prop_assert_eq!(accounted, Counts { signal: 0, gift: gifts as u64, chat: chats });
            }
            outbox.drain(Encoding::Json, |bytes| { wire.extend_from_slice(bytes); Ok::<_, ()>(bytes.len()) }).1.unwrap();
            prop_assert_eq!(outbox.bytes(), 0);
            let mut last = Sequence::ZERO;
            let (mut got_gifts, mut got_chats) = (0, 0);
            for batch in frames(&wire) {
                prop_assert_eq!(batch.previous, last);
                last = batch.sequence;
                got_gifts += batch.messages.iter().filter(|m| m.class == Class::Gift).count();
                got_chats += batch.left_out.chat + batch.messages.iter().filter(|m| m.class == Class::Chat).count() as u64;
            }
            prop_assert_eq!(last, Sequence(position));
            prop_assert_eq!(got_gifts, gifts);
            prop_assert_eq!(got_chats, chats);
        }
    }

    #[test]
    fn gifts_beyond_the_hard_bound_are_an_overflow_and_not_queued() {
        let mut outbox = Outbox::default();
        let mut position = 0;
        let overflow = (0..100).any(|_| {
            position += 1;
            outbox.push_batch(batch_of(position - 1, &[Class::Gift]), Encoding::Json, 500, 2000).is_overflow
        });
        assert!(overflow);
        assert!(outbox.bytes() <= 2000, "a batch that does not fit is not queued");
    }
}
