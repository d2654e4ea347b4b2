//! The process that decodes one picture: it limits itself, then reads the picture.
//!
//! It is the same program, started with one argument. A defect of a decoder, or a picture that is made to exhaust it,
//! ends this process and no other.

use std::io::{Read, Write};
use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::form::Form;
use super::job::{Job, Outcome};
use super::picture;

/// The one argument with which a program becomes the process that decodes a picture.
pub const CHILD_ARGUMENT: &str = "media-check";

/// Largest job as text, in bytes.
const JOB_BYTES_MAX: u64 = 64 * 1024;
/// Largest form that is written, in bytes.
const FORM_BYTES_MAX: u64 = 128 << 20;
/// Files that are open at the same time: the standard ones, the source, a form.
const FILES_MAX: u64 = 16;

/// Decodes the picture that standard input names, and writes the outcome to standard output.
#[must_use]
pub fn check_child() -> ExitCode {
    let mut text = String::new();
    if std::io::stdin().take(JOB_BYTES_MAX).read_to_string(&mut text).is_err() {
        return ExitCode::FAILURE;
    }
    let outcome = match serde_json::from_str::<Job>(&text) {
        Ok(job) => run(&job),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    let written = serde_json::to_vec(&outcome).map(|text| std::io::stdout().write_all(&text));
    if matches!(written, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(job: &Job) -> Outcome {
    let bytes = match std::fs::read(&job.source) {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    if let Err(error) = limit(job) {
        return Outcome::Failed(format!("the limits cannot be set: {error}"));
    }
    let rendered = match picture::render(&bytes, job.format, job.bounds) {
        Ok(rendered) => rendered,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let mut forms = Vec::new();
    for (name, media_type, bytes) in rendered.forms {
        let file = job.folder.join(&name);
        if let Err(error) = std::fs::write(&file, bytes) {
            return Outcome::Failed(error.to_string());
        }
        forms.push(Form { name, media_type: media_type.to_owned(), file });
    }
    Outcome::Decoded { picture: rendered.picture, forms }
}

/// Limits memory, time, files and core dumps of this process, and leaves the network.
fn limit(job: &Job) -> std::io::Result<()> {
    // Where the machine allows it: a container may not.
    _ = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET);
    let bounds = job.bounds;
    for (resource, most) in [
        (Resource::Data, bounds.memory_bytes_max),
        (Resource::As, mapped_bytes()?.saturating_add(bounds.memory_bytes_max)),
        (Resource::Cpu, bounds.cpu_secs_max),
        (Resource::Fsize, FORM_BYTES_MAX),
        (Resource::Nofile, FILES_MAX),
        (Resource::Core, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Returns the address space that the program itself has, in bytes.
fn mapped_bytes() -> std::io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.map(|kib| kib * 1_024).ok_or_else(|| std::io::Error::other("/proc/self/status has no VmSize"))
}
