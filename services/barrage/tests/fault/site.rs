//! The whole platform as processes: three NATS nodes, Redis, PostgreSQL, entry, archiver,
//! gateways and uplinks.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use barrage_testkit::programs::{self, NOBODY};

use crate::process::{Process, Recipe};

const BINARY: &str = env!("CARGO_BIN_EXE_barrage");
pub(crate) const GATEWAYS: usize = 3;
pub(crate) const UPLINKS: usize = 2;

/// A folder that everybody may enter, because PostgreSQL runs as somebody else.
pub(crate) struct Site {
    pub(crate) processes: Vec<Process>,
    /// Base URL of entry.
    pub(crate) entry: String,
    /// Base URL of an uplink's admin API.
    pub(crate) admin: String,
    /// Base URL of that uplink.
    pub(crate) uplink: String,
    token_dir: PathBuf,
    _folder: tempfile::TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap().port()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Site {
    pub(crate) async fn start() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut processes = nats(&home).await;
        let urls: Vec<_> =
            processes.iter().map(|nats| format!("\"nats://127.0.0.1:{}\"", nats.recipe.port)).collect();
        let redis = Process::start(redis(&home)).await;
        let postgres = Process::start(postgres(&home)).await;
        let common = [
            ("NATS__URLS", format!("[{}]", urls.join(","))),
            ("NATS__REPLICAS", "3".into()),
            ("REDIS__URL", format!("redis://127.0.0.1:{}", redis.recipe.port)),
            ("POSTGRES__URL", format!("postgres://barrage@127.0.0.1:{}/postgres", postgres.recipe.port)),
            ("UPLINK__LIMITS__ADDRESS_PER_S", "1000000".into()),
            ("UPLINK__LIMITS__USER_PER_S", "1000000".into()),
            ("UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S", "1000000".into()),
            ("ENTRY__ADDRESS_PER_S", "1000000".into()),
            ("LOG__FILTER", std::env::var("FAULT_LOG").unwrap_or_else(|_| "info".into())),
        ];
        let common = common.map(|(name, value)| (format!("BARRAGE_{name}"), value));
        processes.extend([redis, postgres]);
        let key: [u8; 32] = rand::random();
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let member = |role: &str, name: &str| member(&home, role, name, &key, &common);
        let (entry, uplink) = (member("entry", "entry"), member("uplink", "uplink-1"));
        let url = |recipe: &Recipe| format!("http://127.0.0.1:{}", recipe.port);
        let (entry_url, uplink_url) = (url(&entry), url(&uplink));
        let admin = format!("http://{}", uplink.words.last().unwrap());
        let mut recipes = vec![uplink, entry, member("archiver", "archiver")];
        recipes.extend((2..=UPLINKS).map(|n| member("uplink", &format!("uplink-{n}"))));
        recipes.extend((1..=GATEWAYS).map(|n| member("gateway", &format!("gateway-{n}"))));
        for recipe in recipes {
            processes.push(Process::start(recipe).await);
        }
        let token_dir = home.join("entry");
        Site { processes, entry: entry_url, admin, uplink: uplink_url, token_dir, _folder: folder }
    }

