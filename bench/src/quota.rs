//! Measures shared limits on a real Redis server. Prints one JSON object per line.

mod case;
mod local;

use case::{Case, Skew};
use clap::Args;

#[derive(Args, Clone)]
pub(crate) struct Options {
    /// URL of a Redis server that nothing else uses.
    #[arg(long)]
    redis: String,
    /// Length of each measurement, after 3 s of the same load.
    #[arg(long, default_value_t = 10)]
    secs: u32,
    /// Units per second of the limit that the instances share.
    #[arg(long, default_value_t = 10_000)]
    limit: u32,
    /// Depth of the bucket, as seconds of the limit.
    #[arg(long, default_value_t = 3)]
    burst_secs: u32,
    /// Uses a sliding window of a second instead of a bucket.
    #[arg(long)]
    window: bool,
}

impl Options {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        tokio::runtime::Runtime::new()?.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        for line in local::measure() {
            println!("{line}");
        }
        println!("{}", local::leased(&self.redis).await);
        println!("{}", local::exact(&self.redis).await);
        let shapes =
            [(1, Skew::Even), (4, Skew::Even), (4, Skew::First), (16, Skew::Even), (16, Skew::First)];
        let cases = |load| shapes.map(|(instances, skew)| Case { instances, load, skew });
        // Cases have keys of their own, so that they run at the same time. Ten times the load needs
        // the whole machine.
        let together = [cases(0.5), cases(1.0)].concat();
        for group in [together.as_slice()].into_iter().chain(cases(10.0).chunks(1)) {
            let run = |case: &Case| tokio::spawn(case.run(self.clone()));
            for run in group.iter().map(run).collect::<Vec<_>>() {
                println!("{}", run.await?);
            }
        }
        Ok(())
    }
}
