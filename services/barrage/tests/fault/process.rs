//! A process of the fleet that can be killed, stopped and started again.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Longest wait for a start.
const PATIENCE: Duration = Duration::from_secs(30);

/// How it is started, each time the same.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folder: std::path::PathBuf,
    /// Takes connections when it is up.
    pub(crate) port: u16,
}

impl Recipe {
    fn log_file(&self) -> std::path::PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// What it said so far.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

/// One that was started.
pub(crate) struct Process {
    pub(crate) recipe: Recipe,
    child: Child,
}

impl Process {
    pub(crate) async fn start(recipe: Recipe) -> Process {
        let child = spawn(&recipe);
        let mut process = Process { recipe, child };
        process.ready().await;
        process
    }

    /// Its own id and its children's.
    async fn ids(&self) -> Vec<String> {
        let Some(id) = self.child.id() else { return Vec::new() };
        let found =
            Command::new("pgrep").args(["-P", &id.to_string()]).output().await.expect("`pgrep` of procps");
        let children = String::from_utf8(found.stdout).unwrap();
        std::iter::once(id.to_string()).chain(children.lines().map(str::to_owned)).collect()
    }

    pub(crate) async fn signal(&self, name: &str) {
        let ids = self.ids().await;
        drop(Command::new("kill").arg(format!("-{name}")).args(ids).stderr(Stdio::null()).status().await);
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.signal("KILL").await;
        self.child.wait().await.unwrap();
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) async fn terminate(&mut self) -> bool {
        let id = self.child.id().unwrap().to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        let status = tokio::time::timeout(PATIENCE * 5, self.child.wait()).await.expect("it does not end");
        status.unwrap().signal().is_none()
    }

    pub(crate) async fn start_again(&mut self) {
        for _ in 0..100 {
            self.child = spawn(&self.recipe);
            if self.is_up().await {
                return;
            }
        }
        panic!("{} does not start again:\n{}", self.recipe.name, self.recipe.log_text());
    }

    async fn ready(&mut self) {
        assert!(self.is_up().await, "{} does not start:\n{}", self.recipe.name, self.recipe.log_text());
    }

    /// False when it ended instead.
    async fn is_up(&mut self) -> bool {
        let up = async {
            loop {
                if TcpStream::connect(("127.0.0.1", self.recipe.port)).await.is_ok() {
                    return true;
                }
                if self.child.try_wait().unwrap().is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let up = tokio::time::timeout(PATIENCE, up).await.unwrap_or(false);
        if !up {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        up
    }
}

fn spawn(recipe: &Recipe) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(recipe.log_file()).unwrap();
    Command::new(&recipe.words[0])
        .args(&recipe.words[1..])
        .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", recipe.words[0]))
}
