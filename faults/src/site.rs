//! The platform as processes: one embedded server, or a cluster on real NATS, Redis and PostgreSQL.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::{nats, postgres, redis};

use crate::run::Run;

/// Name of the process of an embedded site.
pub const EMBEDDED: &str = "barrage";

/// Limits that are out of the way, because the writer posts faster than people.
const UNLIMITED: [&str; 5] = [
    "UPLINK__LIMITS__ADDRESS_PER_S",
    "UPLINK__LIMITS__USER_PER_S",
    "UPLINK__LIMITS__PLATFORM_PER_S",
    "UPLINK__LIMITS__ROOM_DISPLAY_CHAT_PER_S",
    "ENTRY__ADDRESS_PER_S",
];

/// Change of one process: a program before its own, and variables of its environment.
#[derive(Debug, Clone, Default)]
pub struct Wrap {
    /// Another server binary, such as one of an older version.
    pub binary: Option<PathBuf>,
    /// Words before the command line, such as `prlimit --nofile=256`.
    pub before: Vec<String>,
    /// Variables that the process gets in addition.
    pub environment: Vec<(String, String)>,
}

/// Processes to start, and their settings.
#[derive(Debug, Clone)]
pub struct SiteOptions {
    /// Number of gateways; 0 for one embedded server.
    pub gateways: usize,
    /// Number of uplinks of a cluster.
    pub uplinks: usize,
    /// Number of couriers of a cluster; letters are on where there is one.
    pub couriers: usize,
    /// Number of NATS nodes of a cluster: 1, or 3 with replicated streams.
    pub nats: usize,
    /// Settings of all processes of Barrage, named without the prefix `BARRAGE_`.
    pub settings: Vec<(String, String)>,
    /// Changes by name of the process.
    pub wraps: Vec<(String, Wrap)>,
    /// Addresses of loopback by which some processes reach the single NATS node, by name of the process.
    pub nats_ways: Vec<(String, Ipv4Addr)>,
    /// Folder of the embedded server's data; a temporary one when absent.
    pub data_dir: Option<PathBuf>,
}

impl SiteOptions {
    /// One server process with everything inside.
    #[must_use]
    pub fn embedded() -> Self {
        SiteOptions {
            gateways: 0,
            uplinks: 0,
            couriers: 0,
            nats: 0,
            settings: Vec::new(),
            wraps: Vec::new(),
            nats_ways: Vec::new(),
            data_dir: None,
        }
    }

    /// A cluster with two uplinks on one NATS server.
    #[must_use]
    pub fn cluster(gateways: usize) -> Self {
        SiteOptions { gateways, uplinks: 2, nats: 1, ..SiteOptions::embedded() }
    }

    /// Adds a setting of all processes, named without the prefix `BARRAGE_`.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes how one process starts.
    #[must_use]
    pub fn wrap(mut self, process: &str, wrap: Wrap) -> Self {
        self.wraps.push((process.to_owned(), wrap));
        self
    }
}

/// Started processes, and the URLs that clients call.
#[derive(Debug)]
pub struct Site {
    /// All processes, servers of others first.
    pub processes: Vec<Process>,
    /// Base URL of entry.
    pub entry: String,
    /// Base URL of the first uplink.
    pub uplink: String,
    /// Admin listeners by name of the process; the first one serves the admin API of an uplink.
    pub admins: Vec<(String, SocketAddr)>,
    binary: PathBuf,
    token_dir: PathBuf,
    folder: tempfile::TempDir,
}

impl Site {
    /// Starts all processes, the servers of others first.
    pub async fn start(run: &Run, options: &SiteOptions) -> Site {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user and must reach its own folder inside.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let home = folder.path().to_owned();
        let mut site = Site {
            processes: Vec::new(),
            entry: String::new(),
            uplink: String::new(),
            admins: Vec::new(),
            binary: run.binary.clone(),
            token_dir: home.join("entry"),
            folder,
        };
        let mut settings = UNLIMITED.map(|name| (name.to_owned(), "1000000".to_owned())).to_vec();
        settings.push(("LOG__FILTER".into(), std::env::var("FAULT_LOG").unwrap_or_else(|_| "info".into())));
        if options.gateways > 0 {
            settings.extend(site.start_servers(options.nats).await);
        }
        if options.couriers > 0 {
            settings.push(("INBOX__ENABLED".into(), "true".into()));
        }
        settings.extend(options.settings.iter().cloned());
        for recipe in site.recipes(options, &settings) {
            site.processes.push(Process::start(recipe).await);
        }
        site
    }

