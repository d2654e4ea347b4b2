//! A TCP proxy in user space with toxics, for machines without NFQUEUE and for faults inside of a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Bytes that one step of a connection forwards at most.
const STEP_BYTES: usize = 16 * 1_024;

/// Treatment of all connections of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Forwards all bytes at once.
    Pass,
    /// Forwards each piece after a delay.
    Latency(Duration),
    /// Forwards at most so many bytes a second in each direction of a connection.
    Bandwidth(u32),
    /// Forwards so many bytes in each write, one write after the other.
    Slice(usize),
    /// Reads bytes, and forwards none of them.
    Blackhole,
    /// Closes a connection after so many bytes of the server, in the middle of a frame.
    CutAfter(usize),
    /// Closes a connection after so many bytes of the client, in the middle of a body.
    CutClientAfter(usize),
}

/// Sender of the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// A proxy on loopback. Ends with its runtime.
#[derive(Debug, Clone)]
pub struct ToxicProxy {
    /// Address that clients connect to.
    pub address: SocketAddr,
    toxic: Arc<RwLock<Toxic>>,
    server: Arc<RwLock<Option<SocketAddr>>>,
    cut: Arc<Notify>,
}

impl ToxicProxy {
    /// Starts a proxy whose server is named later.
    pub async fn start() -> ToxicProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = ToxicProxy {
            address: listener.local_addr().unwrap(),
            toxic: Arc::new(RwLock::new(Toxic::Pass)),
            server: Arc::default(),
            cut: Arc::default(),
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
    pub fn set(&self, toxic: Toxic) {
        *self.toxic.write() = toxic;
    }

    /// Closes all open connections at once.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }

    async fn serve(self, client: TcpStream) {
        let Some(server) = *self.server.read() else { return };
        let Ok(server) = TcpStream::connect(server).await else { return };
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = self.forward(from_client, to_server, Side::Client) => {}
            () = self.forward(from_server, to_client, Side::Server) => {}
            () = self.cut.notified() => {}
        }
    }

    /// Forwards what one side sends until it ends.
    async fn forward(
        &self,
        mut from: impl AsyncReadExt + Unpin,
        mut to: impl AsyncWriteExt + Unpin,
        side: Side,
    ) {
        let (mut buffer, mut forwarded) = (vec![0; STEP_BYTES], 0_usize);
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let toxic = *self.toxic.read();
            let mut piece = &buffer[..read];
            match toxic {
                Toxic::Pass => {}
                Toxic::Blackhole => continue,
                Toxic::Latency(delay) => tokio::time::sleep(delay).await,
                Toxic::Bandwidth(per_s) => {
                    tokio::time::sleep(Duration::from_secs_f64(read as f64 / f64::from(per_s))).await;
                }
                Toxic::Slice(bytes) => {
                    while piece.len() > bytes {
                        let (first, rest) = piece.split_at(bytes);
                        if to.write_all(first).await.is_err() {
                            return;
                        }
                        piece = rest;
                        tokio::task::yield_now().await;
                    }
                }
                Toxic::CutAfter(bytes) if side == Side::Server && forwarded + read > bytes => {
                    let rest = bytes.saturating_sub(forwarded).min(read - 1);
                    drop(to.write_all(&piece[..rest]).await);
                    return;
                }
                Toxic::CutClientAfter(bytes) if side == Side::Client && forwarded + read > bytes => {
                    let rest = bytes.saturating_sub(forwarded).min(read - 1);
                    drop(to.write_all(&piece[..rest]).await);
                    return;
                }
                Toxic::CutAfter(_) | Toxic::CutClientAfter(_) => {}
            }
            forwarded = forwarded.saturating_add(read);
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}
