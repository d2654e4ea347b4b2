//! A TLS server on a loopback address that passes its connections on to a plain server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use barrage_client::ClientTls;
use barrage_testkit::{certificates, ports};
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// Certificates of one authority: one for `localhost`, and one for another host.
pub(crate) struct Certificates(TempDir);

/// Certificate that a server shows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown {
    Localhost,
    OtherHost,
}

impl Certificates {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates::make_for(folder.path(), "DNS:localhost");
        certificates::add(folder.path(), "other", "other-key", "DNS:other.example");
        Certificates(folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn trusted(&self) -> ClientTls {
        ClientTls::load(Some(&self.folder().join("ca.pem"))).unwrap()
    }

    fn acceptor(&self, shown: Shown) -> TlsAcceptor {
        let (cert, key) = match shown {
            Shown::Localhost => ("cert.pem", "key.pem"),
            Shown::OtherHost => ("other.pem", "other-key.pem"),
        };
        let chain = vec![CertificateDer::from_pem_file(self.folder().join(cert)).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.folder().join(key)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// The address 127.0.0.N, on which the tests run several servers of one port.
pub(crate) fn loopback(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, n).into()
}

/// Returns a port that is free on 127.0.0.1 to 127.0.0.4.
pub(crate) fn free_port() -> u16 {
    let is_free = |n, port| std::net::TcpListener::bind((loopback(n), port)).is_ok();
    ports::reserve(|port| (1..=4).all(|n| is_free(n, port)))
}

/// A running server; it ends on drop, with its connections.
pub(crate) struct Front {
    accepting: JoinHandle<()>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
    arrivals: Arc<Mutex<Vec<Instant>>>,
}

impl Front {
    /// Serves TLS at an address, and passes the plain bytes on to `target`.
    pub(crate) async fn start(
        at: (IpAddr, u16),
        certificates: &Certificates,
        shown: Shown,
        target: SocketAddr,
    ) -> Self {
        let acceptor = certificates.acceptor(shown);
        Front::serve(at, move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut encrypted) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(target).await.unwrap();
                drop(copy_bidirectional(&mut encrypted, &mut plain).await);
            }
        })
        .await
    }

    /// Accepts connections, and never says a word on them.
    pub(crate) async fn silent(at: (IpAddr, u16)) -> Self {
        Front::serve(at, |stream| async move {
            let _open = stream;
            std::future::pending::<()>().await;
        })
        .await
    }

    async fn serve<F>(at: (IpAddr, u16), serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(at).await.unwrap();
        let (tasks, arrivals) =
            (Arc::<Mutex<Vec<AbortHandle>>>::default(), Arc::<Mutex<Vec<Instant>>>::default());
        let (all, times) = (Arc::clone(&tasks), Arc::clone(&arrivals));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                times.lock().push(Instant::now());
                all.lock().push(tokio::spawn(serve(stream)).abort_handle());
            }
        });
        Front { accepting, tasks, arrivals }
    }

    /// Ends the server, so that another one can listen at its address.
    pub(crate) async fn stop(mut self) {
        self.accepting.abort();
        drop((&mut self.accepting).await);
    }

    /// Returns the times at which connections arrived.
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.lock().clone()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
        self.tasks.lock().iter().for_each(AbortHandle::abort);
    }
}
