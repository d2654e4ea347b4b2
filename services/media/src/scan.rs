//! A scanner for malware: clamd, which reads uploads over a socket.
//!
//! One connection for each file: `zINSTREAM`, pieces with their lengths, an empty piece, and then one answer.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use barrage_flow::BreakerConfig;
use barrage_guarded::{BreakerMetrics, Guarded};
use barrage_part::{Kind, Setting};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Bytes of one piece of a file on its way to the scanner.
const PIECE_BYTES: usize = 64 * 1024;
/// Largest answer in bytes; a longer one is a failure.
const ANSWER_BYTES_MAX: u64 = 4_096;

barrage_part::part! {
    /// A scanner for malware that speaks the protocol of clamd.
    pub struct ClamdConfig {
        /// Socket of clamd: `HOST:PORT` with an IP address, or the path of its Unix socket. Reachable from trusted
        /// machines alone: the protocol has no password.
        address: String = String::new();
        /// Longest time of one scan in milliseconds.
        deadline_ms: u64 = 20_000, between(10, 600_000);
        /// What becomes of a file while the scanner does not answer: `wait` (the check is made again until it does, and
        /// the sender sees `checking`), `refuse`, or `pass`. A file that is larger than the scanner takes is such a
        /// one, with `wait` for ever: set its `StreamMaxLength` to `media.upload_bytes_max` at least.
        away: Away = Away::Wait;
        /// Circuit breaker before the scanner.
        breaker: BreakerConfig = BreakerConfig::default();
    }
}

/// What becomes of a file that the scanner could not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Away {
    /// The file waits, and is scanned once the scanner answers.
    Wait,
    /// The file is refused; its sender may try again.
    Refuse,
    /// The file is taken without a scan.
    Pass,
}

impl Setting for Away {
    const KIND: Kind = Kind::Choice(&["wait", "refuse", "pass"]);
}

/// Where a scanner listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl ClamdConfig {
    /// Parses the address, as a port or a path.
    pub(crate) fn place(&self) -> Result<Place, String> {
        if self.address.starts_with('/') {
            return Ok(Place::Unix(PathBuf::from(&self.address)));
        }
        self.address.parse().map(Place::Tcp).map_err(|_| {
            format!("{:?} is neither HOST:PORT with an IP address nor the path of a socket", self.address)
        })
    }
}

/// What a scanner has found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// Nothing was found, or nothing was looked for by `away = "pass"`.
    Clean,
    /// The file has malware, or was not scanned and `away` refuses it.
    Refused(Refusal),
    /// The file was not scanned, and waits.
    Again(String),
}

/// Why a file was not scanned.
#[derive(Debug, thiserror::Error)]
enum ScanError {
    #[error("clamd cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    #[error("media.check.clamd.address: {0}")]
    Place(String),
    #[error("clamd answered {0:?}")]
    Answer(String),
}

/// The scanner, behind its circuit breaker.
#[derive(Debug)]
pub(crate) struct Scanner {
    place: Result<Place, String>,
    away: Away,
    guarded: Guarded,
}

impl Scanner {
    pub(crate) fn new(config: &ClamdConfig, metrics: &BreakerMetrics) -> Self {
        let deadline = Duration::from_millis(config.deadline_ms);
        Scanner {
            place: config.place(),
            away: config.away,
            guarded: Guarded::new("clamd", config.breaker.clone(), deadline, metrics),
        }
    }

    /// Scans a file, in the time of the deadline.
    pub(crate) async fn scan(&self, file: &Path) -> Scanned {
        match self.guarded.call(self.ask(file)).await {
            Ok(None) => Scanned::Clean,
            Ok(Some(found)) => {
                tracing::info!(found, "an upload has malware and is refused");
                Scanned::Refused(Refusal::new(Code::Forbidden, "the file has malware and is refused"))
            }
            Err(error) => self.unscanned(error.to_string()),
        }
    }

    fn unscanned(&self, why: String) -> Scanned {
        match self.away {
            Away::Wait => Scanned::Again(why),
            Away::Refuse => {
                let mut refusal =
                    Refusal::new(Code::Unavailable, "files cannot be scanned now; upload it again later");
                refusal.retry_after_ms = Some(60_000);
                Scanned::Refused(refusal)
            }
            Away::Pass => Scanned::Clean,
        }
    }

    /// Returns the name of what was found; `None` when nothing was.
    async fn ask(&self, file: &Path) -> Result<Option<String>, ScanError> {
        let file = File::open(file).await?;
        match &self.place {
            Ok(Place::Tcp(address)) => stream(TcpStream::connect(address).await?, file).await,
            Ok(Place::Unix(path)) => stream(UnixStream::connect(path).await?, file).await,
            Err(error) => Err(ScanError::Place(error.clone())),
        }
    }
}

