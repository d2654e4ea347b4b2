//! Builds and runs the targets under libFuzzer. LLVM's coverage passes work with the stable compiler; only the
//! sanitizers need a nightly one, and the workspace itself has no unsafe code for them to check.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use barrage_fuzz::{Target, corpus};

/// What libFuzzer needs of the compiler: edges, counters of edges, and operands of comparisons.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";
/// With a platform named, flags are for the program alone, not for build scripts.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// Seconds of real time that one input may take.
const INPUT_SECS_MAX: u64 = 10;
/// Resident memory of a run, and largest single allocation, in MiB.
const MEMORY_MIB: [u32; 2] = [1_024, 256];
/// Bytes of a kept input, and inputs of a target: their files are read in reviews.
const KEPT_BYTES_MAX: usize = 400;
const KEPT_MAX: usize = 80;
/// Bytes of most inputs; the first part of a run has these alone.
const SMALL_BYTES_MAX: usize = 4_096;
/// Largest number of runs that libFuzzer takes.
const RUNS_MAX: u64 = i32::MAX as u64;

/// Whether new inputs are added to the kept ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Those that reach more code.
    New,
    /// Adds no input, so that the files stay as they are.
    Nothing,
}

/// Runs the targets one after the other: nine tenths with small inputs, one tenth with the largest.
///
/// Returns the names of the targets that failed.
pub(crate) fn run_all(
    chosen: &[&Target],
    share: Duration,
    runs: u64,
    seed: u64,
    keeps: Keep,
) -> anyhow::Result<Vec<&'static str>> {
    let program = build()?;
    let (seconds, runs) = (share.as_secs().max(2), runs.min(RUNS_MAX));
    let mut failed = Vec::new();
    for target in chosen {
        let inputs = unpack(target)?;
        let small =
            Part { bytes_max: target.bytes_max.min(SMALL_BYTES_MAX), seconds: seconds * 9 / 10 + 1, runs };
        let large = Part { bytes_max: target.bytes_max, seconds: seconds / 10 + 1, runs: runs / 1_000 + 1 };
        for part in [small, large] {
            if run(part.command(&program, target, &inputs, seed)).is_err() {
                failed.push(target.name);
            }
        }
        if keeps == Keep::New {
            keep(&program, target, &inputs)?;
        }
    }
    Ok(failed)
}

/// Builds the program with the locked versions of the workspace.
fn build() -> anyhow::Result<PathBuf> {
    let folder = root().join("fuzz/libfuzzer");
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let target = root().join("target/fuzz");
    let mut build = Command::new("cargo");
    build.args(["build", "--quiet", "--target", PLATFORM, "--target-dir"]);
    build.arg(&target).current_dir(folder).env("RUSTFLAGS", COVERAGE).env_remove("RUSTC_WORKSPACE_WRAPPER");
    run(build)?;
    Ok(target.join(PLATFORM).join("debug/barrage-libfuzzer"))
}

/// Writes the kept inputs as files, beside those of earlier runs.
fn unpack(target: &Target) -> anyhow::Result<PathBuf> {
    let folder = root().join("target/fuzz/inputs").join(target.name);
    std::fs::create_dir_all(&folder)?;
    for (at, input) in corpus::read(target.name)?.iter().enumerate() {
        std::fs::write(folder.join(format!("kept-{at}")), input)?;
    }
    Ok(folder)
}

/// One run of libFuzzer.
struct Part {
    bytes_max: usize,
    seconds: u64,
    runs: u64,
}

impl Part {
    fn command(&self, program: &Path, target: &Target, inputs: &Path, seed: u64) -> Command {
        let failed = root().join("target/fuzz/failed").join(target.name);
        drop(std::fs::create_dir_all(&failed));
        let [resident, single] = MEMORY_MIB;
        let mut command = Command::new(program);
        command
            .env("FUZZ_TARGET", target.name)
            .args([format!("-max_total_time={}", self.seconds), format!("-runs={}", self.runs)])
            .args([format!("-max_len={}", self.bytes_max), format!("-seed={seed}")])
            .args([format!("-timeout={INPUT_SECS_MAX}"), format!("-rss_limit_mb={resident}")])
            .args([
                format!("-malloc_limit_mb={single}"),
                "-print_final_stats=1".into(),
                "-verbosity=0".into(),
            ])
            .arg(format!("-artifact_prefix={}/", failed.display()))
            .arg(inputs);
        command
    }
}

/// Adds the smallest set of short inputs that reaches the same code to the kept ones.
fn keep(program: &Path, target: &Target, inputs: &Path) -> anyhow::Result<()> {
    let merged = root().join("target/fuzz/merged").join(target.name);
    drop(std::fs::remove_dir_all(&merged));
    std::fs::create_dir_all(&merged)?;
    let mut merge = Command::new(program);
    merge
        .args(["-merge=1", "-verbosity=0"])
        .env("FUZZ_TARGET", target.name)
        .arg(format!("-max_len={KEPT_BYTES_MAX}"))
        .arg(&merged)
        .arg(inputs);
    run(merge)?;
    let file = corpus::folder().join(format!("{}.txt", target.name));
    let mut text = std::fs::read_to_string(&file)?;
    let mut known: BTreeSet<Vec<u8>> = corpus::read(target.name)?.into_iter().collect();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&merged)? {
        found.push(std::fs::read(entry?.path())?);
    }
    found.sort_by_key(Vec::len);
    for input in found {
        if known.len() < KEPT_MAX && input.len() <= KEPT_BYTES_MAX && known.insert(input.clone()) {
            text.push_str(&corpus::escape(&input));
            text.push('\n');
        }
    }
    Ok(std::fs::write(file, text)?)
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?} cannot be started"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
