//! A TCP proxy that delays bytes by half a round trip in each direction: a network between client and
//! server. Loopback hides what a handshake costs.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Pieces of bytes on their way in one direction of a connection; beyond, the proxy reads no more.
const PIECES_MAX: usize = 256;

/// Starts a proxy in front of a server, and returns its address. It ends with the runtime.
pub(super) async fn start(server: SocketAddr, round_trip: Duration) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                // The kernel answered the client's SYN at once: the round trip of TCP's handshake.
                tokio::time::sleep(round_trip).await;
                if let Ok(server) = TcpStream::connect(server).await {
                    join(client, server, round_trip / 2);
                }
            });
        }
    });
    Ok(address)
}

fn join(client: TcpStream, server: TcpStream, one_way: Duration) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    delay(from_client, to_server, one_way);
    delay(from_server, to_client, one_way);
}

/// Moves bytes of one direction, each piece after the delay and in order.
fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration) {
    let (pieces_in, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let piece = (Instant::now() + one_way, buffer[..read].to_vec());
            if pieces_in.send(piece).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, piece)) = pieces.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
}
