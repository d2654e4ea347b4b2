//! `barrage doctor`: checks every dependency of a configuration and suggests fixes, without a change.
//! `barrage bus ensure`: declares the streams and buckets of the bus.

mod certificate;
mod clock;
mod files;
mod finding;
mod fleet;
mod inbox;
mod kernel;
mod machine;
mod ports;
mod quantity;
mod servers;
mod values;

use std::path::Path;

use anyhow::{Context, bail};
use barrage_bus::NatsConfig;
use barrage_bus::nats::{Finding, Level};

use crate::config::{Config, Problem};
use crate::console::print_line;

/// Runs all checks and prints their findings. Fails when a finding is bad.
pub(crate) fn main(config: &Config, problems: &[Problem]) -> anyhow::Result<()> {
    let findings = runtime()?.block_on(async {
        let mut findings = files::findings(config, problems);
        findings.extend(machine::findings(config));
        findings.extend(kernel::findings(config, Path::new(kernel::SETTINGS)));
        findings.push(clock::own().await);
        findings.extend(ports::findings(config).await);
        findings.extend(fleet::findings(config).await);
        findings.extend(servers::findings(config).await);
        findings.extend(inbox::findings(config).await);
        findings
    });
    print(&findings)
}

/// Checks a values file of the chart and prints the findings. Fails when a finding is bad.
pub(crate) fn values(path: &Path) -> anyhow::Result<()> {
    print(&values::findings(path))
}

/// Declares the streams and buckets of the bus, and prints their state.
pub(crate) fn ensure(config: &Config) -> anyhow::Result<()> {
    let Some(nats) = &config.nats else {
        return print_line("the bus is embedded and has nothing to declare ([nats] names servers)");
    };
    let declaring = NatsConfig { declare: true, ..nats.clone() };
    let findings = runtime()?.block_on(servers::check_bus(config, declaring))?;
    print(&findings)
}

/// Builds a runtime with a thread of its own, which goes on while a check blocks.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().context("the async runtime cannot be built")
}

fn print(findings: &[Finding]) -> anyhow::Result<()> {
    for finding in findings {
        let label = match finding.level {
            Level::Good => "good",
            Level::Risk => "RISK",
            Level::Bad => "BAD ",
        };
        print_line(format!("{label}  {}", finding.text))?;
    }
    let bad = findings.iter().filter(|finding| finding.level == Level::Bad).count();
    if bad > 0 { bail!("{bad} of {} checks are bad", findings.len()) } else { Ok(()) }
}
