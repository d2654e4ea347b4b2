//! Benches: each runs optimised builds on real servers and prints its figures.

mod bus;
mod channel;
mod courier;
mod encrypted;
mod fanout;
mod figures;
mod flow;
mod handshake;
mod history;
mod instructions;
mod letters;
mod media;
mod memory;
mod push;
mod rooms;
mod site;
mod slow;
mod trace;
mod uplink;
mod votes;
mod web;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use site::Build;

/// Arguments of `cargo xtask bench`.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Cargo profile of the measured programs. A binary given as --against must have the same.
    #[arg(long, global = true, default_value = "dist")]
    profile: String,
    /// Measures this `barrage` binary instead of one that is built of this checkout.
    #[arg(long, global = true, value_name = "BINARY")]
    binary: Option<String>,
    /// Prints one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    measured: Measured,
}

#[derive(Debug, Subcommand)]
enum Measured {
    /// Fan-out: deliveries per CPU-second beside a bare loop of sends in the same run.
    Fanout {
        /// Seconds of each measurement. Short ones by turns meet the same load from the rest of the machine.
        #[arg(long, default_value_t = 5)]
        secs: u32,
        /// Runs of gateway and limit by turns; medians are printed.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Viewers come over TLS: beside plain ones, and beside a bare loop of rustls.
        #[arg(long, conflicts_with_all = ["against", "whole"])]
        tls: bool,
        /// Measures the whole product on one core instead: uplink, log and gateway in one process.
        #[arg(long, conflicts_with = "against")]
        whole: bool,
        /// Measures by turns alone and beside so many uploads to a server on the other core, each of 250 kB a second.
        #[arg(long, value_name = "N", conflicts_with_all = ["against", "whole", "tls"])]
        uploads: Option<u32>,
        #[command(flatten)]
        machine: fanout::Machine,
        #[command(flatten)]
        against: Against,
    },
    /// Handshakes: joins with a token per CPU-second, beside a bare loop of accepts, also at a pace.
    Handshake {
        #[command(flatten)]
        plan: handshake::Plan,
        #[command(flatten)]
        against: Against,
    },
    /// Instructions: of the gateway per delivery and join, and of the platform per post. Needs Valgrind.
    Instructions {
        /// Runs of each case; medians are printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        /// Counts only the cases whose names begin so, such as `post`.
        #[arg(long)]
        only: Option<String>,
        #[command(flatten)]
        against: Against,
    },
    /// Memory: resident bytes of the gateway per idle viewer.
    Memory {
        /// Idle viewers whose memory is measured.
        #[arg(long, default_value_t = 15_000)]
        viewers: u32,
        /// Runs of each binary by turns, with --against; medians are printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Rooms: resident bytes of `barrage up` per room without viewers and per room with one.
    Rooms {
        /// Rooms with one message each. The embedded bus admits 20,000, the first room of a server included.
        #[arg(long, default_value_t = 19_000)]
        rooms: u32,
        /// Rooms of these that then get a viewer each.
        #[arg(long, default_value_t = 2_000)]
        watched: u32,
        /// Runs of each binary by turns, with --against; medians are printed.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Bytes on the wire of a recording's messages, in each encoding: computed, the same on every machine.
    Wire {
        /// Danmaku file in Bilibili's XML; the demo's by default.
        #[arg(long)]
        recording: Option<PathBuf>,
        /// Replay speed as a multiple of the recording's own.
        #[arg(long, default_value_t = 100.0)]
        speed: f64,
        /// Messages of a batch. A hot room's batch of 100 ms has ten at 100 messages a second.
        #[arg(long, default_value_t = 10)]
        batch: usize,
    },
    /// Limits: decisions per second, leases in Redis, moderation.
    Flow {
        /// Seconds of each case; the published figures are of 60.
        #[arg(long, default_value_t = 10)]
        secs: u32,
    },
    /// Slow viewers: how much one stalled viewer in a hundred delays the others.
    Slow {
        /// Viewers in all, slow ones included.
        #[arg(long, default_value_t = 5_000)]
        viewers: u32,
        /// Seconds of each run, after a ramp of ten seconds.
        #[arg(long, default_value_t = 30)]
        secs: u32,
        /// Runs without and with slow viewers, by turns; medians are compared.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// Traces: processor time of 1 % sampling against none, in per cent.
    Trace {
        /// Counts instructions instead of time, one server after the other. Needs Valgrind.
        #[arg(long)]
        counted: bool,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 6)]
        secs: u32,
        /// Pairs of servers; medians are printed.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Channel: connect times by place, first posts, posts beside a busy gateway, heartbeats.
    Channel(channel::Plan),
    /// Uplink: posts per CPU-second with all checks, beside a bare hyper service that parses the same JSON.
    Uplink {
        /// Connections that post, each by a user of its own.
        #[arg(long, default_value_t = 16)]
        connections: u32,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 4)]
        secs: u32,
        /// Runs of the limit and of both logs by turns; medians are printed.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        #[command(flatten)]
        against: Against,
    },
    /// Votes: whether each voter of a poll counts once, and the bytes that a poll costs a viewer.
    Votes {
        /// Voters of the poll.
        #[arg(long, default_value_t = 15_000)]
        voters: u32,
    },
    /// History: first pages per second of a server's processor time, beside bare hyper with the same bytes.
    History {
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 4)]
        secs: u32,
        /// Runs of server and limit by turns; medians are printed.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Messages of a page.
        #[arg(long, default_value_t = 30)]
        limit: u32,
    },
    /// Web: frames, main-thread time and overlaps of the danmaku stage beside libraries of npm, in Chromium.
    Web(web::Plan),
    /// Courier: letters into the tables of the inbox, per second of wall and processor time.
    Courier {
        /// Engine of the tables.
        #[arg(long, value_enum, default_value = "sqlite")]
        store: courier::Store,
    },
    /// Letters: letters a second through a whole server, and the time to the receiver's inbox at an even pace.
    Letters {
        /// Letters a second of the second part.
        #[arg(long, default_value_t = 500)]
        rate: u32,
        /// Seconds of each part.
        #[arg(long, default_value_t = 10)]
        secs: u32,
    },
    /// Sync: size and time of the answer for a new device, with 300 conversations and 100,000 items.
    Sync {
        /// Items of all conversations together.
        #[arg(long, default_value_t = 100_000)]
        items: u32,
    },
    /// Group: time to the last device of a group of thousands, and what a message costs the courier.
    Group(letters::GroupPlan),
    /// Idle: resident bytes of a conversation that rests, and of a viewer that attaches.
    Idle(letters::IdlePlan),
    /// Beside: the p99 of gifts and of their deliveries, by turns without and with letters on the same server.
    Beside {
        /// Letters a second beside the gifts.
        #[arg(long, default_value_t = 2_000)]
        rate: u32,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 10)]
        secs: u32,
        /// Measurements without and with letters, by turns; medians are compared.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// Upload: bytes per CPU-second into memory, received alone and with the check, and memory of one upload that rests.
    Upload(media::UploadPlan),
    /// Media: bytes of downloads per CPU-second, and processor time of a picture of 12 megapixels.
    Media(media::MediaPlan),
    /// Push: notifications to followers of a host, per second of processor time, over one HTTP/2 connection; and the
    /// processor time of reading the followers.
    Push {
        /// Followers, each with one browser.
        #[arg(long, default_value_t = 20_000)]
        followers: u32,
        /// Service that reaches the devices: `web` (each text is encrypted) or `apns`.
        #[arg(long, default_value = "web", value_parser = ["web", "apns"])]
        service: String,
    },
    /// Bus: publishes, deliveries and repairs on one NATS server.
    Bus {
        /// Partitions of the log.
        #[arg(long, default_value_t = 1)]
        partitions: u16,
    },
}

