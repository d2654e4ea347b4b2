//! Settings of accounts: tokens, sessions, password hashes, limits.

barrage_part::part! {
    /// Accounts of people, for a site that has no backend of its own. A site that signs tokens itself
    /// leaves them off.
    @[derive(Eq)]
    pub struct AccountsConfig {
        /// Whether people may sign in at the uplinks. Without it: only with `up --demo`.
        @[serde(skip_serializing_if = "Option::is_none")]
        enabled: Option<bool> = None;
        /// Whether new people may register. Those who have an account sign in all the same.
        registration: bool = true;
        /// Rooms of the tokens; `*` is every room.
        rooms: Vec<String> = vec!["*".into()];
        /// Lifetime of a token in seconds. A session that was ended has valid tokens for this long.
        token_secs: u64 = 900, between(60, 86_400);
        /// Lifetime of a session in days, from its login.
        session_days: u64 = 30, between(1, 365);
        /// Sessions of one account. A further login ends the oldest.
        sessions_max: usize = 10, between(1, 100);
        /// Shortest password, in characters.
        password_chars_min: u32 = 8, between(8, 64);
        /// Memory of one password hash (Argon2id), in KiB. A stored password keeps the figures with which it
        /// was made.
        hash_memory_kib: u32 = 19_456, between(8_192, 1_048_576);
        /// Passes of one password hash over its memory.
        hash_passes: u32 = 2, between(1, 10);
        /// Password hashes at the same time. Each takes a processor and its memory, so that this number
        /// bounds what a storm of logins takes from posts.
        hashes_max: usize = 2, between(1, 64);
        /// Longest wait for a password hash in milliseconds; then the request is refused as `overloaded`.
        hash_wait_ms: u64 = 2_000, between(10, 30_000);
        /// Logins of one address in a minute, right and wrong ones.
        logins_per_address_min: u32 = 20, between(1, 100_000);
        /// Logins under one name in a minute, from all addresses. Who guesses passwords of a name can
        /// delay the logins of its owner, whose open sessions go on.
        logins_per_name_min: u32 = 10, between(1, 100_000);
        /// Registrations of one address in an hour.
        registrations_per_address_hour: u32 = 10, between(1, 100_000);
    }
}
