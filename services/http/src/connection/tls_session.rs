use std::fmt;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{Error, ServerConfig};

/// Encrypted bytes of incomplete records and messages at most, as rustls bounds its own buffer.
const INCOMING_MAX: usize = 0xffff;
/// Plain bytes of one TLS record at most.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// Bytes that encryption adds to a record, at most.
const RECORD_OVERHEAD_MAX: usize = 64;

/// Sending side of a session after its handshake.
type Traffic<'c> = WriteTraffic<'c, ServerConnectionData>;

/// A server's TLS session, without a socket. Its buffers exist only while they hold something: an idle
/// session has its keys and nothing else.
///
/// rustls' own connection keeps 4 KiB that it has read into for as long as it lives, which is more than
/// all the rest of an idle viewer.
pub struct TlsSession {
    connection: UnbufferedServerConnection,
    /// Encrypted bytes of an incomplete record.
    incoming: Vec<u8>,
    /// Decrypted bytes that nobody has read.
    plain: Pending,
    /// Encrypted bytes that the socket has not taken.
    outgoing: Pending,
    /// The client has ended its side by a close notice.
    is_peer_closed: bool,
    has_closed: bool,
    /// The client has broken the protocol. rustls has a place in bytes that are dropped, and must not be
    /// called again: it would look for them.
    has_failed: bool,
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("unsent", &self.unsent().len()).finish_non_exhaustive()
    }
}

/// Bytes that are taken from the front. Frees its memory when it is empty.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    taken: usize,
}

impl Pending {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    fn take(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= self.bytes.len() {
            *self = Pending::default();
        }
    }
}

impl TlsSession {
    /// Starts a session that waits for the client's hello.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(TlsSession {
            connection: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            plain: Pending::default(),
            outgoing: Pending::default(),
            is_peer_closed: false,
            has_closed: false,
            has_failed: false,
        })
    }

    /// Whether the handshake has not ended.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Returns the protocol that the handshake chose, such as `h2`.
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// Whether the client has ended its side, and all that it sent before was read.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.is_peer_closed && self.plain.rest().is_empty()
    }

    /// Takes bytes that the socket has read, and decrypts the records that are complete; decrypts in place.
    /// Answers of the handshake and alerts are then among [`TlsSession::unsent`], also after an error.
    ///
    /// # Errors
    /// When the client breaks the protocol, now or before. The connection must be closed.
    pub fn receive(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.check()?;
        let decrypted = self.decrypt(bytes);
        self.has_failed = decrypted.is_err();
        decrypted
    }

    /// Fails when the client has broken the protocol before.
    fn check(&self) -> Result<(), Error> {
        if self.has_failed { Err(Error::General("the session has failed before".into())) } else { Ok(()) }
    }

    fn decrypt(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        if self.incoming.is_empty() {
            let used = self.process(bytes)?;
            self.incoming.extend_from_slice(&bytes[used..]);
        } else {
            let mut all = std::mem::take(&mut self.incoming);
            all.extend_from_slice(bytes);
            let used = self.process(&mut all)?;
            all.drain(..used);
            self.incoming = if all.is_empty() { Vec::new() } else { all };
        }
        if self.incoming.len() > INCOMING_MAX {
            return Err(Error::General("a message of the handshake is too large".into()));
        }
        Ok(())
    }

    /// Processes bytes as far as possible; returns how many are used.
    fn process(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        let mut used = 0;
        loop {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut bytes[used..]);
            let mut of_records = 0;
            let is_over = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        self.plain.bytes.extend_from_slice(record.payload);
                        of_records += record.discard;
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, &mut self.outgoing.bytes)?;
                    false
                }
                // The owner sends what waits; records behind need not wait for that.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.is_peer_closed = true;
                    false
                }
                Ok(_) => true,
                Err(error) => {
                    self.alert(&mut bytes[used + discard..]);
                    return Err(error);
                }
            };
            used += discard + of_records;
            if is_over {
                return Ok(used);
            }
        }
    }

    /// Takes the alert that explains a failure to the client, if there is one.
    fn alert(&mut self, rest: &mut [u8]) {
        let status = self.connection.process_tls_records(rest);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state {
            // Without room for it the client sees the end of TCP alone.
            drop(encode(&mut data, &mut self.outgoing.bytes));
        }
    }

    /// Reads decrypted bytes; returns 0 when there are none.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let rest = self.plain.rest();
        let read = rest.len().min(into.len());
        into[..read].copy_from_slice(&rest[..read]);
        self.plain.take(read);
        read
    }

    /// Returns the decrypted bytes that nobody has read, all of them.
    pub fn read_all(&mut self) -> Vec<u8> {
        let all = self.plain.rest().to_vec();
        self.plain = Pending::default();
        all
    }

    /// Encrypts bytes, behind those that wait for the socket.
    ///
    /// # Errors
    /// When the session cannot send: before the end of the handshake, after a failure, or when its keys are
    /// exhausted.
    pub fn encrypt(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let records = bytes.len() / RECORD_BYTES_MAX + 1;
        let room = bytes.len() + records * RECORD_OVERHEAD_MAX;
        self.write(room, |traffic, out| traffic.encrypt(bytes, out))
    }

    /// Adds the notice that this side sends no more; does nothing the second time, and after a failure.
    ///
    /// # Errors
    /// When the session cannot send.
    pub fn close(&mut self) -> Result<(), Error> {
        if self.has_failed || std::mem::replace(&mut self.has_closed, true) {
            return Ok(());
        }
        self.write(RECORD_OVERHEAD_MAX, |traffic, out| traffic.queue_close_notify(out))
    }

    fn write(
        &mut self,
        room: usize,
        mut write: impl FnMut(&mut Traffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), Error> {
        self.check()?;
        loop {
            // These bytes are processed already; without them rustls would lose its place.
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut self.incoming);
            let out = &mut self.outgoing.bytes;
            let written = match state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    Some(append(out, room, |out| write(&mut traffic, out)))
                }
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut data, out)?;
                    None
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    None
                }
                ConnectionState::PeerClosed => {
                    self.is_peer_closed = true;
                    None
                }
                _ => return Err(Error::HandshakeNotComplete),
            };
            self.incoming.drain(..discard);
            if let Some(written) = written {
                return written;
            }
        }
    }

    /// Returns the encrypted bytes that the socket has not taken.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.outgoing.rest()
    }

    /// Removes encrypted bytes that the socket has taken.
    pub fn sent(&mut self, bytes: usize) {
        self.outgoing.take(bytes);
    }
}

/// Lets `write` append bytes, with as much room as it asks for.
fn append(
    out: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Error> {
    let start = out.len();
    loop {
        out.resize(start + room, 0);
        match write(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(needed)) => room = needed.required_size,
            Err(EncryptError::EncryptExhausted) => {
                out.truncate(start);
                return Err(Error::EncryptError);
            }
        }
    }
}

fn encode<D>(data: &mut EncodeTlsData<'_, D>, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    loop {
        match data.encode(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(needed)) => out.resize(start + needed.required_size, 0),
            Err(EncodeError::AlreadyEncoded) => return Err(Error::General("encoded twice".into())),
        }
    }
}

#[cfg(test)]
mod tests;