    /// Starts NATS, Redis and PostgreSQL. Returns the settings that name them.
    async fn start_servers(&mut self, nats: usize) -> [(String, String); 4] {
        let home = self.folder.path().to_owned();
        self.processes = start_nats(&home, nats).await;
        let url = |nats: &Process| format!("\"nats://127.0.0.1:{}\"", nats.recipe.address.port());
        let urls: Vec<_> = self.processes.iter().map(url).collect();
        let redis = Process::start(redis::recipe(&home, free_address())).await;
        let postgres = start_postgres(&home).await;
        let (redis_at, postgres_at) = (redis.recipe.address, postgres.recipe.address);
        self.processes.extend([redis, postgres]);
        let database = format!("postgres://barrage:{}@{postgres_at}/postgres", postgres::PASSWORD);
        [
            ("NATS__URLS".into(), format!("[{}]", urls.join(","))),
            ("NATS__REPLICAS".into(), nats.to_string()),
            ("REDIS__URL".into(), format!("redis://{redis_at}")),
            ("POSTGRES__URL".into(), database),
        ]
    }

    /// Recipes of the processes of Barrage; sets the URLs of the site.
    fn recipes(&mut self, options: &SiteOptions, settings: &[(String, String)]) -> Vec<Recipe> {
        let mut roles = Vec::new();
        if options.gateways == 0 {
            roles.push(("up", EMBEDDED.to_owned()));
            self.token_dir = options.data_dir.clone().unwrap_or_else(|| self.folder.path().join(EMBEDDED));
        } else {
            roles.extend([("uplink", "uplink-1".to_owned()), ("entry", "entry".into())]);
            roles.push(("archiver", "archiver".into()));
            roles.extend((2..=options.uplinks).map(|n| ("uplink", format!("uplink-{n}"))));
            roles.extend((1..=options.gateways).map(|n| ("gateway", format!("gateway-{n}"))));
            roles.extend((1..=options.couriers).map(|n| ("courier", format!("courier-{n}"))));
        }
        let key: [u8; 32] = rand::random();
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut recipes = Vec::new();
        for (role, name) in roles {
            let data = if role == "up" { self.token_dir.clone() } else { self.folder.path().join(&name) };
            let (mut recipe, admin) = member(&self.binary, self.folder.path(), role, &name, &data, &key);
            recipe
                .environment
                .extend(settings.iter().map(|(name, value)| (format!("BARRAGE_{name}"), value.clone())));
            for (_, wrap) in options.wraps.iter().filter(|(process, _)| *process == name) {
                if let Some(binary) = &wrap.binary {
                    recipe.command[0] = binary.display().to_string();
                }
                recipe.command.splice(0..0, wrap.before.iter().cloned());
                recipe.environment.extend(wrap.environment.iter().cloned());
            }
            for (_, way) in options.nats_ways.iter().filter(|(process, _)| *process == name) {
                let port = self.processes[0].recipe.address.port();
                let urls = format!("[\"nats://{way}:{port}\"]");
                recipe.environment.push(("BARRAGE_NATS__URLS".into(), urls));
            }
            let url = format!("http://{}", recipe.address);
            match role {
                "up" => (self.entry, self.uplink) = (url.clone(), url),
                "entry" => self.entry = url,
                "uplink" if name == "uplink-1" => self.uplink = url,
                _ => {}
            }
            self.admins.push((name, admin));
            recipes.push(recipe);
        }
        recipes
    }

