//! Parts of `barrage-bench`: commands on standard input, JSON lines on standard output.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};

use super::admin::pause;
use super::{Build, Core, Process, ROOM};
use crate::run::command;

/// Longest time in which viewers must have read what was published.
const READ_MAX: Duration = Duration::from_secs(60);

/// A running part; killed when it is dropped.
pub(crate) struct Part {
    pub(crate) process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Part {
    pub(crate) fn start(build: &Build, core: Core, arguments: &[&str]) -> anyhow::Result<Part> {
        Part::run(core, &build.program("barrage-bench"), arguments)
    }

    fn run(core: Core, program: &str, arguments: &[&str]) -> anyhow::Result<Part> {
        let mut child = core
            .command(program, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let input = child.stdin.take().context("a part has no standard input")?;
        let output = BufReader::new(child.stdout.take().context("a part has no standard output")?);
        Ok(Part { process: Process(child), input, output })
    }

    /// Opens viewers' connections to an address and waits until all have joined.
    pub(crate) fn viewers(build: &Build, address: &str, viewers: u32, more: &[&str]) -> anyhow::Result<Part> {
        let read = [build.program("barrage-bench"), "read".to_owned()];
        Part::generator(&read, address, viewers, more)
    }

    /// Opens viewers' connections by a program, which takes the arguments of `barrage-bench read`. It
    /// prints a line of JSON when all have joined, and keeps them until its input ends.
    pub(crate) fn generator(
        program: &[String],
        address: &str,
        viewers: u32,
        more: &[&str],
    ) -> anyhow::Result<Part> {
        let (program, first) = program.split_first().context("the generator has no name")?;
        let viewers = viewers.to_string();
        let arguments = ["--address", address, "--viewers", &viewers, "--room", ROOM];
        let first: Vec<_> = first.iter().map(String::as_str).collect();
        let mut part = Part::run(Core::Others, program, &[&first, &arguments[..], more].concat())?;
        part.line()?;
        Ok(part)
    }

    /// Starts the limit, which waits for its viewers; returns its address as well.
    pub(crate) fn limit(
        build: &Build,
        viewers: u32,
        frame_bytes: f64,
        frames_per_s: f64,
        more: &[&str],
    ) -> anyhow::Result<(Part, String)> {
        let (viewers, bytes, rate) =
            (viewers.to_string(), format!("{frame_bytes:.0}"), frames_per_s.to_string());
        let arguments = ["limit", "--viewers", &viewers, "--frame-bytes", &bytes, "--frames-per-s", &rate];
        let mut part = Part::start(build, Core::Measured, &[&arguments, more].concat())?;
        let address = part.line()?["address"].as_str().context("the limit printed no address")?.to_owned();
        Ok((part, address))
    }

    /// Starts a part that is measured itself and prints its address first; returns the address as well.
    pub(crate) fn serving(build: &Build, arguments: &[&str]) -> anyhow::Result<(Part, String)> {
        let mut part = Part::start(build, Core::Measured, arguments)?;
        let address = part.line()?["address"].as_str().context("the part printed no address")?.to_owned();
        Ok((part, address))
    }

    /// Starts a part that posts, and waits for the answer to its first post.
    pub(crate) fn start_posting(build: &Build, arguments: &[&str]) -> anyhow::Result<Part> {
        Part::begun(build, arguments)
    }

    /// Starts a part on the core of the others, and waits for its first line.
    pub(crate) fn begun(build: &Build, arguments: &[&str]) -> anyhow::Result<Part> {
        let mut part = Part::start(build, Core::Others, arguments)?;
        part.line()?;
        Ok(part)
    }

    /// Starts connections that post chat to an address, and waits until each has had an answer.
    pub(crate) fn flood(
        build: &Build,
        address: &str,
        key: &str,
        connections: u32,
        per_s: Option<f64>,
    ) -> anyhow::Result<Part> {
        let (connections, per_s) = (connections.to_string(), per_s.map(|per_s| per_s.to_string()));
        let arguments =
            ["flood", "--address", address, "--key", key, "--room", ROOM, "--connections", &connections];
        let pace = per_s.iter().flat_map(|per_s| ["--per-s", per_s.as_str()]);
        Part::start_posting(build, &arguments.into_iter().chain(pace).collect::<Vec<_>>())
    }

    /// Starts the limit of an uplink on the measured core; returns its address as well.
    pub(crate) fn post_limit(build: &Build) -> anyhow::Result<(Part, String)> {
        let mut part = Part::start(build, Core::Measured, &["post-limit"])?;
        let address = part.line()?["address"].as_str().context("the limit printed no address")?.to_owned();
        Ok((part, address))
    }

    /// Starts a publisher over NATS and waits until the room exists.
    pub(crate) fn publisher(build: &Build, nats: &str, more: &[&str]) -> anyhow::Result<Part> {
        Part::publisher_of(build, nats, ROOM, more)
    }

    /// Starts a publisher to another room, and waits until the room exists.
    pub(crate) fn publisher_of(build: &Build, nats: &str, room: &str, more: &[&str]) -> anyhow::Result<Part> {
        let arguments = ["publish", "--nats", nats, "--room", room];
        let mut part = Part::start(build, Core::Others, &[&arguments, more].concat())?;
        part.line()?;
        Ok(part)
    }

    /// Waits for the next line of output.
    pub(crate) fn line(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("a part of the bench ended before its end; its error is above");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Returns the totals since the last mark.
    pub(crate) fn mark(&mut self) -> anyhow::Result<Value> {
        writeln!(self.input)?;
        self.line()
    }

    /// Waits until viewers have read so many bytes since the last mark, and then nothing for a moment.
    pub(crate) fn read_all(&mut self, bytes_min: f64) -> anyhow::Result<()> {
        let (started, mut bytes, mut silent) = (Instant::now(), 0.0, 0);
        loop {
            pause();
            let more = self.mark()?["bytes"].as_f64().context("the viewers counted no bytes")?;
            bytes += more;
            silent = if more > 0.0 { 0 } else { silent + 1 };
            if silent >= 2 && bytes >= bytes_min {
                return Ok(());
            }
            ensure!(
                started.elapsed() < READ_MAX,
                "viewers read {bytes} of {bytes_min} bytes in {READ_MAX:?}"
            );
        }
    }

    /// Runs a part to its end and returns the JSON lines that it prints.
    pub(crate) fn output(build: &Build, arguments: &[&str]) -> anyhow::Result<Vec<Map<String, Value>>> {
        let mut part = command(&build.program("barrage-bench"), arguments);
        let output = part.stderr(Stdio::inherit()).output().context("barrage-bench cannot be started")?;
        if !output.status.success() {
            bail!("barrage-bench {} failed ({})", arguments.join(" "), output.status);
        }
        let text = String::from_utf8(output.stdout)?;
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
            .collect()
    }
}
