//! A child process that a test kills, pauses and starts again with the same command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

pub use crate::ports::free_address;
use crate::wait;

/// Longest wait for a process to take connections, and for one to end.
const START_MAX: Duration = Duration::from_secs(30);

/// Sends a signal by its name (`KILL`, `STOP`, `CONT`, `TERM`) to processes. Returns whether at
/// least one of them still ran.
pub fn signal(name: &str, processes: impl IntoIterator<Item = impl AsRef<str>>) -> bool {
    let mut any = false;
    for process in processes {
        let sent = Command::new("kill").args(["-s", name, process.as_ref()]).stderr(Stdio::null()).status();
        any |= sent.unwrap().success();
    }
    any
}

/// Waits until a process has closed its files: it is gone, or waits for its parent without any other thread.
pub(crate) async fn ended(process: u32) {
    let has_ended = async || {
        // The state follows the name, which may have blanks and brackets of its own. It is that of the first
        // thread, which may end before others that still hold files and locks.
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let threads = std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']) && threads <= 1)
    };
    wait::until_true(START_MAX, "the end of a killed process", has_ended).await;
}

/// Ids of the direct children of a process.
#[must_use]
pub fn children(parent: &str) -> Vec<String> {
    let found = Command::new("pgrep").args(["-P", parent]).output().expect("`pgrep` of procps");
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Command line and environment of a process. Every start uses the same ones.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Name in messages, and of the log file.
    pub name: String,
    /// Program and its arguments; every start uses the same.
    pub command: Vec<String>,
    /// Environment variables that are set in addition to the test's own.
    pub environment: Vec<(String, String)>,
    /// Working directory, which also holds the log.
    pub folder: PathBuf,
    /// Accepts connections once the process has started.
    pub address: SocketAddr,
}

impl Recipe {
    fn log_file(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Returns the output of all starts so far; empty without a log.
    #[must_use]
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

/// A started process, which is killed when the value is dropped.
#[derive(Debug)]
pub struct Process {
    /// Command line and environment, used again by each restart.
    pub recipe: Recipe,
    child: Child,
    _folder: Option<TempDir>,
}

impl Process {
    /// Starts a process and waits until it accepts connections.
    pub async fn start(recipe: Recipe) -> Process {
        let mut process = Process::spawn(recipe, None);
        process.ready().await;
        process
    }

    /// Starts a process without a wait; `folder` is deleted with the process.
    #[must_use]
    pub fn spawn(recipe: Recipe, folder: Option<TempDir>) -> Process {
        // A test that starts a server is about to make plain HTTP clients.
        crate::ClientTls::make_ring_default();
        let child = spawn(&recipe);
        Process { recipe, child, _folder: folder }
    }

    /// Returns the process id of the current start.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name to the process and its children.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let children = children(&id);
        assert!(signal(name, std::iter::once(id).chain(children)), "{} is gone", self.recipe.name);
    }

    /// Stops the process and its children where they are: connections stay open and get no answer.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Continues a process and its children after a pause.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Kills the process and its children at once, as `kill -9` does.
    pub fn kill(&mut self) {
        if self.is_running() {
            self.signal("KILL");
        }
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and returns the exit status. Panics when the process runs on after `deadline`.
    pub async fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        assert!(signal("TERM", [self.id().to_string()]), "{} is gone", self.recipe.name);
        let expected = format!("the end of {}", self.recipe.name);
        wait::until(deadline, &expected, async || self.child.try_wait().unwrap()).await
    }

    /// Starts the process again on the files that it left, and waits until it accepts connections.
    /// Starts once more when the process ends at once, because its port may still be taken.
    pub async fn restart(&mut self) {
        let began = barrage_clock::now();
        while began.elapsed() < START_MAX {
            self.child = spawn(&self.recipe);
            if self.accepts().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{} does not start again:\n{}", self.recipe.name, self.recipe.log_text());
    }

    /// Whether the process is still running, without waiting for it.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until the process accepts connections; panics with its log when it ends instead.
    pub async fn ready(&mut self) {
        assert!(self.accepts().await, "{} does not start:\n{}", self.recipe.name, self.recipe.log_text());
    }

    /// Waits for the first connection. Returns `false` when the process ends or stays silent.
    async fn accepts(&mut self) -> bool {
        let accepted = async {
            loop {
                if TcpStream::connect(self.recipe.address).await.is_ok() {
                    return true;
                }
                if !self.is_running() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(START_MAX, accepted).await.unwrap_or(false)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(recipe: &Recipe) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(recipe.log_file()).unwrap();
    Command::new(&recipe.command[0])
        .args(&recipe.command[1..])
        .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&recipe.folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be started: {error}", recipe.command[0]))
}
