//! A TCP proxy in front of one gateway, which delays the bytes of each viewer by its distance.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::map::RegionMap;

/// Pieces of a connection that are on their way in one direction. At the bound the proxy reads no more
/// from the sender.
const PIECES_MAX: usize = 64;
const PIECE_BYTES: usize = 16 * 1024;
/// Connections of one proxy; further ones are closed at once.
const CONNECTIONS_MAX: usize = 20_000;

/// A proxy on a loopback port. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct DelayProxy {
    pub(crate) address: SocketAddr,
    gateway: Arc<RwLock<Option<SocketAddr>>>,
    _accepting: JoinSet<()>,
}

impl DelayProxy {
    /// Starts a proxy for a gateway of a region; the gateway's address is named later.
    pub(crate) async fn start(map: RegionMap, region: u8) -> io::Result<DelayProxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let gateway = Arc::<RwLock<Option<SocketAddr>>>::default();
        let named = Arc::clone(&gateway);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, peer)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let Some(to) = *named.read() else { continue };
                if connections.len() < CONNECTIONS_MAX {
                    connections.spawn(serve(client, to, one_way(&map, peer, region)));
                }
            }
        });
        Ok(DelayProxy { address, gateway, _accepting: accepting })
    }

    /// Names the gateway of new connections.
    pub(crate) fn connect_to(&self, gateway: SocketAddr) {
        *self.gateway.write() = Some(gateway);
    }
}

fn one_way(map: &RegionMap, peer: SocketAddr, region: u8) -> Duration {
    let viewer = match peer.ip() {
        IpAddr::V4(address) => map.region_of(address),
        IpAddr::V6(_) => None,
    };
    map.one_way(viewer, region)
}

/// Forwards a connection in both directions until one side ends.
async fn serve(mut client: TcpStream, gateway: SocketAddr, one_way: Duration) {
    // The kernel has shaken hands with the viewer already. Over a real distance the viewer would have
    // waited for the round trip before its first byte left.
    tokio::time::sleep(2 * one_way).await;
    let Ok(mut server) = TcpStream::connect(gateway).await else { return };
    if client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).is_err() {
        return;
    }
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        () = delayed(from_client, to_server, one_way) => {}
        () = delayed(from_server, to_client, one_way) => {}
    }
}

/// Forwards each piece after the delay, in order; pieces travel behind one another.
async fn delayed(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Bytes)>(PIECES_MAX);
    let read = async move {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let piece = Bytes::copy_from_slice(&buffer[..read]);
            if sender.send((Instant::now() + delay, piece)).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some((due, piece)) = pieces.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpSocket;

    /// Returns the time from the connect to the echo of a few bytes.
    async fn echo(proxy: SocketAddr, source: IpAddr) -> Duration {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(source, 0)).unwrap();
        let began = Instant::now();
        let mut stream = socket.connect(proxy).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"hello");
        began.elapsed()
    }

    #[tokio::test]
    async fn bytes_of_another_region_are_late_by_two_round_trips() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.unwrap();
            }
        });
        let between = Duration::from_millis(100);
        let map = RegionMap { regions: 2, inside: Duration::ZERO, between };
        let proxy = DelayProxy::start(map, 1).await.unwrap();
        proxy.connect_to(server);
        let near = echo(proxy.address, RegionMap::source(1, 7).into()).await;
        let far = echo(proxy.address, RegionMap::source(0, 7).into()).await;
        // The handshake and the echo are a round trip each, and one between regions is 200 ms.
        assert!(far >= 4 * between, "{far:?}");
        assert!(near < far, "{near:?} and {far:?}");
    }
}
