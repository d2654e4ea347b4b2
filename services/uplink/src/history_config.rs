//! The configuration of first pages of histories.

barrage_part::part! {
    /// First pages of histories, which an uplink reads from the store once for all viewers of a room. Pages
    /// for moderators, pages of more than 100 messages, and those further back are read each for itself.
    @[derive(Eq)]
    pub struct HistoryConfig {
        /// Age up to which a first page is shown again, in milliseconds, from before it was read. With 0
        /// viewers that ask at the same time share a page, and no page is kept.
        age_ms: u64 = 1_000, between(0, 1_000);
        /// Memory for first pages that are kept, in bytes; slow readers may hold as much of pages that have
        /// ended. Some 90 KB for each room with 100 messages that is read within a second. At the bound the
        /// rooms that are read least are read from the store each time.
        bytes_max: u64 = 16 * 1024 * 1024, between(4_096, 8 << 30);
        /// Longest wait of a viewer for a page that is being read, in milliseconds; then the request is refused
        /// as `overloaded`. The store is read to the end, once, for those who come later.
        wait_ms: u64 = 2_000, between(10, 60_000);
        /// Viewers that wait for pages at the same time. A further one is refused as `overloaded`.
        waiting_max: usize = 16_384, between(1, 1_000_000);
    }
}
