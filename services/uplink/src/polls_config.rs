//! The configuration of polls.

barrage_part::part! {
    /// Bounds of polls. Votes wait for the store in one queue and are written in batches, so that a
    /// million votes are a few hundred transactions.
    @[derive(Eq)]
    pub struct PollsConfig {
        /// Votes of guests from one address (an IPv6 /64) within ten minutes; further ones are refused. A
        /// guest costs nothing to make, so that this bounds what one person can add to a poll.
        guest_votes_per_address: u32 = 20, between(1, 1_000_000);
        /// Votes that wait for the store on one uplink. Beyond, a vote is refused as `overloaded`.
        waiting_max: usize = 65_536, between(1, 10_000_000);
        /// Votes that one transaction writes.
        commit_votes_max: usize = 2_000, between(1, 10_000);
    }
}
