//! The autoscaler's metrics, played: the controller needs Kubernetes, so the list that its own test
//! writes is served, with counters that grow.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const LIST: &str = include_str!("../../../../dashboards/check/autoscaler.prom");

/// Serves the list on a free port until the runtime ends.
pub(crate) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for scrape in 1.. {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            drop(stream.read(&mut [0; 4096]).await);
            let body = grown(scrape);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    address
}

/// Returns the list with each counter multiplied by the number of the scrape.
fn grown(scrape: u32) -> String {
    let line = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let base = name.split('{').next().unwrap();
        let is_counter = ["_total", "_bucket", "_sum", "_count"].iter().any(|end| base.ends_with(end));
        if line.starts_with('#') || !is_counter {
            return format!("{line}\n");
        }
        format!("{name} {}\n", value.parse::<f64>().unwrap() * f64::from(scrape))
    };
    LIST.lines().map(line).collect()
}
