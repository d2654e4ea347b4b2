/// Reason why a connection must end: the other side broke RFC 6455 or a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A fragment, a reserved bit or opcode, a wrong mask, a long length for a short payload, or
    /// a bad close code.
    #[error("the frame is malformed: frames must be whole, without extensions, masked by clients alone")]
    Malformed,
    /// The payload exceeds the reader's limit. The length alone shows it.
    #[error("the frame is larger than the limit")]
    TooLarge,
    /// A text message or a close reason is not valid UTF-8.
    #[error("the text frame or the close reason is not UTF-8")]
    InvalidUtf8,
    /// A binary frame at a server that takes text.
    #[error("the frame is binary; send text")]
    Binary,
}
