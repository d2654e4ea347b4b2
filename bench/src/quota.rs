//! Measures shared limits on a real Redis server. Prints one JSON object per line.

mod case;
mod local;
mod options;

use case::{Case, Skew};
pub(crate) use options::Options;

/// Measures all cases on a runtime with all cores.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure(options))
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    for line in local::measure() {
        println!("{line}");
    }
    println!("{}", local::leased(&options.redis).await);
    println!("{}", local::exact(&options.redis).await);
    let shapes = [(1, Skew::Even), (4, Skew::Even), (4, Skew::First), (16, Skew::Even), (16, Skew::First)];
    let cases = |load| shapes.map(|(instances, skew)| Case { instances, load, skew });
    // Cases have keys of their own, so that they run at the same time. Ten times the load needs
    // the whole machine.
    let together = [cases(0.5), cases(1.0)].concat();
    for group in [together.as_slice()].into_iter().chain(cases(10.0).chunks(1)) {
        let run = |case: &Case| tokio::spawn(case.run(options.clone()));
        for run in group.iter().map(run).collect::<Vec<_>>() {
            println!("{}", run.await?);
        }
    }
    Ok(())
}