impl Measured {
    /// Packages that a bench runs beside the server and the parts.
    fn packages(&self) -> &'static [&'static str] {
        match self {
            Measured::Slow { .. } | Measured::Channel(_) | Measured::Letters { .. } | Measured::Group(_) => {
                &["barrage-loadtest"]
            }
            _ => &[],
        }
    }
}

#[derive(Debug, Args)]
struct Against {
    /// Measures another `barrage` binary by turns with this checkout's.
    #[arg(long, value_name = "BINARY")]
    against: Option<String>,
}

/// Builds the programs and runs one bench.
pub(crate) fn main(bench: Bench) -> anyhow::Result<()> {
    let json = bench.json;
    match &bench.measured {
        Measured::Web(plan) => return web::main(plan, json),
        Measured::Wire { recording, speed, batch } => {
            return wire::main(recording.as_deref(), *speed, *batch, json);
        }
        _ => {}
    }
    let build = &Build::new(&bench.profile, bench.binary, bench.measured.packages())?;
    match bench.measured {
        Measured::Fanout { secs, rounds, tls: true, .. } => encrypted::main(build, secs, rounds, json),
        Measured::Fanout { secs, rounds, whole: true, machine, .. } => {
            fanout::whole(build, &machine, secs, rounds, json)
        }
        Measured::Fanout { secs, rounds, uploads: Some(uploads), machine, .. } => {
            fanout::beside_uploads(build, &machine, uploads, secs, rounds, json)
        }
        Measured::Fanout { secs, rounds, machine, against, .. } => match against.against {
            Some(other) => fanout::against(build, &machine, &other, secs, rounds, json),
            None => fanout::with_limit(build, &machine, secs, rounds, json),
        },
        Measured::Handshake { plan, against } => match against.against {
            Some(other) => handshake::against(build, &other, &plan, json),
            None => handshake::with_limit(build, &plan, json),
        },
        Measured::Instructions { rounds, only, against } => {
            instructions::main(build, against.against.as_deref(), rounds, only.as_deref(), json)
        }
        Measured::Memory { viewers, rounds, against } => match against.against {
            Some(other) => memory::against(build, &other, viewers, rounds, json),
            None => memory::alone(build, viewers, json),
        },
        Measured::Rooms { rooms, watched, rounds, against } => match against.against {
            Some(other) => rooms::against(build, &other, rooms::Plan { rooms, watched }, rounds, json),
            None => rooms::alone(build, rooms::Plan { rooms, watched }, json),
        },
        Measured::Wire { recording, speed, batch } => wire::main(recording.as_deref(), speed, batch, json),
        Measured::Flow { secs } => flow::main(build, secs, json),
        Measured::Slow { viewers, secs, rounds } => slow::main(build, viewers, secs, rounds, json),
        Measured::Trace { counted: true, rounds, against, .. } => {
            trace::counted(build, against.against.as_deref(), rounds, json)
        }
        Measured::Trace { secs, rounds, .. } => trace::main(build, secs, rounds, json),
        Measured::Channel(plan) => channel::main(build, &plan, json),
        Measured::Web(plan) => web::main(&plan, json),
        Measured::History { secs, rounds, limit } => history::main(build, secs, rounds, limit, json),
        Measured::Uplink { connections, secs, rounds, against } => {
            let plan = uplink::Plan { connections, time: Duration::from_secs(secs.into()), rounds };
            match against.against {
                Some(other) => uplink::against(build, &other, plan, json),
                None => uplink::with_limit(build, plan, json),
            }
        }
        Measured::Votes { voters } => votes::main(build, voters, json),
        Measured::Courier { store } => courier::main(build, store, json),
        Measured::Letters { rate, secs } => letters::letters(build, rate, secs, json),
        Measured::Sync { items } => letters::sync(build, items, json),
        Measured::Group(plan) => letters::group(build, plan, json),
        Measured::Idle(plan) => letters::idle(build, plan, json),
        Measured::Beside { rate, secs, rounds } => letters::beside(build, rate, secs, rounds, json),
        Measured::Upload(plan) => media::upload(build, plan, json),
        Measured::Media(plan) => media::media(build, plan, json),
        Measured::Push { followers, service } => push::main(build, followers, &service, json),
        Measured::Bus { partitions } => bus::main(build, partitions, json),
    }
}
