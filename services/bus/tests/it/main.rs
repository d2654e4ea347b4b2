//! The rules that every bus engine must keep, run on each engine, and the faults of the cluster.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod drafts;
mod engine;
mod faults;
mod lanes;
mod mail;
mod moves;
mod partitions;
mod suite;
mod tls;

/// Runs each test of the suite on both engines, and on the cluster's with one and with three
/// partitions.
macro_rules! on_both_engines {
    ($($part:ident::$test:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::suite::$part::$test::<crate::engine::Embedded>().await;
            })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::suite::$part::$test::<crate::engine::Nats<1>>().await;
            })*
        }
        mod nats_in_three {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::suite::$part::$test::<crate::engine::Nats<3>>().await;
            })*
        }
    };
}

on_both_engines!(
    messages::a_subscriber_receives_all_messages_of_its_room_as_a_closed_chain,
    messages::the_trace_of_a_sampled_message_travels_with_it,
    messages::an_id_identifies_a_message_of_its_sender_in_its_room_only,
    messages::a_thousand_posts_under_one_id_are_one_message,
    messages::a_package_gets_consecutive_positions_or_none,
    messages::a_package_posted_again_is_answered_as_duplicates,
    messages::drafts_of_several_topics_are_refused,
    repair::a_restart_keeps_chain_settings_and_repairable_messages,
    repair::a_slow_subscriber_receives_lagged_and_can_repair,
    repair::a_subscription_made_while_publishing_misses_nothing,
    repair::a_repair_returns_all_gifts_and_the_newest_chat,
    repair::a_repair_in_parts_covers_the_whole_range,
    repair::messages_older_than_retention_are_gone,
    messages::a_message_for_one_user_is_not_in_the_room,
    messages::pulses_reach_the_room_without_a_position,
    attributes::attributes_are_exact_over_processes,
    settings::settings_are_in_force_when_the_change_returns,
    settings::concurrent_changes_of_two_processes_both_take_effect,
    settings::a_review_is_decided_once_by_two_processes,
    settings::a_change_of_something_unknown_is_refused,
    settings::a_restriction_can_be_set_again_after_it_ended_or_was_lifted,
    messages::read_all_returns_each_partition_in_order,
    messages::a_thousand_rooms_are_served_at_once,
);
