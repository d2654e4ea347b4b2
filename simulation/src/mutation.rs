//! Defects that a run can have on purpose. Each is in the surroundings or in a wrapper, never in the product:
//! a simulation that does not find them would find nothing else.

/// A defect of the surroundings, for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// A client delivers batches as they come, gaps and repetitions included.
    ChainWithoutOrder,
    /// Answers to repairs lack their first message.
    RepairLosesFirst,
    /// A sender takes a new id when it posts again.
    IdChangesOnRetry,
    /// The bus remembers one id of each room.
    OneIdRemembered,
    /// The disk loses synced bytes at a power cut.
    DiskForgetsSync,
    /// The disk loses synced bytes and the mark, and nobody names the archive's position.
    DiskForgetsMark,
    /// The shared bucket counts half of what it lends.
    CountsHalf,
    /// A lease counts its life from the answer instead of the request.
    LifeFromAnswer,
    /// The store writes the archive's position before the messages.
    MarkBeforeMessages,
    /// The store adds messages that it has already.
    ArchiveTwice,
    /// The store writes a receiver's position before the events.
    MarkBeforeEvents,
    /// The store names an event by a number of its own.
    EventsTwice,
    /// The client of webhooks takes any answer for success.
    AnyAnswerDelivers,
    /// The store forgets how long an event waits for its next attempt.
    WaitForgotten,
    /// Requests to all receivers go one after the other.
    RequestsInOneLine,
    /// A batch is given up when it cannot be handed to the shards.
    BatchGivenUp,
    /// Chat that is dropped is not counted.
    DropsUncounted,
    /// The hub takes messages while a full batch waits for the shards.
    IntakeNeverCloses,
    /// The hub looks at its batch too late.
    HubSleepsIn,
    /// The servers do not check the gate.
    GateUnchecked,
    /// A new stay counts its positions from one.
    PositionsBeginAgain,
    /// Publishers do not ask former partitions for ids.
    IdsForgottenByMove,
}

impl Mutation {
    /// Returns the name in commands and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mutation::ChainWithoutOrder => "chain-without-order",
            Mutation::RepairLosesFirst => "repair-loses-first",
            Mutation::IdChangesOnRetry => "id-changes-on-retry",
            Mutation::OneIdRemembered => "one-id-remembered",
            Mutation::DiskForgetsSync => "disk-forgets-sync",
            Mutation::DiskForgetsMark => "disk-forgets-mark",
            Mutation::CountsHalf => "counts-half",
            Mutation::LifeFromAnswer => "life-from-answer",
            Mutation::MarkBeforeMessages => "mark-before-messages",
            Mutation::ArchiveTwice => "archive-twice",
            Mutation::MarkBeforeEvents => "mark-before-events",
            Mutation::EventsTwice => "events-twice",
            Mutation::AnyAnswerDelivers => "any-answer-delivers",
            Mutation::WaitForgotten => "wait-forgotten",
            Mutation::RequestsInOneLine => "requests-in-one-line",
            Mutation::BatchGivenUp => "batch-given-up",
            Mutation::DropsUncounted => "drops-uncounted",
            Mutation::IntakeNeverCloses => "intake-never-closes",
            Mutation::HubSleepsIn => "hub-sleeps-in",
            Mutation::GateUnchecked => "gate-unchecked",
            Mutation::PositionsBeginAgain => "positions-begin-again",
            Mutation::IdsForgottenByMove => "ids-forgotten-by-move",
        }
    }
}
