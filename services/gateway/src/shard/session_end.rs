use barrage_protocol::code::Refusal;

/// Reason why a session ends without a close by the shard.
pub(super) enum SessionEnd {
    /// The client has gone, or its socket has failed.
    Gone,
    /// The gateway refuses the client and closes the connection.
    Refused(Refusal),
}

impl From<Refusal> for SessionEnd {
    fn from(refusal: Refusal) -> Self {
        SessionEnd::Refused(refusal)
    }
}
