//! The parts of a bench that are not Barrage: viewers, a publisher, the limit to compare with, and
//! measurements of one crate. `cargo xtask bench` starts them. Each prints JSON lines.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "figures are its output")]
#![allow(
    clippy::disallowed_methods,
    reason = "a bench measures with the machine's clocks and blocks its own threads"
)]

mod bus;
mod channel;
mod courier;
mod fanout;
mod history;
mod letters;
mod media;
mod moderation;
mod push;
mod quota;
mod uplink;
mod votes;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Parts of Barrage's benches; `cargo xtask bench` starts them")]
enum Part {
    /// Sends one frame to every connection, again and again: the limit of a fan-out.
    Limit(fanout::Limit),
    /// Publishes chat to a room over NATS, as uplinks do.
    Publish(fanout::Publish),
    /// Holds connections of viewers and reads all that arrives.
    Read(fanout::Viewers),
    /// Posts at an even pace to one uplink.
    Posts(channel::Posts),
    /// Measures the first post after idling, with and without a connection that was opened ahead.
    FirstPost(channel::FirstPost),
    /// Holds connections that post chat to an uplink.
    Flood(uplink::Flood),
    /// Parses posts and answers them without a check: the limit of an uplink.
    PostLimit(uplink::PostLimit),
    /// Simulates heartbeats behind address translators.
    Heartbeats,
    /// Measures publishes, deliveries and repairs of the bus on a NATS server.
    Bus(bus::Options),
    /// Measures shared limits on a Redis server.
    Quota(quota::Options),
    /// Lets thousands of voters vote in a poll, and compares the result with their answers.
    Votes(votes::Votes),
    /// Reads pages of a history on kept connections, as fast as they are answered.
    PageReads(history::PageReads),
    /// Answers every request with the bytes of a file: the limit of reads.
    PageLimit(history::PageLimit),
    /// Measures batches of letters into the tables of the inbox.
    Courier(courier::Options),
    /// Lets users write letters to each other through a server.
    Letters(letters::Letters),
    /// Writes one letter each to many conversations.
    Converse(letters::Converse),
    /// Holds connections of viewers that attach at a mark.
    Attach(letters::Attach),
    /// Fills an inbox, and measures the sync of a new device.
    Sync(letters::Sync),
    /// Uploads and downloads media.
    Media(media::Media),
    /// Measures notifications to followers of a host.
    Push(push::Push),
    /// Plays a push service; the part `push` starts it.
    PushService(push::Service),
    /// Measures checks of texts against 100,000 words.
    Moderation(moderation::Options),
}

fn main() -> anyhow::Result<()> {
    match Part::parse() {
        Part::Limit(limit) => limit.run(),
        Part::Publish(publish) => publish.run(),
        Part::Read(viewers) => viewers.run(),
        Part::Posts(posts) => posts.run()?,
        Part::FirstPost(first_post) => first_post.run()?,
        Part::Flood(flood) => flood.run()?,
        Part::PostLimit(limit) => limit.run()?,
        Part::Heartbeats => channel::heartbeats(),
        Part::Bus(options) => options.run()?,
        Part::Quota(options) => quota::run(&options)?,
        Part::Votes(votes) => votes.run()?,
        Part::PageReads(reads) => reads.run()?,
        Part::PageLimit(limit) => limit.run()?,
        Part::Courier(options) => options.run()?,
        Part::Letters(letters) => letters.run()?,
        Part::Converse(converse) => converse.run()?,
        Part::Attach(attach) => attach.run()?,
        Part::Sync(sync) => sync.run()?,
        Part::Media(media) => media.run()?,
        Part::Push(push) => push.run()?,
        Part::PushService(service) => service.run()?,
        Part::Moderation(options) => options.run()?,
    }
    Ok(())
}
