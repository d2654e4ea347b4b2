//! A real Squid, an HTTP proxy, as a process of the test.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use crate::process::{Process, Recipe, free_address};
use crate::programs;

/// Whether a proxy opens tunnels with the method CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tunnels {
    /// Tunnels to every host and port, as a proxy of an office with loose rules.
    Opened,
    /// None, so that only plain requests pass.
    Refused,
}

/// A Squid without a cache on a free port of loopback. Killed on drop.
#[derive(Debug)]
pub struct Squid(Process);

impl Squid {
    /// Starts a proxy that forwards every plain request, and waits until it accepts connections.
    pub async fn start(tunnels: Tunnels) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        // Started as root, Squid changes to a user of its own.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let place = folder.path().display();
        let access = match tunnels {
            Tunnels::Opened => "",
            Tunnels::Refused => "acl tunnels method CONNECT\nhttp_access deny tunnels\n",
        };
        let config = format!(
            "http_port {address}\n\
             {access}http_access allow all\n\
             visible_hostname proxy.test\n\
             cache deny all\n\
             cache_mem 8 MB\n\
             access_log none\n\
             cache_log {place}/cache.log\n\
             cache_store_log none\n\
             pid_filename {place}/squid.pid\n\
             coredump_dir {place}\n\
             max_filedescriptors 1024\n\
             pinger_enable off\n\
             shutdown_lifetime 1 seconds\n"
        );
        let file = folder.path().join("squid.conf");
        std::fs::write(&file, config).unwrap();
        let program = programs::server("squid", "squid");
        let command = [program.as_str(), "-N", "-f", &file.display().to_string()].map(str::to_owned).to_vec();
        let environment = Vec::new();
        let recipe =
            Recipe { name: "squid".into(), command, environment, folder: folder.path().to_owned(), address };
        let mut process = Process::spawn(recipe, Some(folder));
        process.ready().await;
        Squid(process)
    }

    /// Returns the address of the proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.recipe.address
    }

    /// URL of the proxy, for a client's settings.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }
}
