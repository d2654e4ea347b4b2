//! A server on a free port, and clients that write raw bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use axum::Router;
use barrage_http::{Front, HttpConfig, HttpMetrics};
use prometheus::Registry;
use socket2::{Domain, Socket, Type};
use tokio_util::sync::CancellationToken;

/// Maximum wait for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    shutdown: CancellationToken,
    // A runtime of its own, so that tests may block.
    _runtime: tokio::runtime::Runtime,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Server {
    pub(crate) fn start(router: Router, config: HttpConfig, front: Front) -> Server {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (registry, shutdown) = (Registry::new(), CancellationToken::new());
        let front = Front { metrics: Some(HttpMetrics::new(&registry).unwrap()), ..front };
        let address = runtime.block_on(async {
            let listener = barrage_http::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(barrage_http::serve_public(vec![listener], router, front, config, shutdown.clone()));
            address
        });
        Server { address, registry, shutdown, _runtime: runtime }
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(stream)
    }

    /// Connects a client whose kernel buffers little.
    pub(crate) fn connect_narrow(&self) -> TcpStream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends a request on a new connection, and returns its answer.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect();
        client.send(request);
        client.answer().unwrap()
    }

    /// Returns the sum of a metric over the series with these label values.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let has_labels = |metric: &&prometheus::proto::Metric| {
            labels.iter().all(|label| metric.get_label().iter().any(|pair| pair.value() == *label))
        };
        let value = |metric: &prometheus::proto::Metric| {
            metric.get_counter().get_value() + metric.get_gauge().get_value()
        };
        let found: Vec<_> = family.get_metric().iter().filter(has_labels).collect();
        assert!(!found.is_empty(), "{name} {labels:?} does not exist");
        found.into_iter().map(value).sum::<f64>() as u64
    }
}

/// A plain TCP connection.
pub(crate) struct Client(pub(crate) TcpStream);

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.trim().to_owned())
    }

    /// Returns the code of the documented error body.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type").as_deref(), Some("application/json"), "{self:?}");
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert!(body["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        body["error"]["code"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).unwrap();
    }

    /// Reads the next answer; `None` when the server closed the connection.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Ok(_) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |value| value.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Some(answer)
    }

    /// Whether the server closes the connection within `max`.
    pub(crate) fn closes_within(&mut self, max: Duration) -> bool {
        self.0.set_read_timeout(Some(max)).unwrap();
        let mut buffer = [0; 4_096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return true,
                Err(_) => return false,
            }
        }
    }
}

/// Waits until `is_so` holds.
pub(crate) fn until(event: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not in time: {event}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
