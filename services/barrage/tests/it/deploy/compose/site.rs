//! Runs the services of compose.yaml as processes of this machine, on loopback.
//!
//! Each service gets a folder that stands for its file system. A read-only mount is copied there, with
//! the names and ports of services replaced by addresses of loopback; a volume is a link.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use barrage_testkit::postgres;
use barrage_testkit::process::{Process, Recipe, free_address};
use barrage_testkit::programs;

use super::model::{Mount, Project, Service};
use crate::support::BINARY;

/// Running services, which are killed when the value is dropped.
pub(super) struct Site {
    pub(super) project: Project,
    folder: tempfile::TempDir,
    /// Address that stands for a port of a service.
    addresses: BTreeMap<(String, u16), SocketAddr>,
    processes: BTreeMap<String, Process>,
}

impl Site {
    pub(super) fn new(project: Project) -> Site {
        let folder = tempfile::tempdir().unwrap();
        postgres::give_to_server(folder.path());
        Site { project, folder, addresses: BTreeMap::new(), processes: BTreeMap::new() }
    }

    /// Returns the address that stands for a port of a service.
    pub(super) fn address(&mut self, service: &str, port: u16) -> SocketAddr {
        let key = (service.to_owned(), port);
        if let Some(known) = self.addresses.get(&key) {
            return *known;
        }
        // The kernel may name a free port twice until somebody listens on it.
        let given: BTreeSet<_> = self.addresses.values().copied().collect();
        let address = std::iter::repeat_with(free_address).find(|address| !given.contains(address));
        let address = address.expect("free ports do not end");
        self.addresses.insert(key, address);
        address
    }

    /// Folder that stands for a volume.
    pub(super) fn volume(&self, name: &str) -> PathBuf {
        self.folder.path().join("volumes").join(name)
    }

    /// Replaces each `NAME:PORT` of a service, and each path of a mount, in a text that `service` reads.
    pub(super) fn translated(&mut self, service: &str, text: &str) -> String {
        let mut names = vec![("0.0.0.0".to_owned(), service.to_owned())];
        for (name, other) in &self.project.services {
            names.push((name.clone(), name.clone()));
            names.extend(other.aliases().map(|alias| (alias.clone(), name.clone())));
        }
        // The longest first: `gateway-1.localhost` before `gateway-1`.
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let mut text = text.to_owned();
        for (name, service) in names {
            text = self.with_addresses(&text, &name, &service);
        }
        let root = self.root(service);
        let mounts = &self.project.services[service].volumes;
        mounts.iter().fold(text, |text, mount| with_path(&text, &mount.target, &below(&root, &mount.target)))
    }

