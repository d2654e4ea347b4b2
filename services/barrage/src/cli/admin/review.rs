//! Verbs of `barrage review`: what waits for a moderator.

use std::time::Duration;

use barrage_protocol::{Digest, MessageId, RoomId};
use clap::{Subcommand, ValueEnum};

use crate::cli::value::{duration, parse};

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List what waits for a moderator of a room: messages, and reports of viewers.
    List {
        /// Room of the reviews.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
    },
    /// Lock or decide a review: `barrage review decide rv-1 approve --room R`.
    Decide {
        /// Id of the review.
        #[arg(value_parser = parse::<MessageId>)]
        review: MessageId,
        /// What to do. The first decision counts.
        #[arg(value_enum)]
        decision: DecisionWord,
        /// Room of the review.
        #[arg(long, value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Length of the mute of `deny-and-mute`, such as 10m or 2h; 10m when absent.
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Option<Duration>,
        /// Why, for the audit log alone; the user does not see the reason.
        #[arg(long)]
        reason: Option<String>,
    },
    /// List pictures and files that wait for a moderator (media.review), with addresses to look at them.
    ///
    /// In a fleet, the admin URL names a process of the role media.
    ListMedia,
    /// Decide about a picture or file that waits: `barrage review decide-media DIGEST approve`.
    DecideMedia {
        /// SHA-256 of the file in 64 hexadecimal digits, as `list-media` prints it.
        #[arg(value_parser = Digest::parse)]
        digest: Digest,
        /// What to do. The first decision counts.
        #[arg(value_enum)]
        decision: MediaDecisionWord,
    },
    /// Lift the denial of a picture or file, so that it may be uploaded again and waits again.
    LiftMedia {
        /// SHA-256 of the file in 64 hexadecimal digits.
        #[arg(value_parser = Digest::parse)]
        digest: Digest,
    },
    /// Set what happens to messages that no moderator decides in time.
    SetFallback {
        /// Room of the reviews.
        #[arg(value_parser = parse::<RoomId>)]
        room: RoomId,
        /// Decision about a message whose time is over; `none` lets it wait.
        #[arg(value_enum)]
        fallback: FallbackWord,
        /// Time until the fallback, such as 5m.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        after: Option<Duration>,
    },
}

/// Decision about a review, as a word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecisionWord {
    /// Lock the review for a minute.
    Take,
    /// End the own lock.
    Release,
    /// Show the message, or close a report.
    Approve,
    /// Never show the message, or recall the reported one.
    Deny,
    /// Deny, and mute the user.
    DenyAndMute,
}

impl DecisionWord {
    /// Returns the name on the wire.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            DecisionWord::Take => "take",
            DecisionWord::Release => "release",
            DecisionWord::Approve => "approve",
            DecisionWord::Deny => "deny",
            DecisionWord::DenyAndMute => "deny_and_mute",
        }
    }
}

/// Decision about a medium, as a word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MediaDecisionWord {
    /// Let the sender send it.
    Approve,
    /// Remove it, and refuse its file from now on.
    Deny,
}

impl MediaDecisionWord {
    /// Returns the name on the wire.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            MediaDecisionWord::Approve => "approve",
            MediaDecisionWord::Deny => "deny",
        }
    }
}

/// Fallback of a room's reviews, as a word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FallbackWord {
    /// Show the message to the room now.
    Approve,
    /// Never show the message.
    Deny,
    /// Let the message wait.
    None,
}
