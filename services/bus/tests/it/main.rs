//! What every bus engine must do, run on each; and what only the cluster's can suffer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cluster;
mod drafts;
mod engine;
mod faults;
mod partitions;
mod server;
mod suite;
mod tls;

/// Runs each test of the suite on both engines, the cluster's with one partition and
/// with three.
macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::suite::$test::<crate::engine::Embedded>().await;
            })*
        }
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::suite::$test::<crate::engine::Nats<1>>().await;
            })*
        }
        mod nats_in_three {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                crate::suite::$test::<crate::engine::Nats<3>>().await;
            })*
        }
    };
}

on_both_engines!(
    the_chain_of_each_room_closes_and_a_subscriber_gets_all_in_order,
    an_id_is_one_message_for_its_sender_and_room_alone,
    a_thousand_posts_under_one_id_are_one_message,
    a_package_is_consecutive_or_not_there_at_all,
    a_package_posted_again_is_all_duplicates,
    drafts_of_several_topics_are_refused,
    a_restart_keeps_the_chain_settings_and_what_can_be_repaired,
    a_slow_subscriber_is_told_and_can_repair,
    a_subscription_while_publishing_misses_nothing,
    a_repair_keeps_gifts_and_the_newest_chat,
    a_repair_in_parts_covers_everything,
    what_is_older_than_kept_is_gone,
    a_message_for_one_user_stays_out_of_the_room,
    pulses_reach_the_room_and_have_no_place,
    settings_are_in_force_when_the_change_returns,
    changes_of_two_moderators_at_once_both_take_effect,
    a_change_that_does_not_fit_is_refused,
    a_restriction_can_be_set_again_after_its_end_and_after_it_was_lifted,
    the_archiver_reads_each_partition_in_order,
    a_thousand_rooms_at_once,
);
