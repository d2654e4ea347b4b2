//! The whole platform as processes: three NATS nodes, Redis, PostgreSQL, entry, archiver, gateways
//! and uplinks.

use std::path::{Path, PathBuf};
use std::process::Command;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::{nats, postgres, redis};

use crate::support::BINARY;

pub(crate) const GATEWAYS: usize = 3;
pub(crate) const UPLINKS: usize = 2;

/// All processes, and the URLs that tests call.
pub(crate) struct Site {
    pub(crate) processes: Vec<Process>,
    /// Base URL of entry.
    pub(crate) entry: String,
    /// Base URL of the admin API of the first uplink.
    pub(crate) admin: String,
    /// Base URL of the first uplink.
    pub(crate) uplink: String,
    token_dir: PathBuf,
    _folder: tempfile::TempDir,
}

impl Site {
    /// Starts all processes, the servers first.
    pub(crate) async fn start() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        // PostgreSQL runs as another user and must reach its own folder inside.
        std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut processes = start_nats(&home).await;
        let urls: Vec<_> =
            processes.iter().map(|nats| format!("\"nats://{}\"", nats.recipe.address)).collect();
        let redis = Process::start(redis::recipe(&home, free_address())).await;
        let postgres = start_postgres(&home).await;
        let postgres_url =
            format!("postgres://barrage:{}@{}/postgres", postgres::PASSWORD, postgres.recipe.address);
        let common = [
            ("NATS__URLS", format!("[{}]", urls.join(","))),
            ("NATS__REPLICAS", "3".into()),
            ("REDIS__URL", format!("redis://{}", redis.recipe.address)),
            ("POSTGRES__URL", postgres_url),
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
        let url = |recipe: &Recipe| format!("http://{}", recipe.address);
        let (entry_url, uplink_url) = (url(&entry), url(&uplink));
        let admin = format!("http://{}", uplink.command.last().unwrap());
        let mut recipes = vec![uplink, entry, member("archiver", "archiver")];
        recipes.extend((2..=UPLINKS).map(|n| member("uplink", &format!("uplink-{n}"))));
        recipes.extend((1..=GATEWAYS).map(|n| member("gateway", &format!("gateway-{n}"))));
        for recipe in recipes {
            processes.push(Process::start(recipe).await);
        }
        let token_dir = home.join("entry");
        Site { processes, entry: entry_url, admin, uplink: uplink_url, token_dir, _folder: folder }
    }

    /// Mints a token for all rooms, valid for a day.
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
        gateways.map(|process| format!("http://{}", process.recipe.address)).collect()
    }

    /// Copies all logs to a folder.
    pub(crate) fn keep_logs(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for process in &self.processes {
            let file = folder.join(format!("{}.log", process.recipe.name));
            std::fs::write(file, process.recipe.log_text()).unwrap();
        }
    }

    /// Returns the last warnings and errors of all logs, for a failed run.
    pub(crate) fn logs(&self) -> String {
        let tail = |process: &Process| {
            let text = process.recipe.log_text();
            let lines: Vec<_> = text.lines().filter(|line| !line.contains(" INFO ")).collect();
            format!("--- {}\n{}\n", process.recipe.name, lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        self.processes.iter().map(tail).collect()
    }
}

/// Starts three nodes that replicate each message and sync each write.
async fn start_nats(home: &Path) -> Vec<Process> {
    let file = home.join("nats.conf");
    std::fs::write(&file, "jetstream { sync_interval: always }\n").unwrap();
    let links: Vec<_> = (0..3).map(|_| format!("nats://{}", free_address())).collect();
    let (file, routes) = (file.display().to_string(), links.join(","));
    let recipe = |(n, link): (usize, &String)| {
        let name = format!("nats-{}", n + 1);
        let words =
            ["-c", &file, "-n", &name, "-cluster_name", "fault", "-cluster", link, "-routes", &routes];
        nats::recipe(&name, home, free_address(), words.map(str::to_owned).to_vec())
    };
    let recipes: Vec<_> = links.iter().enumerate().map(recipe).collect();
    let mut started = Vec::new();
    for recipe in recipes {
        started.push(Process::start(recipe).await);
    }
    started
}

async fn start_postgres(home: &Path) -> Process {
    let folder = home.join("postgres");
    std::fs::create_dir(&folder).unwrap();
    postgres::give_to_server(&folder);
    postgres::initialise(&folder);
    Process::start(postgres::recipe(&folder, free_address())).await
}

/// Returns the recipe of one process of Barrage. The admin address is the last argument.
fn member(home: &Path, role: &str, name: &str, key: &str, common: &[(String, String)]) -> Recipe {
    let data = home.join(name);
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("token.key"), key).unwrap();
    let (public, admin) = (free_address(), free_address());
    let mut command: Vec<String> = [BINARY, role, "--data-dir"].map(str::to_owned).to_vec();
    command.push(data.display().to_string());
    if role != "archiver" {
        command.extend(["--listen".into(), public.to_string()]);
    }
    command.extend(["--admin-listen".into(), admin.to_string()]);
    let mut environment = common.to_vec();
    if role == "gateway" || role == "uplink" {
        environment.push((format!("BARRAGE_{}__ID", role.to_uppercase()), name.to_owned()));
    }
    let address = if role == "archiver" { admin } else { public };
    Recipe { name: name.to_owned(), command, environment, folder: home.to_owned(), address }
}
