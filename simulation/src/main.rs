//! Runs seeds of the simulation.

use std::io::Write;
use std::process::ExitCode;

use barrage_simulation::mutation::Mutation;
use barrage_simulation::run::{Run, run, shorten};
use barrage_simulation::scenario::{KINDS, Kind, by_name, of_seed};
use barrage_simulation::trace::Lines;
use clap::Parser;
use serde_json::json;

#[derive(Debug, Parser)]
#[command(about = "Deterministic simulation of the parts that decide about money and order")]
struct Cli {
    /// Runs seeds from 1 to this number.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Runs this seed alone, and prints its trace.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Runs all seeds with this scenario; without, a seed runs the one at its remainder.
    #[arg(long)]
    scenario: Option<String>,
    /// Runs each scenario with each of its defects instead, and prints the first seed that finds it.
    #[arg(long, conflicts_with = "seed")]
    mutations: bool,
    /// Runs with this defect.
    #[arg(long, requires = "seed")]
    mutation: Option<String>,
    /// Prints the scripts that the clients in Rust and TypeScript replay.
    #[arg(long)]
    vectors: bool,
    /// Prints one JSON object at the end.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "simulate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}

impl Cli {
    fn kind(&self) -> anyhow::Result<Option<&'static Kind>> {
        let names = || KINDS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        let named =
            |name: &String| by_name(name).ok_or_else(|| anyhow::anyhow!("{name} is none of: {}", names()));
        self.scenario.as_ref().map(named).transpose()
    }

    /// Returns whether all obligations were met.
    fn run(&self) -> anyhow::Result<bool> {
        if self.vectors {
            say(barrage_simulation::vectors::chain().trim_end())?;
            return Ok(true);
        }
        let of = self.kind()?;
        if self.mutations {
            return self.find_mutations(of);
        }
        if let Some(seed) = self.seed {
            let kind = of.unwrap_or_else(|| of_seed(seed));
            return self.show(kind, seed);
        }
        let started = barrage_clock::now();
        for seed in 1..=self.seeds {
            let kind = of.unwrap_or_else(|| of_seed(seed));
            if run(kind, seed, None, Lines::Hashed).broken.is_some() {
                self.report(kind, seed, &shorten(kind, seed, None), None)?;
                return Ok(false);
            }
        }
        let secs = started.elapsed().as_secs_f64();
        if self.json {
            say(&json!({"seeds": self.seeds, "failed": 0, "secs": secs}).to_string())?;
        } else {
            say(&format!("{} seeds, 0 failed, {secs:.1} s", self.seeds))?;
        }
        Ok(true)
    }

    fn mutation(&self, kind: &Kind) -> anyhow::Result<Option<Mutation>> {
        let Some(name) = &self.mutation else { return Ok(None) };
        let found = kind.mutations.iter().find(|mutation| mutation.name() == name);
        let found = found.ok_or_else(|| anyhow::anyhow!("{} has no defect {name}", kind.name))?;
        Ok(Some(*found))
    }

    fn show(&self, kind: &Kind, seed: u64) -> anyhow::Result<bool> {
        let mutation = self.mutation(kind)?;
        let whole = run(kind, seed, mutation, Lines::Kept);
        if whole.broken.is_some() {
            self.report(kind, seed, &shorten(kind, seed, mutation), mutation)?;
            return Ok(false);
        }
        if self.json {
            say(&json!({"seed": seed, "scenario": kind.name, "hash": format!("{:016x}", whole.hash)})
                .to_string())?;
        } else {
            whole.lines.iter().try_for_each(|line| say(line))?;
            say(&format!("{}: seed {seed} holds, trace {:016x}", kind.name, whole.hash))?;
        }
        Ok(true)
    }

    fn report(&self, kind: &Kind, seed: u64, run: &Run, mutation: Option<Mutation>) -> std::io::Result<()> {
        let broken = run.broken.as_ref().map_or_else(String::new, ToString::to_string);
        if self.json {
            return say(&json!({
                "seed": seed, "scenario": kind.name, "mutation": mutation.map(Mutation::name), "failed": 1,
                "broken": broken, "events": run.events, "trace": run.lines,
            })
            .to_string());
        }
        run.lines.iter().try_for_each(|line| say(&format!("  {line}")))?;
        say(&format!("{}: seed {seed} fails after {} events: {broken}", kind.name, run.events))?;
        let again = mutation.map_or_else(String::new, |mutation| format!(" --mutation {}", mutation.name()));
        say(&format!("again: cargo xtask simulate --seed {seed} --scenario {}{again}", kind.name))
    }

    fn find_mutations(&self, of: Option<&'static Kind>) -> anyhow::Result<bool> {
        let mut all_found = true;
        let mut found = Vec::new();
        for kind in KINDS.iter().filter(|kind| of.is_none_or(|of| of.name == kind.name)) {
            for mutation in kind.mutations {
                let fails = |seed: &u64| run(kind, *seed, Some(*mutation), Lines::Hashed).broken.is_some();
                let Some(first) = (1..=self.seeds.min(2_000)).find(fails) else {
                    all_found = false;
                    say(&format!("{}: {} is not found", kind.name, mutation.name()))?;
                    continue;
                };
                let short = shorten(kind, first, Some(*mutation));
                let broken = short.broken.as_ref().map_or_else(String::new, ToString::to_string);
                if self.json {
                    found.push(json!({
                        "scenario": kind.name, "mutation": mutation.name(), "seed": first,
                        "events": short.events, "broken": broken,
                    }));
                } else {
                    let (name, events) = (mutation.name(), short.events);
                    say(&format!("| {} | {name} | {first} | {events} | {broken} |", kind.name))?;
                }
            }
        }
        if self.json {
            say(&json!({"mutations": found, "all_found": all_found}).to_string())?;
        }
        Ok(all_found)
    }
}
