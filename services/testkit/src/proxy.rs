//! A TCP proxy between a client and a server, which delays or swallows what the server sends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Time by which a slow proxy delays bytes of the server.
const DELAY: Duration = Duration::from_secs(2);

/// Treatment of the bytes that a server sends after its first answer on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Treatment {
    /// Forwards all bytes at once.
    Pass,
    /// Forwards no byte in either direction.
    Mute,
    /// Forwards all bytes after 2 s.
    Slow,
}

/// A proxy on loopback. The first bytes of the server on each connection always pass, so that a
/// WebSocket opens. Ends with the runtime of the test.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Address that clients connect to.
    pub address: SocketAddr,
    treatment: Arc<AtomicU8>,
    server: Arc<parking_lot::RwLock<Option<SocketAddr>>>,
}

impl Proxy {
    /// Starts a proxy whose server is named later.
    pub async fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            treatment: Arc::new(AtomicU8::new(Treatment::Pass as u8)),
            server: Arc::default(),
        };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(client));
            }
        });
        proxy
    }

    /// Names the server of new connections.
    pub fn connect_to(&self, server: SocketAddr) {
        *self.server.write() = Some(server);
    }

    /// Changes the treatment, of open connections as well.
    pub fn set(&self, treatment: Treatment) {
        self.treatment.store(treatment as u8, Ordering::SeqCst);
    }

    async fn serve(self, mut client: TcpStream) {
        let Some(server) = *self.server.read() else { return };
        let Ok(mut server) = TcpStream::connect(server).await else { return };
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let answers = async {
            let (mut buffer, mut is_first) = (vec![0; 64 * 1024], true);
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                let treatment = self.treatment.load(Ordering::SeqCst);
                if !std::mem::take(&mut is_first) {
                    if treatment == Treatment::Mute as u8 {
                        continue;
                    }
                    if treatment == Treatment::Slow as u8 {
                        tokio::time::sleep(DELAY).await;
                    }
                }
                if to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = answers => {}
            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        }
    }
}