    /// Replaces each `name:PORT` by an address of loopback.
    fn with_addresses(&mut self, text: &str, name: &str, service: &str) -> String {
        let searched = format!("{name}:");
        let mut parts = text.split(&searched);
        let mut found = parts.next().unwrap().to_owned();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let is_whole = !found.ends_with(|c: char| c.is_ascii_alphanumeric() || "-._".contains(c));
            match part[..digits].parse() {
                Ok(port) if is_whole => {
                    let address = self.address(service, port);
                    found.push_str(&format!("{address}{}", &part[digits..]));
                }
                _ => {
                    found.push_str(&searched);
                    found.push_str(part);
                }
            }
        }
        found
    }

    /// Folder that stands for the file system of a service.
    fn root(&self, service: &str) -> PathBuf {
        self.folder.path().join("services").join(service)
    }

    /// Makes the folders, links and files of a service's mounts.
    fn mount(&mut self, service: &str) {
        let root = self.root(service);
        std::fs::create_dir_all(&root).unwrap();
        let mounts = &self.project.services[service].volumes;
        let mounts: Vec<_> =
            mounts.iter().map(|mount| (self.source(mount), mount.target.clone(), mount.read_only)).collect();
        for (source, target, read_only) in mounts {
            let target = below(&root, &target);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            if read_only {
                self.copy(service, &source, &target);
            } else {
                std::os::unix::fs::symlink(source, target).unwrap();
            }
        }
    }

    /// Returns the place of a mount's source, and makes the folder of a volume.
    fn source(&self, mount: &Mount) -> PathBuf {
        if mount.source.starts_with('/') {
            return mount.source.clone().into();
        }
        let folder = self.volume(&mount.source);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn copy(&mut self, service: &str, from: &Path, to: &Path) {
        if from.is_dir() {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                self.copy(service, &entry.path(), &to.join(entry.file_name()));
            }
        } else {
            let text = std::fs::read_to_string(from).unwrap();
            std::fs::write(to, self.translated(service, &text)).unwrap();
        }
    }

    /// Runs the service `setup` to its end, as it is: its templates are translated for their readers.
    pub(super) fn run_setup(&mut self) {
        let mounts = &self.project.services["setup"].volumes;
        let place = |target: &str| {
            let found = mounts.iter().find(|mount| mount.target.as_os_str() == target);
            self.source(found.unwrap_or_else(|| panic!("setup has no {target}")))
        };
        let script = place("/setup").join("setup.sh");
        let secrets = mounts.iter().filter(|mount| mount.target.starts_with("/secrets"));
        let root = self.root("setup");
        for mount in secrets {
            let link = below(&root, &mount.target);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            let source = self.source(mount);
            drop(std::fs::remove_file(&link));
            std::os::unix::fs::symlink(source, link).unwrap();
        }
        let mut command = Command::new("sh");
        let output = command.arg(script).env("SECRETS", root.join("secrets")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Starts all services, each after those that it depends on. Skips those without a program here.
    pub(super) async fn start(&mut self) {
        self.run_setup();
        let mut done = vec!["setup".to_owned()];
        while done.len() < self.project.services.len() {
            let is_next = |(name, service): &(&String, &Service)| {
                !done.contains(*name) && service.depends_on.keys().all(|other| done.contains(other))
            };
            let ready: Vec<_> =
                self.project.services.iter().filter(is_next).map(|(name, _)| name.clone()).collect();
            assert!(!ready.is_empty(), "services depend on each other in a circle");
            for name in &ready {
                self.mount(name);
                if let Some(recipe) = self.recipe(name) {
                    self.processes.insert(name.clone(), Process::spawn(recipe, None));
                }
            }
            for name in ready {
                if let Some(process) = self.processes.get_mut(&name) {
                    process.ready().await;
                }
                done.push(name);
            }
        }
    }

    /// Names of the services that run.
    pub(super) fn running(&self) -> Vec<&str> {
        self.processes.keys().map(String::as_str).collect()
    }

    /// Output of a service so far.
    pub(super) fn log(&self, service: &str) -> String {
        self.processes.get(service).map(|process| process.recipe.log_text()).unwrap_or_default()
    }

    /// Names in a service's file system, except the mounts.
    pub(super) fn written(&self, service: &str) -> Vec<String> {
        let mounts = &self.project.services[service].volumes;
        let is_mount =
            |name: &String| mounts.iter().any(|mount| mount.target.starts_with(format!("/{name}")));
        let entries = std::fs::read_dir(self.root(service)).unwrap().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| !is_mount(name)).collect()
    }

    /// Environment of a service, translated.
    pub(super) fn environment(&mut self, service: &str) -> Vec<(String, String)> {
        let variables = self.project.services[service].environment.clone();
        let with_value = variables.into_iter().filter_map(|(name, value)| Some((name, value?)));
        with_value.map(|(name, value)| (name, self.translated(service, &value))).collect()
    }

    /// Returns the process of a service; `None` where its program is not on this machine.
    fn recipe(&mut self, name: &str) -> Option<Recipe> {
        let service = &self.project.services[name];
        let image = service.image.rsplit('/').next().unwrap().split(':').next().unwrap().to_owned();
        let words = service.arguments().to_vec();
        let mut arguments: Vec<_> = words.iter().map(|word| self.translated(name, word)).collect();
        let (program, address): (PathBuf, SocketAddr) = match image.as_str() {
            "barrage" => {
                let service = &self.project.services[name];
                let port = service.port_of("--admin-listen").expect("an admin listener");
                (BINARY.into(), self.address(name, port))
            }
            "nats" => (programs::nats_server(), self.address(name, 4222)),
            "redis" => {
                // A server of loopback takes the port by flag: a name and a port do not stand together in its file.
                let address = self.address(name, 6379);
                arguments.extend(
                    ["--bind", "127.0.0.1", "--port", &address.port().to_string()].map(str::to_owned),
                );
                (arguments.remove(0).into(), address)
            }
            "postgres" => return Some(self.postgres(name)),
            "prometheus" => {
                let address = self.address(name, 9090);
                arguments.push(format!("--web.listen-address={address}"));
                (programs::tool("prometheus")?, address)
            }
            other => {
                eprintln!("{name} is not started: {other} is not on this machine");
                return None;
            }
        };
        let folder = self.root(name);
        arguments.insert(0, program.display().to_string());
        let environment = self.environment(name);
        Some(Recipe { name: name.to_owned(), command: arguments, environment, folder, address })
    }

    /// A server on a new data directory with the password of the volume, as the image makes one.
    fn postgres(&mut self, name: &str) -> Recipe {
        let address = self.address(name, 5432);
        let environment: BTreeMap<_, _> = self.environment(name).into_iter().collect();
        let password = std::fs::read_to_string(&environment["POSTGRES_PASSWORD_FILE"]).unwrap();
        let folder = self.root(name);
        postgres::give_to_server(&folder);
        assert_eq!(environment["POSTGRES_USER"], "barrage");
        postgres::initialise_with(&folder, password.trim());
        create_database(&folder, &environment["POSTGRES_DB"]);
        postgres::recipe(&folder, address)
    }
}

/// Creates a database in the data directory of a stopped server.
fn create_database(folder: &Path, name: &str) {
    let words = programs::postgres("postgres");
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(["--single", "-D"]).arg(folder.join("data")).arg("postgres");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("CREATE DATABASE {name}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "the database {name} cannot be created");
}

/// Returns an absolute path below a folder that stands for the root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap())
}

/// Replaces a path where it begins a word.
fn with_path(text: &str, path: &Path, place: &Path) -> String {
    let path = path.to_str().unwrap();
    let mut parts = text.split(path);
    let mut found = parts.next().unwrap().to_owned();
    for part in parts {
        let begins = found.is_empty() || found.ends_with([' ', '"', '=', '\n', '\'']);
        let ends = part.is_empty() || part.starts_with(['/', '"', '\'', ' ', '\n', ',']);
        let text = if begins && ends { place.display().to_string() } else { path.to_owned() };
        found.push_str(&text);
        found.push_str(part);
    }
    found
}
