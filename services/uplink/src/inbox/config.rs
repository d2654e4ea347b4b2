//! Limits of letters and groups at an uplink.

barrage_part::part! {
    /// Limits of letters and groups at an uplink.
    @[derive(Eq)]
    pub struct InboxConfig {
        /// Longest text of a letter, in characters as a reader counts them.
        text_chars_max: usize = 2_000, between(1, 10_000);
        /// Conversations with new people that one user may begin in an hour. Below it, a person who writes to
        /// friends; above it, one who writes to everybody.
        new_conversations_per_hour: u32 = 20, between(1, 1_000_000);
        /// Groups that one user may make in an hour.
        new_groups_per_hour: u32 = 10, between(1, 1_000_000);
        /// Reports that one user makes in an hour.
        reports_per_hour: u32 = 20, between(1, 1_000_000);
        /// Items a second that one group takes. Further ones are refused with a time to come back.
        group_items_per_s: u32 = 20, between(1, 1_000_000);
        /// Age of the oldest letter that waits in a lane, in seconds, from which on the lane takes no more. A
        /// database that is down delays letters at most this long.
        behind_secs_max: u64 = 3_600, between(1, 30 * 86_400);
        /// Age of answers about blocks, rules and members that are used again, in milliseconds. A block
        /// refuses letters at once this much later; the courier never lets them through.
        access_age_ms: u64 = 5_000, between(0, 60_000);
        /// Such answers that are kept; beyond, the least used are asked for again.
        access_kept_max: u64 = 100_000, between(1, 100_000_000);
        /// Time for which reads of direct conversations are merged, in milliseconds.
        reads_direct_ms: u64 = 200, between(0, 60_000);
        /// Time for which reads of groups are merged, in milliseconds.
        reads_group_ms: u64 = 5_000, between(0, 600_000);
        /// Reads that are merged at the same time; beyond, they are written at once.
        reads_merged_max: usize = 100_000, between(0, 10_000_000);
        /// Requests for the inbox and for items a second by one user, in bursts of five seconds' worth. A device
        /// that waits by `wait_secs` needs one in half a minute.
        syncs_per_s: u32 = 20, between(1, 1_000_000);
        /// Requests for the inbox that are answered at the same time. Further ones wait for a second and are
        /// then refused as `overloaded`.
        syncs_max: usize = 64, between(1, 65_536);
        /// Requests with `wait_secs` that wait at the same time; further ones are answered at once.
        waits_max: usize = 1_000, between(0, 1_000_000);
    }
}
