//! Measures shared limits on a real Redis, one JSON object per line:
//! `cargo run --release -p barrage-quota --example measure_quota -- --secs 60`.
#![allow(clippy::print_stdout, reason = "what it prints is its result")]

mod case;
mod local;
#[path = "../../tests/it/server.rs"]
#[expect(dead_code, reason = "a measurement neither stops nor restarts it")]
mod server;

use clap::Parser;

use crate::case::{Case, Skew};
use crate::server::Server;

#[derive(Parser)]
struct Options {
    /// Length of each measurement, after 3 s of the same load.
    #[arg(long, default_value_t = 10)]
    secs: u32,
    /// Units a second of the limit that the instances share.
    #[arg(long, default_value_t = 10_000)]
    limit: u32,
    /// Depth of its bucket, in seconds' worth.
    #[arg(long, default_value_t = 3)]
    burst_secs: u32,
    /// A sliding window of a second instead of a bucket.
    #[arg(long)]
    window: bool,
}

#[tokio::main]
async fn main() {
    for line in local::measure() {
        println!("{line}");
    }
    let server = Server::start().await;
    println!("{}", local::leased(&server).await);
    println!("{}", local::exact(&server).await);
    let shapes = [(1, Skew::Even), (4, Skew::Even), (4, Skew::First), (16, Skew::Even), (16, Skew::First)];
    let cases = |load| shapes.map(|(instances, skew)| Case { instances, load, skew });
    // Their keys are apart, so they run at once; ten times the load needs the machine.
    let together = [cases(0.5), cases(1.0)].concat();
    for group in [together.as_slice()].into_iter().chain(cases(10.0).chunks(1)) {
        let run = |case: &Case| tokio::spawn(case.run(server.url(), Options::parse()));
        for run in group.iter().map(run).collect::<Vec<_>>() {
            println!("{}", run.await.expect("a case does not panic"));
        }
    }
}
