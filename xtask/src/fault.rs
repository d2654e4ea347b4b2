//! Fault scenarios: builds the server and the harness, and plays scenarios on real processes.

use std::path::PathBuf;

use clap::Args;

use crate::run::{command, root, run};

/// Scenario, size and output of `cargo xtask fault`.
#[derive(Debug, Args)]
pub(crate) struct Fault {
    /// Name of a scenario, `all`, or `list`, which prints the names.
    #[arg(default_value = "gift-chaos")]
    name: String,
    /// Letters and the inbox: the scenario `inbox-chaos`, of 30 minutes without `--minutes`.
    #[arg(long, conflicts_with = "name")]
    inbox: bool,
    /// Short form of each scenario; `all --quick` takes some 8 minutes.
    #[arg(long)]
    quick: bool,
    /// Minutes of the load, in place of the scenario's own.
    #[arg(long)]
    minutes: Option<f64>,
    /// Repeats a run's choices; each run prints its own seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Number of viewers, in place of the scenario's own.
    #[arg(long)]
    viewers: Option<usize>,
    /// Prints one JSON object instead of lines.
    #[arg(long)]
    json: bool,
    /// Uses this server binary, and builds none.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Server binary of another version, such as a build of the last tag, for the scenario `upgrade`.
    #[arg(long, value_name = "FILE")]
    old: Option<PathBuf>,
    /// Builds without optimisation, in less time.
    #[arg(long)]
    dev: bool,
}

impl Fault {
    /// The long form of the full tier of tests: a random fault every few seconds.
    pub(crate) fn long() -> Fault {
        Fault { name: "gift-chaos".into(), quick: false, ..Fault::all_quick() }
    }

    /// The short form of all scenarios.
    pub(crate) fn all_quick() -> Fault {
        Fault {
            name: "all".into(),
            inbox: false,
            quick: true,
            minutes: None,
            seed: None,
            viewers: None,
            json: false,
            binary: None,
            old: None,
            dev: false,
        }
    }

    /// Arguments of the harness.
    fn arguments(&self, binary: &str) -> Vec<String> {
        let name = if self.inbox { "inbox-chaos" } else { &self.name };
        let mut words = vec![name.to_owned(), "--binary".into(), binary.into()];
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [format!("--{name}"), value]));
        };
        option("minutes", self.minutes.map(|minutes| minutes.to_string()));
        option("seed", self.seed.map(|seed| seed.to_string()));
        option("viewers", self.viewers.map(|viewers| viewers.to_string()));
        words.extend(self.quick.then(|| "--quick".into()));
        words.extend(self.json.then(|| "--json".into()));
        words
    }
}

/// Builds what the scenarios need and plays them. Fails when one breaks its target.
pub(crate) fn main(fault: &Fault) -> anyhow::Result<()> {
    let (profile, folder) = if fault.dev { ("dev", "debug") } else { ("dist", "dist") };
    let built = root().join("target").join(folder);
    let mut build = vec!["build", "--locked", "--profile", profile, "--package", "barrage-faults"];
    if fault.binary.is_none() && fault.name != "list" {
        build.extend(["--package", "barrage"]);
    }
    run(command("cargo", &build))?;
    let binary = fault.binary.clone().unwrap_or_else(|| built.join("barrage"));
    let words = fault.arguments(&binary.display().to_string());
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let mut faults = command(&built.join("barrage-faults").display().to_string(), &words);
    if let Some(old) = &fault.old {
        faults.env("FAULT_OLD_SERVER", old.canonicalize()?);
    }
    run(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_reach_the_harness() {
        let fault = Fault { seed: Some(7), minutes: Some(0.5), json: true, ..Fault::all_quick() };
        let words = "all --binary b --minutes 0.5 --seed 7 --quick --json";
        assert_eq!(fault.arguments("b").join(" "), words);
        let inbox = Fault { inbox: true, quick: false, minutes: Some(5.0), ..Fault::all_quick() };
        assert_eq!(inbox.arguments("b").join(" "), "inbox-chaos --binary b --minutes 5");
        assert_eq!(Fault::long().arguments("b").join(" "), "gift-chaos --binary b");
    }
}