async fn stream(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    mut file: File,
) -> Result<Option<String>, ScanError> {
    let sent = send(&mut connection, &mut file).await;
    // A scanner that has seen enough answers and closes before the end of the file.
    let mut answer = Vec::new();
    let read = (&mut connection).take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    if answer.is_empty() {
        sent?;
        read?;
    }
    verdict(&answer)
}

async fn send(connection: &mut (impl AsyncWrite + Unpin), file: &mut File) -> std::io::Result<()> {
    connection.write_all(b"zINSTREAM\0").await?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = file.read(&mut piece).await?;
        let length = u32::try_from(read).unwrap_or(0);
        connection.write_all(&length.to_be_bytes()).await?;
        if read == 0 {
            return connection.flush().await;
        }
        connection.write_all(&piece[..read]).await?;
    }
}

/// Reads an answer: `stream: OK`, `stream: NAME FOUND`, or the text of a failure.
fn verdict(answer: &[u8]) -> Result<Option<String>, ScanError> {
    let text = String::from_utf8_lossy(answer);
    let text = text.trim_end_matches(['\0', '\n', ' ']);
    let failed = || ScanError::Answer(text.chars().take(200).collect());
    match text.strip_prefix("stream: ").ok_or_else(failed)? {
        "OK" => Ok(None),
        rest => rest.strip_suffix(" FOUND").map(|name| Some(name.to_owned())).ok_or_else(failed),
    }
}

#[cfg(test)]
mod tests {
    use barrage_testkit::{Clamd, EICAR};
    use prometheus::Registry;

    use super::*;

    fn scanner(address: String, away: Away, deadline_ms: u64) -> Scanner {
        let breaker = BreakerConfig { calls_min: 100, ..BreakerConfig::default() };
        let config = ClamdConfig { address, deadline_ms, away, breaker };
        Scanner::new(&config, &BreakerMetrics::new(&Registry::new()).unwrap())
    }

    #[test]
    fn answers_of_clamd_are_read() {
        assert_eq!(verdict(b"stream: OK\0").unwrap(), None);
        assert_eq!(verdict(b"stream: Eicar-Test FOUND\0").unwrap(), Some("Eicar-Test".to_owned()));
        for failure in [&b""[..], b"stream: ", b"INSTREAM size limit exceeded. ERROR\0", b"OK", b"\xff\xff"] {
            assert!(verdict(failure).is_err(), "{failure:?}");
        }
    }

    #[test]
    fn address_is_a_port_or_a_path() {
        let place = |address: &str| ClamdConfig { address: address.into(), ..ClamdConfig::default() }.place();
        assert_eq!(place("/run/clamd.ctl"), Ok(Place::Unix("/run/clamd.ctl".into())));
        assert!(matches!(place("[::1]:3310"), Ok(Place::Tcp(_))));
        assert!(place("clamd:3310").is_err() && place("").is_err());
    }

    #[tokio::test]
    async fn clamd_finds_what_it_knows_and_its_absence_has_the_configured_end() {
        let folder = tempfile::tempdir().unwrap();
        let (bad, good, large) =
            (folder.path().join("bad"), folder.path().join("good"), folder.path().join("large"));
        std::fs::write(&bad, EICAR).unwrap();
        std::fs::write(&good, vec![7; 300_000]).unwrap();
        std::fs::write(&large, vec![7; 3 << 20]).unwrap();
        let mut clamd = Clamd::start().await;
        let address = clamd.address().to_string();
        let [waits, refuses, passes] =
            [Away::Wait, Away::Refuse, Away::Pass].map(|away| scanner(address.clone(), away, 10_000));
        assert_eq!(waits.scan(&good).await, Scanned::Clean);
        let Scanned::Refused(refusal) = passes.scan(&bad).await else { panic!("malware passed") };
        assert_eq!(refusal.code, Code::Forbidden);
        assert!(matches!(waits.scan(&large).await, Scanned::Again(why) if why.contains("size limit")));
        // It takes connections and says nothing.
        clamd.pause();
        let hurried = scanner(address, Away::Refuse, 200);
        assert!(matches!(hurried.scan(&good).await, Scanned::Refused(it) if it.code == Code::Unavailable));
        clamd.resume();
        clamd.kill();
        assert!(matches!(waits.scan(&bad).await, Scanned::Again(_)));
        assert!(matches!(refuses.scan(&good).await, Scanned::Refused(it) if it.retry_after_ms.is_some()));
        assert_eq!(passes.scan(&bad).await, Scanned::Clean);
    }
}
