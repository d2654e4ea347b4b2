//! compose.yaml as `docker-compose config` prints it: anchors, defaults and paths are resolved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use barrage_testkit::programs;
use serde::Deserialize;

/// The services of compose.yaml by name.
#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub(super) services: BTreeMap<String, Service>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) image: String,
    pub(super) command: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) volumes: Vec<Mount>,
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, Dependency>,
    #[serde(default)]
    pub(super) ports: Vec<Port>,
    #[serde(default)]
    pub(super) networks: BTreeMap<String, Option<Network>>,
    #[serde(default)]
    pub(super) read_only: bool,
    #[serde(default)]
    pub(super) cap_drop: Vec<String>,
    pub(super) stop_grace_period: Option<String>,
    /// Names by which a start asks for the service; without one it is always there.
    #[serde(default)]
    pub(super) profiles: Vec<String>,
}

/// A file, a folder or a named volume of a service.
#[derive(Debug, Deserialize)]
pub(super) struct Mount {
    /// Path on this machine, or name of a volume.
    pub(super) source: String,
    pub(super) target: PathBuf,
    #[serde(default)]
    pub(super) read_only: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) condition: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Port {
    pub(super) host_ip: Option<String>,
    pub(super) target: u16,
    pub(super) published: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Network {
    #[serde(default)]
    pub(super) aliases: Vec<String>,
}

impl Project {
    /// Reads the compose.yaml of the repository. `None`, with a printed reason, without the parser.
    pub(super) fn read() -> Option<Project> {
        let Some(compose) = programs::tool("docker-compose/compose/docker-compose") else {
            eprintln!("skipped: docker-compose is not installed (`cargo xtask setup`)");
            return None;
        };
        let mut command = std::process::Command::new(compose);
        command.args(["--file", "compose.yaml", "--profile", "*", "config", "--format", "json"]);
        let output = command.current_dir(repository()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Services that run `barrage`.
    pub(super) fn barrages(&self) -> impl Iterator<Item = (&String, &Service)> {
        self.services.iter().filter(|(_, service)| service.is_barrage())
    }
}

impl Service {
    /// Whether the service runs the image of the Dockerfile with its own entrypoint, `barrage`.
    pub(super) fn is_barrage(&self) -> bool {
        self.image == "barrage" && self.entrypoint.is_none()
    }

    /// Names by which other services reach this one, besides its own.
    pub(super) fn aliases(&self) -> impl Iterator<Item = &String> {
        self.networks.values().flatten().flat_map(|network| &network.aliases)
    }

    /// Returns the arguments of the service's program.
    pub(super) fn arguments(&self) -> &[String] {
        self.command.as_deref().unwrap_or_default()
    }

    /// Port of a flag such as `--admin-listen 0.0.0.0:8081`.
    pub(super) fn port_of(&self, flag: &str) -> Option<u16> {
        let at = self.arguments().iter().position(|word| word == flag)?;
        self.arguments().get(at + 1)?.rsplit(':').next()?.parse().ok()
    }
}

/// Returns the root of the repository.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
