//! What every engine must do. Each function gets a store of its own, empty.

pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod cut;
pub(crate) mod partitions;
pub(crate) mod records;

use std::sync::Arc;

use barrage_protocol::post::History;
use barrage_protocol::{Class, Message, RoomId, Sequence, UserId};
use barrage_store::{ArchiveEntry, Effect, GiftKind, GiftRecord, Room};

/// One test per property: `suite!(open)`, where `open` makes a guard that keeps
/// the database alive, and the store.
macro_rules! suite {
    ($open:path) => {
        $crate::conformance::suite!(@each $open; records:
            rooms_are_put_listed_and_closed,
            mutes_hold_until_their_end,
            ids_are_ordered_by_their_bytes,
            gifts_are_recorded_once_and_summed,
            a_nul_in_a_text_stops_nothing,
            sums_beyond_64_bits_do_not_fail);
        $crate::conformance::suite!(@each $open; archive:
            appending_twice_is_appending_once,
            another_message_under_a_kept_sequence_is_a_conflict,
            a_refused_message_leaves_nothing_of_its_batch,
            history_pages_in_both_directions,
            offsets_count_from_the_stream_that_a_message_belongs_to,
            a_room_nobody_put_counts_from_its_first_message,
            recall_hides_within_the_room_only,
            a_message_for_one_user_is_no_history,
            retention_deletes_in_chunks_and_keeps_the_position_and_the_money,
            a_batch_larger_than_a_statement_is_kept_whole,
            overlapping_archivers_neither_lose_nor_double);
        $crate::conformance::suite!(@each $open; partitions:
            partitions_count_for_themselves,
            a_position_belongs_to_a_room);
        $crate::conformance::suite!(@each $open; audit:
            audit_pages_run_from_the_newest_line,
            audit_of_a_room_leaves_the_others_out,
            audit_is_deleted_from_its_oldest_line,
            an_audit_page_is_bounded);
    };
    (@each $open:path; $module:ident: $($name:ident),+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (_guard, store) = $open().await;
                conformance::$module::$name(store).await;
            }
        )+
    };
}
pub(crate) use suite;

pub(crate) fn room(id: &str) -> RoomId {
    RoomId::parse(id).unwrap()
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn a_room(id: &str, stream_started_at_ms: u64) -> Room {
    Room {
        id: room(id),
        title: format!("Room {id} 房间"),
        created_at_ms: 500,
        stream_started_at_ms,
        closed: false,
    }
}

pub(crate) fn message(id: &str, sequence: u64, at_ms: u64) -> Message {
    Message {
        room: room(id),
        sequence: Sequence(sequence),
        previous: Sequence::ZERO,
        class: Class::Chat,
        sender: Some(user("ann")),
        id: None,
        to: None,
        at_ms,
        body: format!(r#"{{"type":"chat","text":"弹幕 {sequence}"}}"#).into(),
    }
}

pub(crate) fn kept(message: Message) -> ArchiveEntry {
    ArchiveEntry { message: Arc::new(message), effect: Effect::None }
}

pub(crate) fn chat(id: &str, sequence: u64, at_ms: u64) -> ArchiveEntry {
    kept(message(id, sequence, at_ms))
}

pub(crate) fn gift(id: &str, sequence: u64, count: u32, price_minor: u64) -> GiftRecord {
    GiftRecord {
        sequence: Sequence(sequence),
        room: room(id),
        user: user("ann"),
        kind: GiftKind::Gift,
        name: "Rocket".to_owned(),
        count,
        price_minor,
        currency: None,
        combo: Some(2),
        at_ms: 1_000 + sequence,
    }
}

pub(crate) fn gift_entry(id: &str, sequence: u64) -> ArchiveEntry {
    let message = Message { class: Class::Gift, ..message(id, sequence, 1_000 + sequence) };
    ArchiveEntry { message: Arc::new(message), effect: Effect::Gift(gift(id, sequence, 1, 100)) }
}

pub(crate) fn sequences(history: &History) -> Vec<u64> {
    history.messages.iter().map(|message| message.sequence.0).collect()
}