    /// Mints a token for all rooms, valid for a day.
    #[must_use]
    pub fn token(&self, user: &str, role: &str) -> String {
        let mut command = Command::new(&self.binary);
        command.args(["token", "--user", user, "--room", "*", "--role", role, "--ttl-secs", "86400"]);
        let output = command.arg("--data-dir").arg(&self.token_dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Returns a process by its name.
    pub fn process(&mut self, name: &str) -> &mut Process {
        let process = self.processes.iter_mut().find(|process| process.recipe.name == name);
        process.unwrap_or_else(|| panic!("the site has no {name}"))
    }

    /// Base URLs of what serves viewers: the gateways, or the embedded server.
    #[must_use]
    pub fn gateways(&self) -> Vec<String> {
        let serves = |process: &&Process| {
            process.recipe.name.starts_with("gateway") || process.recipe.name == EMBEDDED
        };
        let gateways = self.processes.iter().filter(serves);
        gateways.map(|process| format!("http://{}", process.recipe.address)).collect()
    }

    /// Base URLs of what takes posts and letters: the uplinks, or the embedded server.
    #[must_use]
    pub fn uplinks(&self) -> Vec<String> {
        let takes =
            |process: &&Process| process.recipe.name.starts_with("uplink") || process.recipe.name == EMBEDDED;
        let uplinks = self.processes.iter().filter(takes);
        uplinks.map(|process| format!("http://{}", process.recipe.address)).collect()
    }

    /// Base URL of the admin API of the first uplink.
    #[must_use]
    pub fn admin(&self) -> String {
        format!("http://{}", self.admins[0].1)
    }

    /// Copies all logs to a folder.
    pub fn keep_logs(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for process in &self.processes {
            let file = folder.join(format!("{}.log", process.recipe.name));
            std::fs::write(file, process.recipe.log_text()).unwrap();
        }
    }

    /// Number of panics in the logs of all processes.
    #[must_use]
    pub fn panics(&self) -> u64 {
        let panics = |process: &Process| process.recipe.log_text().matches("panicked at").count() as u64;
        self.processes.iter().map(panics).sum()
    }

    /// Returns the last warnings and errors of all logs, for a failed run.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |process: &Process| {
            let text = process.recipe.log_text();
            let lines: Vec<_> = text.lines().filter(|line| !line.contains(" INFO ")).collect();
            format!("--- {}\n{}\n", process.recipe.name, lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        self.processes.iter().map(tail).collect()
    }
}

/// Starts nodes that replicate each message and sync each write. A single node listens on all of
/// loopback, so that a process can reach it by an address of its own.
async fn start_nats(home: &Path, nodes: usize) -> Vec<Process> {
    let file = home.join("nats.conf");
    std::fs::write(&file, "jetstream { sync_interval: always, max_file_store: 1TB }\n").unwrap();
    let file = file.display().to_string();
    if nodes == 1 {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, free_address().port()));
        let words = vec!["-c".to_owned(), file];
        return vec![Process::start(nats::recipe("nats-1", home, address, words)).await];
    }
    let links: Vec<_> = (0..nodes).map(|_| format!("nats://{}", free_address())).collect();
    let routes = links.join(",");
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

/// Returns the recipe of one process of Barrage, and its admin address.
fn member(
    binary: &Path,
    home: &Path,
    role: &str,
    name: &str,
    data: &Path,
    key: &str,
) -> (Recipe, SocketAddr) {
    std::fs::create_dir_all(data).unwrap();
    std::fs::write(data.join("token.key"), key).unwrap();
    let (public, admin) = (free_address(), free_address());
    let words = [&binary.display().to_string(), role, "--data-dir", &data.display().to_string()];
    let mut command: Vec<String> = words.map(str::to_owned).to_vec();
    let has_public = !matches!(role, "archiver" | "courier");
    if has_public {
        command.extend(["--listen".into(), public.to_string()]);
    }
    command.extend(["--admin-listen".into(), admin.to_string()]);
    let mut environment = Vec::new();
    if role == "gateway" || role == "uplink" {
        environment.push((format!("BARRAGE_{}__ID", role.to_uppercase()), name.to_owned()));
    }
    let address = if has_public { public } else { admin };
    (Recipe { name: name.to_owned(), command, environment, folder: home.to_owned(), address }, admin)
}
