//! `--ready-fd N`: one JSON line with the addresses of a process, for the program that started the
//! process. The text on standard output is for people and may change; this line does not.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::console::Console;

/// The line. Port 0 has become the port that the process listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadyLine {
    /// Public addresses; in a fleet, those of entry.
    pub(crate) public: Vec<SocketAddr>,
    /// Admin address; in a fleet, the one of the first uplink.
    pub(crate) admin: SocketAddr,
    /// Processes of a fleet (`up --cluster`), entry first; absent for a single process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<ReadyMember>,
}

/// Addresses of one process of a fleet, for programs that read the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReadyMember {
    pub(crate) name: String,
    pub(crate) public: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

/// File descriptor that the ready line is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadyFd(pub(crate) u32);

impl ReadyFd {
    /// The text for people stays off a standard output that carries the ready line.
    pub(crate) fn console(fd: Option<ReadyFd>) -> Console {
        if fd == Some(ReadyFd(1)) { Console::Silent } else { Console::Text }
    }

    /// Writes the line. Fails when the descriptor is closed or cannot be written.
    pub(crate) fn write(self, ready: &ReadyLine) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(ready)?;
        line.push(b'\n');
        let written = match self.0 {
            1 => std::io::stdout().lock().write_all(&line).and_then(|()| std::io::stdout().flush()),
            fd => OpenOptions::new()
                .append(true)
                .open(format!("/dev/fd/{fd}"))
                .and_then(|mut file| file.write_all(&line)),
        };
        written.with_context(|| format!("--ready-fd {}: the ready line cannot be written", self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn ready_line_is_one_line_of_json_on_the_descriptor() {
        let mut file = tempfile::tempfile().unwrap();
        let (public, admin) = (vec!["127.0.0.1:1".parse().unwrap()], "127.0.0.1:2".parse().unwrap());
        let ready = ReadyLine { public, admin, members: Vec::new() };
        ReadyFd(u32::try_from(file.as_raw_fd()).unwrap()).write(&ready).unwrap();
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "{\"public\":[\"127.0.0.1:1\"],\"admin\":\"127.0.0.1:2\"}\n");
    }

    #[test]
    fn closed_descriptor_is_an_error_with_the_flag() {
        let ready =
            ReadyLine { public: Vec::new(), admin: "127.0.0.1:2".parse().unwrap(), members: Vec::new() };
        let error = ReadyFd(9_999).write(&ready).unwrap_err();
        assert!(format!("{error:#}").contains("--ready-fd 9999"), "{error:#}");
    }
}
