//! Requests to the admin listener of a server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::bail;

/// Longest start. A server whose instructions are counted starts some ten times slower.
const START_MAX: Duration = Duration::from_secs(60);
const READ_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Waits until the server is ready; an error after the longest start.
pub(crate) fn wait_ready(admin: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    while !get(admin, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        if started.elapsed() > START_MAX {
            bail!("the server was not ready within {START_MAX:?}; is {admin} in use?");
        }
        pause();
    }
    Ok(())
}

/// Returns the response to a GET, head included.
fn get(admin: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(READ_MAX))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns a metric, summed over all series with `label` in their labels.
pub(crate) fn metric(admin: &str, name: &str, label: &str) -> anyhow::Result<f64> {
    let text = get(admin, "/metrics")?;
    let is_asked = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(label))
    };
    Ok(text.lines().filter(is_asked).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

/// Sleeps for the time between two polls of the server.
pub(crate) fn pause() {
    sleep(POLL);
}

/// Blocks while other processes run and are measured.
#[allow(clippy::disallowed_methods, reason = "xtask has no runtime; this thread only waits")]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}