    pub(crate) fn token(&self, user: &str, role: &str) -> String {
        let mut command = Command::new(BINARY);
        command.args(["token", "--user", user, "--room", "*", "--role", role, "--ttl-secs", "86400"]);
        let output = command.arg("--data-dir").arg(&self.token_dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Base URLs of the gateways.
    pub(crate) fn gateways(&self) -> Vec<String> {
        let gateways = self.processes.iter().filter(|process| process.recipe.name.starts_with("gateway"));
        gateways.map(|process| format!("http://127.0.0.1:{}", process.recipe.port)).collect()
    }

    /// All logs, into a folder.
    pub(crate) fn keep_logs(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for process in &self.processes {
            let file = folder.join(format!("{}.log", process.recipe.name));
            std::fs::write(file, process.recipe.log_text()).unwrap();
        }
    }

    /// The last lines of all logs, for a failed run.
    pub(crate) fn logs(&self) -> String {
        let tail = |process: &Process| {
            let text = process.recipe.log_text();
            let wanted: Vec<_> = text.lines().filter(|line| !line.contains(" INFO ")).collect();
            format!("--- {}\n{}\n", process.recipe.name, wanted[wanted.len().saturating_sub(15)..].join("\n"))
        };
        self.processes.iter().map(tail).collect()
    }
}

/// Three nodes that hold each message together, on synced files.
async fn nats(home: &Path) -> Vec<Process> {
    let routes: Vec<_> = (0..3).map(|_| format!("nats://127.0.0.1:{}", free_port())).collect();
    let program = programs::nats_server().display().to_string();
    let mut recipes = Vec::new();
    for (n, route) in routes.iter().enumerate() {
        let (name, port) = (format!("nats-{}", n + 1), free_port());
        let file = home.join(format!("{name}.conf"));
        let store = home.join(&name);
        let text = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\n\
             jetstream {{ store_dir: \"{}\", sync_interval: always }}\n\
             cluster {{ name: fault, listen: \"{}\", routes: [{}] }}\n",
            store.display(),
            route.trim_start_matches("nats://"),
            routes.join(", ")
        );
        std::fs::write(&file, text).unwrap();
        let line = vec![program.clone(), "-c".into(), file.display().to_string()];
        recipes.push(Recipe { name, words: line, environment: Vec::new(), folder: home.to_owned(), port });
    }
    let mut started = Vec::new();
    for recipe in recipes {
        started.push(Process::start(recipe).await);
    }
    started
}

fn redis(home: &Path) -> Recipe {
    let port = free_port();
    let mut line =
        words(&["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"]);
    line.push(port.to_string());
    Recipe { name: "redis".into(), words: line, environment: Vec::new(), folder: home.to_owned(), port }
}

fn postgres(home: &Path) -> Recipe {
    let (port, data) = (free_port(), home.join("postgres"));
    std::fs::create_dir(&data).unwrap();
    if programs::is_root() && std::fs::metadata(&data).unwrap().uid() == 0 {
        chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let initdb = programs::postgres("initdb");
    let made = Command::new(&initdb[0])
        .args(&initdb[1..])
        .args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
            "--auth=trust",
            "--username=barrage",
            "--pgdata",
        ])
        .arg(&data)
        .current_dir(&data)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let mut line = programs::postgres("postgres");
    line.extend(["-D".into(), data.display().to_string(), "-p".into(), port.to_string()]);
    line.extend(["-k".into(), data.display().to_string()]);
    line.extend(words(&["-c", "listen_addresses=127.0.0.1"]));
    Recipe { name: "postgres".into(), words: line, environment: Vec::new(), folder: home.to_owned(), port }
}

/// One process of Barrage; the admin address stands last.
fn member(home: &Path, role: &str, name: &str, key: &str, common: &[(String, String)]) -> Recipe {
    let data = home.join(name);
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("token.key"), key).unwrap();
    let (port, admin) = (free_port(), free_port());
    let mut line = words(&[BINARY, role, "--data-dir"]);
    line.push(data.display().to_string());
    if role != "archiver" {
        line.extend(["--listen".into(), format!("127.0.0.1:{port}")]);
    }
    line.extend(["--admin-listen".into(), format!("127.0.0.1:{admin}")]);
    let mut environment = common.to_vec();
    environment.push((format!("BARRAGE_{}__ID", role.to_uppercase()), name.to_owned()));
    environment
        .retain(|(variable, _)| !matches!(variable.as_str(), "BARRAGE_ENTRY__ID" | "BARRAGE_ARCHIVER__ID"));
    let port = if role == "archiver" { admin } else { port };
    Recipe { name: name.to_owned(), words: line, environment, folder: home.to_owned(), port }
}
