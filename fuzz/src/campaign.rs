//! Runs one target over kept, large and mutated inputs, within limits of time and memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::Target;
use crate::corpus;
use crate::mutate::{Random, large, mutate};

/// Growth of the process's peak memory that one target may cause, in bytes.
const GROWTH_BYTES_MAX: u64 = 512 << 20;
/// Bytes of most mutated inputs; decoders see small inputs far more often per second.
const SMALL_BYTES_MAX: usize = 4_096;
/// Runs between two looks at memory and deadline.
const RUNS_PER_LOOK: u64 = 64;
/// Tries to shorten an input that fails.
const SHORTEN_TRIES_MAX: usize = 2_000;

/// Inputs that have begun in this process; a watcher sees by it whether one does not end.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// Returns the number of inputs that have begun in this process.
#[must_use]
pub fn runs() -> u64 {
    RUNS.load(Ordering::Relaxed)
}

/// Bounds of a campaign; the first that is reached ends it.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Processor time of the campaign.
    pub time: Duration,
    /// Mutated inputs to run.
    pub runs: u64,
    /// First seed of the mutations.
    pub seed: u64,
}

/// Result of a campaign, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Name of the target.
    pub target: &'static str,
    /// Inputs that ran, of any size.
    pub runs: u64,
    /// Inputs of the target's largest size among them.
    pub large: u64,
    /// Processor time in milliseconds.
    pub cpu_ms: u64,
    /// Slowest input, in milliseconds of processor time.
    pub slowest_ms: u64,
    /// Growth of the peak memory, in bytes.
    pub growth_bytes: u64,
    /// Failures; the first one ends the campaign.
    pub failure: Option<Failure>,
}

/// An input that breaks a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Cause: the message of the panic, or the limit that was exceeded.
    pub cause: String,
    /// Shortest input found, escaped as a line of a corpus file.
    pub input: String,
}

/// Runs a target: kept inputs, large inputs, then mutated ones until a bound is reached.
#[must_use]
pub fn run(target: &Target, kept: &[Vec<u8>], bounds: Bounds) -> Report {
    let (began, memory) = (cpu_time(), peak_bytes());
    let mut report = Report { target: target.name, ..Report::default() };
    let mut random = Random::new(bounds.seed);
    let mut inputs: Box<dyn Iterator<Item = Vec<u8>>> =
        Box::new(kept.iter().cloned().chain(large(kept, target.words, target.bytes_max)));
    let mut mutated = 0;
    loop {
        let input = inputs.next().unwrap_or_else(|| {
            mutated += 1;
            let bytes_max = if random.below(1_000) == 0 { target.bytes_max } else { SMALL_BYTES_MAX };
            mutate(kept, target.words, bytes_max.min(target.bytes_max), &mut random)
        });
        report.runs += 1;
        report.large += u64::from(input.len() == target.bytes_max);
        report.failure = one(target, &input, &mut report.slowest_ms);
        let is_look = report.runs.is_multiple_of(RUNS_PER_LOOK) || input.len() > SMALL_BYTES_MAX;
        if is_look {
            report.growth_bytes = peak_bytes().saturating_sub(memory);
            if report.failure.is_none() && report.growth_bytes > GROWTH_BYTES_MAX {
                let cause = format!("memory grew by {} bytes", report.growth_bytes);
                report.failure = Some(Failure { cause, input: corpus::escape(&input) });
            }
        }
        let is_over = mutated >= bounds.runs || (is_look && cpu_time().saturating_sub(began) >= bounds.time);
        // The fixed inputs are a part of every campaign.
        if report.failure.is_some() || (is_over && mutated > 0) {
            break;
        }
    }
    report.cpu_ms = ms(cpu_time().saturating_sub(began));
    report
}

/// Runs one input; shortens it when it fails.
fn one(target: &Target, input: &[u8], slowest_ms: &mut u64) -> Option<Failure> {
    let began = cpu_time();
    let cause = panic_of(target, input);
    let spent_ms = ms(cpu_time().saturating_sub(began));
    *slowest_ms = spent_ms.max(*slowest_ms);
    if cause.is_none() && spent_ms > target.input_ms_max {
        let cause = format!("{spent_ms} ms for {} bytes, more than {}", input.len(), target.input_ms_max);
        return Some(Failure { cause, input: corpus::escape(input) });
    }
    let cause = cause?;
    Some(Failure { cause, input: corpus::escape(&shorten(target, input)) })
}

/// Returns the message of the panic that an input causes.
fn panic_of(target: &Target, input: &[u8]) -> Option<String> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let panic = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
}

/// Removes parts of an input as long as it still fails.
fn shorten(target: &Target, input: &[u8]) -> Vec<u8> {
    let mut shortest = input.to_vec();
    let (mut part, mut tries) = (shortest.len() / 2, 0);
    while part > 0 && tries < SHORTEN_TRIES_MAX {
        let mut at = 0;
        while at < shortest.len() && tries < SHORTEN_TRIES_MAX {
            let mut shorter = shortest.clone();
            shorter.drain(at..(at + part).min(shortest.len()));
            tries += 1;
            match panic_of(target, &shorter) {
                Some(_) => shortest = shorter,
                None => at += part,
            }
        }
        part /= 2;
    }
    shortest
}

/// Processor time of this thread. Other programs of the machine do not lengthen it.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Peak of the process's resident memory in bytes; 0 where `/proc` does not have it.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string(PathBuf::from("/proc/self/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(5), runs: 200_000, seed: 1 };

    fn breaks_on_two_letters(bytes: &[u8]) {
        assert!(!bytes.windows(2).any(|pair| pair == b"ab"), "found ab");
    }

    fn is_quadratic(bytes: &[u8]) {
        let equal = bytes.iter().map(|a| bytes.iter().filter(|b| *b == a).count()).sum::<usize>();
        assert!(equal >= bytes.len());
    }

    const fn target(run: fn(&[u8]), bytes_max: usize, input_ms_max: u64) -> Target {
        Target { name: "test", run, words: &["a", "b"], bytes_max, input_ms_max }
    }

    #[test]
    fn failing_input_is_found_and_shortened() {
        let report = run(&target(breaks_on_two_letters, 100, 1_000), &[b"xyz".to_vec()], BOUNDS);
        let failure = Failure { cause: "found ab".into(), input: "ab".into() };
        assert_eq!(report.failure, Some(failure));
    }

    #[test]
    fn slow_large_input_is_found() {
        let report = run(&target(is_quadratic, 1 << 13, 50), &[b"xyz".to_vec()], BOUNDS);
        assert!(report.failure.unwrap().cause.contains("8192 bytes"), "the cost grows as the square");
    }
}
