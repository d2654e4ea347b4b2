//! A collector that takes every request and keeps nothing, for measurements of traces.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use anyhow::Context;

const ADDRESS: &str = "127.0.0.1:18494";

/// A thread that answers the export requests of servers with 200. It ends with this process.
pub(crate) struct Collector {
    pub(crate) url: String,
}

impl Collector {
    /// Starts the thread of the collector.
    pub(crate) fn start() -> anyhow::Result<Collector> {
        let listener = TcpListener::bind(ADDRESS).with_context(|| format!("{ADDRESS} is in use"))?;
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A connection that breaks is opened again by the server.
                std::thread::spawn(move || drop(answer_all(&connection)));
            }
        });
        Ok(Collector { url: format!("http://{ADDRESS}/v1/traces") })
    }
}

/// Reads requests and answers each, until the connection ends.
fn answer_all(connection: &TcpStream) -> std::io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(connection), connection);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    }
}
