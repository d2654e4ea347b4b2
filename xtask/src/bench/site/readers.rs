//! Viewers of a fan-out, in one process or in several that share a core.

use anyhow::Context;

use super::{Build, Part};

/// What all viewers have read since the last mark.
pub(crate) struct Read {
    pub(crate) bytes: f64,
    /// Messages that the sampled viewers were sent.
    pub(crate) messages: f64,
    /// Viewers whose messages are parsed.
    pub(crate) sampled: f64,
    pub(crate) secs: f64,
    /// Mean of the processes' medians.
    pub(crate) p50_ms: f64,
    /// Greatest of the processes' 99th percentiles.
    pub(crate) p99_ms: f64,
}

/// Processes with the viewers of a run.
pub(crate) struct Readers(Vec<Part>);

impl Readers {
    /// Opens the viewers' connections in so many processes. Several processes wait in the kernel, so that the
    /// sender pays for waking them, as where readers share a machine with the server; one does not.
    pub(crate) fn open(
        build: &Build,
        address: &str,
        viewers: u32,
        processes: u32,
        more: &[&str],
    ) -> anyhow::Result<Readers> {
        let waits: &[&str] = if processes > 1 { &["--waits"] } else { &[] };
        let arguments = [waits, more].concat();
        let processes = processes.max(1);
        let of = |n: u32| viewers / processes + u32::from(n < viewers % processes);
        (0..processes)
            .map(|n| Part::viewers(build, address, of(n), &arguments))
            .collect::<Result<_, _>>()
            .map(Readers)
    }

    /// Returns the totals since the last mark.
    pub(crate) fn mark(&mut self) -> anyhow::Result<Read> {
        let mut all = Vec::new();
        for part in &mut self.0 {
            let line = part.mark()?;
            let number =
                |key: &str| line[key].as_f64().with_context(|| format!("the viewers counted no {key}"));
            // Nothing was sent yet where there is no delay.
            let delay = |key: &str| line[key].as_f64().unwrap_or_default();
            all.push(Read {
                bytes: number("bytes")?,
                messages: number("messages")?,
                sampled: number("sampled")?,
                secs: number("secs")?,
                p50_ms: delay("p50_ms"),
                p99_ms: delay("p99_ms"),
            });
        }
        let sum = |of: fn(&Read) -> f64| all.iter().map(of).sum::<f64>();
        let most = |of: fn(&Read) -> f64| all.iter().map(of).fold(0.0, f64::max);
        Ok(Read {
            bytes: sum(|it| it.bytes),
            messages: sum(|it| it.messages),
            sampled: sum(|it| it.sampled),
            secs: most(|it| it.secs),
            p50_ms: sum(|it| it.p50_ms) / all.len() as f64,
            p99_ms: most(|it| it.p99_ms),
        })
    }
}
