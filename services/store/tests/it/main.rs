//! The rules that every engine must keep, run on each engine, and the faults of each engine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod inbox;
mod postgres;
mod server;
mod sqlite;
mod suite;

/// Runs each test of the suite on both engines, with an empty store of its own.
macro_rules! on_both_engines {
    ($($part:ident::$test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() {
                let (_folder, store) = crate::sqlite::open().await;
                crate::suite::$part::$test(store).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $test() {
                crate::suite::$part::$test(crate::postgres::open().await).await;
            })*
        }
    };
}

on_both_engines!(
    records::a_room_is_put_and_replaced,
    records::a_gift_is_recorded_once_and_listed_in_order,
    records::a_nul_in_a_text_does_not_stop_the_ledger,
    records::an_absurd_price_does_not_stop_the_ledger,
    archive::appending_twice_has_the_effect_of_appending_once,
    archive::another_message_at_a_stored_sequence_is_a_conflict,
    archive::a_refused_message_leaves_nothing_of_its_batch,
    archive::history_pages_in_both_directions,
    archive::offsets_count_from_the_stream_of_a_message,
    archive::offsets_of_a_room_without_a_record_count_from_its_first_message,
    archive::a_recall_hides_messages_of_its_room_only,
    archive::a_purge_and_a_clear_hide_what_was_before_them,
    archive::a_message_for_one_user_is_not_in_the_history,
    archive::a_medium_is_used_while_a_message_shows_it,
    archive::retention_deletes_in_chunks_and_keeps_position_and_ledger,
    archive::a_batch_larger_than_a_statement_is_stored_completely,
    archive::overlapping_archivers_neither_lose_nor_double_messages,
    partitions::partitions_have_positions_of_their_own,
    partitions::a_sequence_belongs_to_a_room,
    audit::audit_pages_begin_at_the_newest_line,
    audit::audit_of_a_room_has_no_lines_of_other_rooms,
    audit::an_audit_filter_combines_its_conditions,
    audit::audit_is_deleted_from_its_oldest_line,
    audit::an_audit_page_is_bounded,
    deliveries::an_event_is_stored_once_with_the_mark_of_its_receiver,
    deliveries::attempts_move_an_event_through_its_states,
    deliveries::a_replay_makes_events_wait_again,
    deliveries::the_log_is_bounded_by_time_and_lines_and_pending_events_stay,
    deliveries::a_disabled_receiver_stays_disabled_over_a_restart,
    accounts::a_name_has_one_account,
    accounts::sessions_end_by_time_by_number_and_by_name,
    polls::each_user_has_one_vote_and_the_first_counts,
    polls::a_closed_poll_keeps_its_result,
    polls::polls_of_a_room_are_listed_and_bounded,
    polls::a_close_among_votes_of_several_writers_counts_each_answer_once,
);
