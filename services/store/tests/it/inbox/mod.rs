//! The inbox on both engines, against tables in memory and a recount from lists.

mod dump;
mod engine;
mod events;
mod push;
mod suite;

macro_rules! on_both_engines {
    ($($part:ident::$test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$part::$test(super::engine::Engine::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                super::$part::$test(super::engine::Engine::postgres().await).await;
            })*
        }
    };
}

on_both_engines!(
    suite::rows_equal_the_tables_of_the_model,
    suite::a_fault_at_any_statement_leaves_nothing_of_the_batch,
    suite::couriers_of_one_lane_do_not_double,
    suite::couriers_of_two_lanes_share_users_without_a_deadlock,
    events::ids_that_nobody_has_get_no_row,
    events::a_letter_writes_six_rows_and_a_post_four,
    events::a_batch_out_of_order_is_refused,
    events::old_items_are_removed_and_unread_stays_right,
    events::erased_user_has_another_id_once_and_no_number_moves,
    events::items_are_read_in_both_directions,
    suite::present_members_of_each_group_are_found,
    events::several_processes_can_open_new_tables_at_once,
    push::many_letters_are_one_notification_of_who_has_a_device,
    push::a_row_is_taken_by_one_sender_at_a_time_and_again_after_its_lease,
    push::a_newer_item_stays_when_the_older_ones_are_settled,
    push::members_of_a_group_are_called_as_they_wish,
    push::requests_and_muted_conversations_call_nobody,
    push::a_device_belongs_to_who_registered_it_last_and_devices_are_bounded,
    push::an_old_answer_forgets_no_new_registration,
    push::followers_with_devices_are_told_in_one_order,
    push::an_erased_user_has_nothing_left,
    push::a_user_follows_a_bounded_number_of_hosts,
    push::badges_wait_after_a_read_and_once_for_each_user,
    push::another_key_is_refused_unless_it_replaces_the_one_before,
);

/// The number of events that the law is proved with: see docs/adr/0080.
mod million {
    #[tokio::test]
    #[ignore = "takes minutes"]
    async fn unread_equals_the_recount_in_sqlite() {
        super::suite::prove(super::engine::Engine::sqlite().await, 1_000_000).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes"]
    async fn unread_equals_the_recount_in_postgres() {
        super::suite::prove(super::engine::Engine::postgres().await, 1_000_000).await;
    }
}
