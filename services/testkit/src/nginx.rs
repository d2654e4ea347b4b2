//! A real nginx, a reverse proxy, as a process of the test.

use std::net::SocketAddr;

use crate::process::{Process, Recipe};
use crate::programs;

/// Settings of the reverse proxy, beyond `proxy_pass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// The defaults: HTTP/1.0 to the server, no upgrade, buffering unless the server declines it.
    Default,
    /// HTTP/1.1 and the upgrade of WebSockets, as the guides of this project say.
    Upgrades,
    /// Buffering also of answers that decline it, and no upgrade.
    Buffers,
}

/// An nginx in front of one server. Killed on drop.
#[derive(Debug)]
pub struct Nginx(Process);

impl Nginx {
    /// Starts a proxy at `address` in front of `server`, and waits until it accepts connections.
    pub async fn start(address: SocketAddr, server: SocketAddr, forwarding: Forwarding) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let more = match forwarding {
            Forwarding::Default => "",
            Forwarding::Upgrades => {
                "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
                 proxy_set_header Connection upgrade;"
            }
            Forwarding::Buffers => "proxy_ignore_headers X-Accel-Buffering;",
        };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {place}/{name};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {place}/nginx.pid; error_log stderr;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; {temporary}\n\
             server {{ listen {address}; location / {{ proxy_pass http://{server}; \
             proxy_set_header Host $http_host; proxy_buffering on; {more} }} }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).unwrap();
        let program = programs::server("nginx", "nginx");
        let words = [&program, "-p", &place, "-e", "stderr", "-c", &file.display().to_string()];
        let command = words.map(str::to_owned).to_vec();
        let environment = Vec::new();
        let recipe =
            Recipe { name: "nginx".into(), command, environment, folder: folder.path().to_owned(), address };
        let mut process = Process::spawn(recipe, Some(folder));
        process.ready().await;
        Nginx(process)
    }

    /// URL of the proxy, which takes the place of the server's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.0.recipe.address)
    }
}
