//! Retention and bounds of the bus.

barrage_part::part! {
    /// Retention and bounds of messages on the bus.
    @[derive(Eq)]
    pub struct BusConfig {
        /// Time during which a message can be repaired or resumed, in seconds. Longer than a tunnel, a
        /// lift or a restart of the player.
        retention_secs: u64 = 1_800, between(1, 30 * 86_400);
        /// Chat messages per room that are kept for repair. Beyond, the oldest are dropped, and a
        /// repair reports them as skipped. The default is 20 s of a hot room.
        chat_per_room_max: usize = 1_000, between(1, 1 << 24);
        /// Gifts and signals per room that are kept for repair. Beyond, a repair over the oldest is
        /// answered `gone`; the store still has them.
        precious_per_room_max: usize = 20_000, between(1, 1 << 24);
        /// Time during which a message id is remembered, in seconds. At least as long as clients retry.
        dedup_secs: u64 = 120, between(1, 86_400);
        /// Message ids remembered per room. Beyond, the oldest are forgotten early.
        dedup_per_room_max: usize = 200_000, between(1, 1 << 26);
        /// Time for which the log on disk keeps messages for the archiver, in seconds.
        log_secs: u64 = 86_400, between(1, 365 * 86_400);
        /// Maximum rooms. Beyond, the creation of a room is refused.
        rooms_max: usize = 20_000, between(1, 10_000_000);
        /// Publishes that wait for the log. Beyond, a publish is refused with a retry time.
        queue_max: usize = 8_192, between(1, 1 << 20);
        /// Events that a subscriber may lag behind before it must repair.
        subscriber_lag_max: usize = 4_096, between(16, 1 << 20);
        /// Maximum mutes and kicks in force. Beyond, a new one is refused.
        restrictions_max: usize = 100_000, between(1, 10_000_000);
        /// Maximum users whose tokens are revoked. Beyond, a further one is refused. A revocation of
        /// all tokens is always possible and empties the list.
        revocations_max: usize = 100_000, between(1, 10_000_000);
        /// Maximum media that are removed everywhere, each some 100 bytes in every process. Beyond, a further one is
        /// refused: move the oldest into `media.check.denied_file`.
        removed_media_max: usize = 100_000, between(1, 10_000_000);
    }
}
