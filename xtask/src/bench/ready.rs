//! Asking a server's admin listener.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::bail;

const START_MAX: Duration = Duration::from_secs(20);

/// Waits until the server is ready.
pub(crate) fn wait(admin: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    while !get(admin, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        if started.elapsed() > START_MAX {
            bail!("the server is not up; is something else on {admin}?");
        }
        pause();
    }
    Ok(())
}

/// An answer, whole.
pub(crate) fn get(admin: &str, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(admin)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A metric, over all its labels that contain `label`.
pub(crate) fn metric(admin: &str, name: &str, label: &str) -> anyhow::Result<f64> {
    let text = get(admin, "/metrics")?;
    let of_name = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']) && rest.contains(label))
    };
    Ok(text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

/// Before something is asked again.
pub(crate) fn pause() {
    sleep(Duration::from_millis(50));
}

/// Lets what is measured run.
#[allow(clippy::disallowed_methods, reason = "nothing else runs here")]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}
