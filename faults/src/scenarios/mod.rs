//! The scenarios by name. Each returns its figures; a panic is a failure.

mod disk;
mod embedded;
mod gifts;
mod inbox;
mod limits;
mod servers;
mod soak;
mod storm;
mod strangers;

use std::pin::Pin;

use crate::figure::Figure;
use crate::machine::Need;
use crate::peers;
use crate::run::Run;

/// Figures of a scenario, once it has ended.
pub type Playing = Pin<Box<dyn Future<Output = Vec<Figure>>>>;

/// Whether `all --quick` runs a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InQuick {
    /// The short form runs with all others.
    Yes,
    /// The scenario takes too long; it runs by its name and in `all`.
    No,
}

/// One scenario with its needs.
#[derive(Debug)]
pub struct Scenario {
    /// Name on the command line.
    pub name: &'static str,
    /// Row of the table in docs/reliability.md.
    pub row: u8,
    /// Words that `list` prints beside the name.
    pub about: &'static str,
    /// What the machine must have.
    pub needs: &'static [Need],
    /// Duration of the load in seconds: quick, and full.
    pub secs: (u64, u64),
    /// Whether the short form exists.
    pub in_quick: InQuick,
    /// Starts the processes, plays the faults and returns the figures.
    pub play: fn(Run) -> Playing,
}

