use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::task::{Context, Poll};
use std::time::Duration;

use barrage_http::{RECORD_BYTES_MAX, TlsSession};
use rustix::net::SendFlags;
use socket2::SockRef;
use tokio::net::TcpStream;

/// Connection that is registered with no runtime, on its way to a shard.
#[derive(Debug)]
pub(crate) struct DetachedSocket {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) tls: Option<Box<TlsSession>>,
}

/// Connection of a viewer, plain or under TLS, registered with its shard's runtime.
pub(crate) struct Socket {
    stream: TcpStream,
    tls: Option<Box<RefCell<TlsSession>>>,
}

impl Socket {
    /// Registers the connection with the current runtime.
    pub(crate) fn new(detached: DetachedSocket) -> io::Result<Self> {
        let stream = TcpStream::from_std(detached.stream)?;
        Ok(Socket { stream, tls: detached.tls.map(|tls| Box::new(RefCell::new(*tls))) })
    }

    pub(crate) fn set_send_buffer_size(&self, bytes: usize) -> io::Result<()> {
        SockRef::from(&self.stream).set_send_buffer_size(bytes)
    }

    /// Lets the kernel end the connection when sent bytes stay unanswered for so long.
    pub(crate) fn set_user_timeout(&self, unanswered: Duration) -> io::Result<()> {
        SockRef::from(&self.stream).set_tcp_user_timeout(Some(unanswered))
    }

    /// Sends bytes for the fan-out; returns how many the kernel took, `WouldBlock` when it took
    /// none.
    ///
    /// Calls the kernel without asking the runtime about readiness, which would cost another line
    /// of cache for each viewer. Avoids libc, whose `send` is a cancellation point.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => Ok(rustix::net::send(&self.stream, bytes, SendFlags::NOSIGNAL)?),
            Some(tls) => self.encrypt(&mut tls.borrow_mut(), bytes),
        }
    }

    /// Sends bytes for a viewer's task; returns how many the kernel took, zero when the socket is
    /// full.
    ///
    /// Asks the kernel first, because the runtime has not yet seen a new socket become writable.
    /// Reports a full socket to the runtime, so that the task can wait for it.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match &self.tls {
            None => self.write_plain(bytes),
            Some(_) => self.send(bytes),
        };
        taken.or_else(|error| if error.kind() == ErrorKind::WouldBlock { Ok(0) } else { Err(error) })
    }

    /// Calls the kernel first, and reports a full socket to the runtime.
    fn write_plain(&self, bytes: &[u8]) -> io::Result<usize> {
        match rustix::net::send(&self.stream, bytes, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::AGAIN) => self.stream.try_write(bytes),
            taken => Ok(taken?),
        }
    }

    /// Encrypts record by record, while the kernel takes the one before. The session keeps the record
    /// that the kernel refuses.
    fn encrypt(&self, tls: &mut TlsSession, bytes: &[u8]) -> io::Result<usize> {
        self.push(tls)?;
        let mut taken = 0;
        while taken < bytes.len() && tls.unsent().is_empty() {
            let end = bytes.len().min(taken + RECORD_BYTES_MAX);
            tls.encrypt(&bytes[taken..end]).map_err(invalid)?;
            taken = end;
            self.push(tls)?;
        }
        if taken == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    /// Writes encrypted records until the kernel takes no more.
    fn push(&self, tls: &mut TlsSession) -> io::Result<()> {
        while !tls.unsent().is_empty() {
            match self.write_plain(tls.unsent()) {
                Ok(taken) => tls.sent(taken),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes the encrypted bytes that an earlier call left behind; does nothing without TLS.
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &self.tls {
            None => Ok(()),
            Some(tls) => self.push(&mut tls.borrow_mut()),
        }
    }

    /// Whether encrypted bytes wait for the kernel: one record at most.
    pub(crate) fn is_behind(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.borrow().unsent().is_empty())
    }

    /// Reads the bytes that have arrived; zero at the end of the stream, `WouldBlock` without any.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.stream.try_read(buffer) };
        let tls = &mut *tls.borrow_mut();
        loop {
            let read = tls.read(buffer);
            if read > 0 || tls.is_at_end() {
                return Ok(read);
            }
            // The buffer takes the encrypted bytes first: a viewer needs none of its own.
            let encrypted = self.stream.try_read(buffer)?;
            if encrypted == 0 {
                // The client closed TCP without a TLS close.
                return Ok(0);
            }
            let received = tls.receive(&mut buffer[..encrypted]);
            // Alerts, and answers to a change of keys.
            self.push(tls)?;
            received.map_err(invalid)?;
        }
    }

    /// Returns the bytes that were decrypted before the connection came here. The socket does not
    /// become readable for them.
    pub(crate) fn decrypted(&self) -> Vec<u8> {
        self.tls.as_ref().map(|tls| tls.borrow_mut().read_all()).unwrap_or_default()
    }

    /// Closes the sending side; the client's bytes can still be read. Under TLS, sends the close
    /// notice first.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            let tls = &mut *tls.borrow_mut();
            tls.close().map_err(invalid)?;
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

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
