//! One WebSocket to one gateway without retries, for probes; and the list of all gateways.

use std::time::Duration;

use barrage_protocol::entry::ProbeTargets;
use barrage_protocol::frame::{Batch, ClientFrame, Hello, ServerFrame, Traced};
use barrage_protocol::{Sequence, WireEncoding};

use crate::error::ConnectError;
use crate::http::{HttpPool, refusal};
use crate::link::Incoming;
use crate::link::ws::{Socket, Upgrade};

/// Connection to one gateway, which neither resumes nor repairs nor reconnects. Leaves the room on drop.
/// Acknowledges sampled messages, for the trace of a message up to this client.
#[derive(Debug)]
pub struct DirectViewer {
    socket: Socket,
    /// Position of the newest sampled message that is acknowledged.
    acknowledged: Option<Sequence>,
}

impl DirectViewer {
    /// Connects to the WebSocket `url` of a room: TCP, TLS where the URL has `wss`, and the upgrade.
    ///
    /// The caller bounds the time of all calls.
    pub async fn connect(url: &str, token: &str, pool: &HttpPool) -> Result<Self, ConnectError> {
        let upgrade = Upgrade {
            url,
            encodings: &[WireEncoding::Json, WireEncoding::Deflate],
            ticket: None,
            token: Some(token),
        };
        Ok(DirectViewer { socket: Socket::connect(&pool.dialer, upgrade).await?, acknowledged: None })
    }

    /// Waits until the gateway has joined the viewer.
    pub async fn join(&mut self) -> Result<Hello, ConnectError> {
        let hello = self.socket.hello().await?;
        self.socket.outgoing.send(ClientFrame::Traces {}).await.map_err(ConnectError::failed)?;
        Ok(hello)
    }

    /// Returns the next batch as the gateway sent it. Cancel-safe.
    pub async fn next_batch(&mut self) -> Result<Batch, ConnectError> {
        loop {
            if let ServerFrame::Batch(batch) = self.next_frame().await? {
                return Ok(batch);
            }
        }
    }

    /// Waits for the `traced` frame behind the message at a position, acknowledges it, and leaves the room
    /// when the server has read the acknowledgement. A message that the gateway did not sample has no such
    /// frame, so the caller bounds the time.
    pub async fn acknowledge(mut self, sequence: Sequence) -> Result<(), ConnectError> {
        while self.acknowledged.is_none_or(|newest| newest < sequence) {
            self.next_frame().await?;
        }
        let Socket { mut incoming, outgoing, tasks: _tasks, .. } = self.socket;
        // The writing task sends what waits and a close frame, which the server answers.
        drop(outgoing);
        while !matches!(incoming.recv().await, Some(Incoming::Closed { .. }) | None) {}
        Ok(())
    }

    /// Returns the next frame, and acknowledges a sampled message. A connection whose queue of outgoing
    /// frames is full does not move: the acknowledgement is dropped.
    async fn next_frame(&mut self) -> Result<ServerFrame, ConnectError> {
        loop {
            match self.socket.incoming.recv().await {
                Some(Incoming::Frame(frame)) => {
                    if let ServerFrame::Traced(Traced { sequence, .. }) = frame
                        && self.socket.outgoing.try_send(ClientFrame::Traced { sequence }).is_ok()
                    {
                        self.acknowledged = Some(sequence);
                    }
                    return Ok(frame);
                }
                Some(Incoming::Alive) => {}
                Some(Incoming::Closed { message, .. }) => return Err(ConnectError::Failed(message)),
                None => return Err(ConnectError::Failed("the connection ended".into())),
            }
        }
    }
}

/// Asks entry for every gateway and uplink. The token has the role probe.
pub async fn probe_targets(
    pool: &HttpPool,
    entry_url: &str,
    token: &str,
    timeout: Duration,
) -> Result<ProbeTargets, ConnectError> {
    let request = pool.http.get(format!("{entry_url}/v1/entry/probe")).bearer_auth(token).timeout(timeout);
    let response = request.send().await.map_err(|error| ConnectError::failed(error.without_url()))?;
    let response = refusal(response).await?;
    response.json().await.map_err(|error| ConnectError::failed(error.without_url()))
}