/// All scenarios in the order of their rows.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "gift-chaos",
        row: 1,
        about: "kill -9 and SIGSTOP of random processes of a cluster while gifts are counted",
        needs: &[Need::Servers],
        secs: (20, 180),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(gifts::chaos(run)),
    },
    Scenario {
        name: "peer-gift-chaos",
        row: 1,
        about: "the same on nchan, in memory and with two servers on a Redis",
        needs: &[Need::Nchan],
        secs: (50, 370),
        in_quick: InQuick::No,
        play: |run| Box::pin(peers::chaos(run)),
    },
    Scenario {
        name: "gift-disk-full",
        row: 3,
        about: "a full disk under the embedded log, then kill -9",
        needs: &[Need::Tmpfs],
        secs: (20, 45),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(disk::full(run)),
    },
    Scenario {
        name: "gift-disk-eio",
        row: 3,
        about: "every sync of the embedded log fails, then kill -9",
        needs: &[Need::Strace],
        secs: (20, 45),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(disk::failing(run)),
    },
    Scenario {
        name: "gift-pause",
        row: 4,
        about: "SIGSTOP of NATS, an uplink, the archiver and PostgreSQL in turn",
        needs: &[Need::Servers],
        secs: (20, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(gifts::pause(run)),
    },
    Scenario {
        name: "overload",
        row: 5,
        about: "chat beyond the egress limit of one server, with gifts inside",
        needs: &[],
        secs: (16, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(embedded::overload(run)),
    },
    Scenario {
        name: "peer-overload",
        row: 5,
        about: "the same on nchan, whose viewers read at that rate",
        needs: &[Need::Nchan],
        secs: (16, 60),
        in_quick: InQuick::No,
        play: |run| Box::pin(peers::overload(run)),
    },
    Scenario {
        name: "slow-readers",
        row: 6,
        about: "viewers that read nothing or a byte a second, beside honest ones",
        needs: &[],
        secs: (28, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(strangers::readers(run)),
    },
    Scenario {
        name: "storm",
        row: 7,
        about: "kill -9 of a gateway with all its viewers",
        needs: &[Need::Servers],
        secs: (16, 30),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(storm::with_entry(run)),
    },
    Scenario {
        name: "peer-storm",
        row: 7,
        about: "the same on two nchan servers",
        needs: &[Need::Nchan],
        secs: (16, 30),
        in_quick: InQuick::No,
        play: |run| Box::pin(peers::storm(run)),
    },
    Scenario {
        name: "storm-no-hints",
        row: 8,
        about: "kill -9 of a gateway and of entry at the same time",
        needs: &[Need::Servers],
        secs: (18, 30),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(storm::without_entry(run)),
    },
    Scenario {
        name: "redis-away",
        row: 9,
        about: "Redis killed, stopped and late by 200 ms under a quota",
        needs: &[Need::Servers, Need::Nfqueue],
        secs: (24, 80),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(servers::redis(run)),
    },
    Scenario {
        name: "nats-away",
        row: 10,
        about: "a partition between one gateway and NATS, then kill -9 of NATS",
        needs: &[Need::Servers, Need::Iptables],
        secs: (20, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(servers::nats(run)),
    },
    Scenario {
        name: "lossy",
        row: 11,
        about: "50 ms and 5 % loss in both directions for viewers and the writer",
        needs: &[Need::Nfqueue],
        secs: (18, 300),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(embedded::lossy(run)),
    },
    Scenario {
        name: "toxics",
        row: 11,
        about: "a proxy that delays, slows, slices, swallows and cuts the connections of viewers",
        needs: &[],
        secs: (21, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(embedded::toxics(run)),
    },
    Scenario {
        name: "drain",
        row: 12,
        about: "SIGTERM of a gateway: its viewers move, and no stream pauses",
        needs: &[Need::Servers],
        secs: (16, 45),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(gifts::drain(run)),
    },
    Scenario {
        name: "peer-drain",
        row: 12,
        about: "the same on two nchan servers, with SIGQUIT",
        needs: &[Need::Nchan],
        secs: (16, 45),
        in_quick: InQuick::No,
        play: |run| Box::pin(peers::drain(run)),
    },
    Scenario {
        name: "rolling",
        row: 13,
        about: "drains of all gateways in turn with a kill in the middle",
        needs: &[Need::Servers],
        secs: (24, 300),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(gifts::rolling(run)),
    },
    Scenario {
        name: "upgrade",
        row: 13,
        about: "a cluster of another version (--old FILE) goes to this one, and its gateways back",
        needs: &[Need::Servers, Need::OldServer],
        secs: (40, 300),
        in_quick: InQuick::No,
        play: |run| Box::pin(gifts::upgrade(run)),
    },
    Scenario {
        name: "hostile-frames",
        row: 14,
        about: "frames that break the protocol, with the exact answer to each",
        needs: &[],
        secs: (16, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(strangers::hostile(run)),
    },
    Scenario {
        name: "slowloris",
        row: 15,
        about: "heads, bodies and first frames that do not end",
        needs: &[],
        secs: (14, 45),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(strangers::slowloris(run)),
    },
    Scenario {
        name: "descriptors",
        row: 18,
        about: "a server with 256 descriptors, and strangers that take them",
        needs: &[Need::Prlimit],
        secs: (18, 45),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(limits::descriptors(run)),
    },
    Scenario {
        name: "memory",
        row: 18,
        about: "a server in 256 MiB with viewers that never read",
        needs: &[Need::Cgroups],
        secs: (18, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(limits::memory(run)),
    },
    Scenario {
        name: "processor",
        row: 18,
        about: "a server with a quarter of a processor",
        needs: &[Need::Cgroups],
        secs: (18, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(limits::processor(run)),
    },
    Scenario {
        name: "clocks",
        row: 19,
        about: "wall clock an hour ahead, an hour behind, a minute back",
        needs: &[Need::Faketime],
        secs: (17, 60),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(embedded::clocks(run)),
    },
    Scenario {
        name: "soak",
        row: 20,
        about: "ten minutes with churn: memory, descriptors and maps back to the baseline",
        needs: &[],
        secs: (60, 600),
        in_quick: InQuick::No,
        play: |run| Box::pin(soak::soak(run)),
    },
    Scenario {
        name: "inbox-chaos",
        row: 21,
        about: "kill -9 and SIGSTOP of couriers, uplinks, PostgreSQL, NATS and Redis while letters are counted",
        needs: &[Need::Servers],
        secs: (20, 1_800),
        in_quick: InQuick::Yes,
        play: |run| Box::pin(inbox::chaos(run)),
    },
];

/// Returns a scenario by its name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_rows_in_order() {
        let mut names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.is_sorted_by_key(|scenario| scenario.row));
    }
}
