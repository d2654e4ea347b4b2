//! A viewer's socket: bytes as they are, or under TLS. Nothing here waits but by asking
//! the runtime.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::task::{Context, Poll};

use rustix::net::SendFlags;
use rustls::ServerConnection;
use socket2::SockRef;
use tokio::net::TcpStream;

/// Bytes encrypted before the socket is asked again: what it then refuses is kept by the
/// connection. One record.
const ENCRYPTED_MAX: usize = 16 * 1024;

/// A connection without a runtime, on its way to a shard.
pub(crate) struct Bare {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) tls: Option<Box<ServerConnection>>,
}

/// A connection of this shard.
pub(crate) struct Socket {
    stream: TcpStream,
    tls: Option<Box<RefCell<ServerConnection>>>,
}

impl Socket {
    /// Registers with the current runtime.
    pub(crate) fn new(bare: Bare) -> io::Result<Self> {
        let stream = TcpStream::from_std(bare.stream)?;
        Ok(Socket { stream, tls: bare.tls.map(|tls| Box::new(RefCell::new(*tls))) })
    }

    pub(crate) fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        SockRef::from(&self.stream).set_send_buffer_size(bytes)
    }

    /// The bare call, for the fan-out: what the runtime believes of the socket is not
    /// asked, which would cost another line of cache for each viewer; and not through libc,
    /// where a thread may be cancelled at each call. `WouldBlock` when the kernel takes
    /// nothing.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => Ok(rustix::net::send(&self.stream, bytes, SendFlags::NOSIGNAL)?),
            Some(tls) => self.encrypt(&mut tls.borrow_mut(), bytes),
        }
    }

    /// The same for a task that waits for the socket when it is full, and zero then. Of a
    /// new socket the runtime does not know yet that it takes anything, so the kernel is
    /// asked first; of a full one the runtime must learn it.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match &self.tls {
            None => Direct(&self.stream).write(bytes),
            Some(_) => self.send(bytes),
        };
        taken.or_else(|error| if error.kind() == ErrorKind::WouldBlock { Ok(0) } else { Err(error) })
    }

    fn encrypt(&self, tls: &mut ServerConnection, bytes: &[u8]) -> io::Result<usize> {
        self.push(tls)?;
        let mut taken = 0;
        while taken < bytes.len() && !tls.wants_write() {
            let end = bytes.len().min(taken + ENCRYPTED_MAX);
            taken += tls.writer().write(&bytes[taken..end])?;
            self.push(tls)?;
        }
        if taken == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Writes what is encrypted, as far as the kernel takes it.
    fn push(&self, tls: &mut ServerConnection) -> io::Result<()> {
        while tls.wants_write() {
            match tls.write_tls(&mut Direct(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what was taken and not sent, as far as the kernel takes it.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &self.tls {
            None => Ok(()),
            Some(tls) => self.push(&mut tls.borrow_mut()),
        }
    }

    /// Whether something was taken and not sent: at most a record.
    pub(crate) fn is_behind(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.borrow().wants_write())
    }

    /// What has arrived; zero at the end, `WouldBlock` when there is nothing.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.stream.try_read(buffer) };
        let tls = &mut *tls.borrow_mut();
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Gone without a farewell.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            if tls.read_tls(&mut Direct(&self.stream))? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// What was decrypted before the connection came here, and so wakes nobody.
    pub(crate) fn decrypted(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(tls) = &self.tls {
            // Ends with `WouldBlock`; what came before it is kept.
            drop(tls.borrow_mut().reader().read_to_end(&mut bytes));
        }
        bytes
    }

    /// Ends the sending side.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            let tls = &mut *tls.borrow_mut();
            tls.send_close_notify();
            self.push(tls)?;
        }
        SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write)
    }

    pub(crate) fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(context)
    }

    pub(crate) fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(context)
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }
}

/// The stream under TLS: asks the kernel, and lets the runtime know when it says no.
struct Direct<'a>(&'a TcpStream);

impl Read for Direct<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Direct<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match SockRef::from(self.0).send(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.0.try_write(bytes),
            taken => taken,
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match SockRef::from(self.0).send_vectored(parts) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.0.try_write_vectored(parts),
            taken => taken,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
