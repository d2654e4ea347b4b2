//! Processes of the peer: nginx with nchan, and the Redis that keeps its messages.

use std::net::SocketAddr;

use barrage_testkit::ports::free_address;
use barrage_testkit::process::{Process, Recipe};
use barrage_testkit::redis;
use tempfile::TempDir;

/// Library of nginx's module (Debian: libnginx-mod-nchan).
pub const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// Where the peer keeps the messages of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// Shared memory of one nginx, nchan's default.
    Memory,
    /// A Redis server that syncs each command to its disk before the answer.
    Redis,
}

/// The started processes. All are killed on drop.
#[derive(Debug)]
pub(super) struct Nchan {
    /// The servers of nginx first, then Redis.
    pub(super) processes: Vec<Process>,
    /// Addresses of the servers of nginx.
    pub(super) servers: Vec<SocketAddr>,
    _folder: TempDir,
}

impl Nchan {
    /// Starts one nginx, or two of them on a Redis.
    pub(super) async fn start(keeper: Keeper) -> Nchan {
        let folder = tempfile::tempdir().unwrap();
        let redis = match keeper {
            Keeper::Memory => None,
            Keeper::Redis => Some(Process::start(durable_redis(&folder)).await),
        };
        let store = redis.as_ref().map(|it| it.recipe.address);
        let mut processes = Vec::new();
        for number in 0..if store.is_some() { 2 } else { 1 } {
            processes.push(Process::start(nginx(&folder, number, store)).await);
        }
        let servers = processes.iter().map(|it| it.recipe.address).collect();
        processes.extend(redis);
        Nchan { processes, servers, _folder: folder }
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        // A killed master leaves its worker behind.
        for process in &mut self.processes {
            process.kill();
        }
    }
}

fn durable_redis(folder: &TempDir) -> Recipe {
    let mut recipe = redis::recipe(folder.path(), free_address());
    recipe.command.retain(|word| !matches!(word.as_str(), "--appendonly" | "no"));
    recipe.command.extend(["--appendonly", "yes", "--appendfsync", "always"].map(str::to_owned));
    recipe
}

fn nginx(folder: &TempDir, number: usize, redis: Option<SocketAddr>) -> Recipe {
    let place = folder.path().join(format!("nginx-{number}"));
    std::fs::create_dir(&place).unwrap();
    let address = free_address();
    let upstream =
        redis.map_or(String::new(), |it| format!("upstream store {{ nchan_redis_server redis://{it}; }}"));
    let pass = redis.map_or("", |_| "nchan_redis_pass store;");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};", place.display()))
        .concat();
    let config = format!(
        "load_module {MODULE}; daemon off; user root; worker_processes 1; pid {}/nginx.pid; error_log stderr;\n\
         events {{ worker_connections 8192; }}\n\
         http {{ access_log off; {temporary} {upstream}\n\
         server {{ listen {address};\n\
         location ~ /pub/(.+)$ {{ nchan_publisher; nchan_channel_id $1; nchan_message_buffer_length 1000000; \
         nchan_message_timeout 30m; {pass} }}\n\
         location ~ /sub/(.+)$ {{ nchan_subscriber; nchan_channel_id $1; \
         nchan_subscriber_first_message newest; {pass} }}\n\
         location ~ /kept/(.+)$ {{ nchan_subscriber; nchan_channel_id $1; \
         nchan_subscriber_first_message oldest; {pass} }} }} }}\n",
        place.display()
    );
    let file = place.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let (place_text, file_text) = (place.display().to_string(), file.display().to_string());
    let words = ["nginx", "-p", &place_text, "-e", "stderr", "-c", &file_text];
    let command = words.map(str::to_owned).to_vec();
    Recipe { name: format!("nginx-{number}"), command, environment: Vec::new(), folder: place, address }
}
