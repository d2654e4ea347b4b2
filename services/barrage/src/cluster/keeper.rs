//! Keeps the processes of a fleet running: restarts a process that ends, and ends all processes
//! together with this one, however this one ends.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::member::Member;
use crate::ready::ReadyLine;

/// Longest wait for the ready line of a process.
const START_MAX: Duration = Duration::from_secs(20);
/// Longest wait for the end of a process; then the process is killed.
const END_MAX: Duration = Duration::from_secs(15);
/// Pause between an end and the first restart; doubled with each restart.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Maximum pause before a restart; doubling stops there.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Run time after which the pause is reset.
const STABLE_RUN: Duration = Duration::from_secs(60);

/// Addresses of a started member. A restart keeps them.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) public: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    /// Token that ends the member when it is cancelled.
    pub(crate) end: CancellationToken,
}

/// Owner of all processes of the fleet.
pub(crate) struct Keeper {
    log_dir: PathBuf,
    /// Members, which end before the servers that they use.
    members: TaskTracker,
    servers: TaskTracker,
    members_end: CancellationToken,
    servers_end: CancellationToken,
}

impl Keeper {
    /// Creates a keeper without processes, and the folder for their logs.
    pub(crate) fn new(log_dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(log_dir)
            .with_context(|| format!("{} cannot be created", log_dir.display()))?;
        Ok(Keeper {
            log_dir: log_dir.to_owned(),
            members: TaskTracker::new(),
            servers: TaskTracker::new(),
            members_end: CancellationToken::new(),
            servers_end: CancellationToken::new(),
        })
    }

    /// Starts a member and waits for its ready line.
    pub(crate) async fn start(&self, member: anyhow::Result<Member>) -> anyhow::Result<Running> {
        let mut member = member?;
        let log = self.log_file(&member.name)?;
        let (child, mut running) = start_member(&member, &log).await?;
        running.end = self.members_end.child_token();
        member.public.clone_from(&running.public);
        member.admin = running.admin;
        self.members.spawn(keep(Recipe::Member { member, log }, child, running.end.clone()));
        Ok(running)
    }

    /// Starts NATS or Redis without a wait; the caller waits for connections.
    pub(crate) async fn start_server(
        &self,
        name: &'static str,
        program: &Path,
        arguments: Vec<String>,
    ) -> anyhow::Result<()> {
        let log = self.log_file(name)?;
        let server = Recipe::Server { name, program: program.to_owned(), arguments, log };
        let child = server.start().await?;
        self.servers.spawn(keep(server, child, self.servers_end.clone()));
        Ok(())
    }

    /// Creates the log file of a process. The file has no size limit: processes log at `info`, a line
    /// for each event, and each start of the fleet truncates the file.
    fn log_file(&self, name: &str) -> anyhow::Result<File> {
        let path = self.log_dir.join(format!("{name}.log"));
        File::create(&path).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Returns the folder of the members' log files.
    pub(crate) fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// Ends all processes, the members first, and waits for their ends.
    pub(crate) async fn end(&self) {
        self.members_end.cancel();
        self.members.close();
        self.members.wait().await;
        self.servers_end.cancel();
        self.servers.close();
        self.servers.wait().await;
    }
}

/// Instructions for the start of a process, used again for each restart.
enum Recipe {
    Member { member: Member, log: File },
    Server { name: &'static str, program: PathBuf, arguments: Vec<String>, log: File },
}

impl Recipe {
    fn name(&self) -> &str {
        match self {
            Recipe::Member { member, .. } => &member.name,
            Recipe::Server { name, .. } => name,
        }
    }

    async fn start(&self) -> anyhow::Result<Child> {
        match self {
            Recipe::Member { member, log } => Ok(start_member(member, log).await?.0),
            Recipe::Server { program, arguments, log, .. } => start_server(program, arguments, log),
        }
    }
}

/// Restarts a process each time it ends, until `end` is cancelled.
async fn keep(recipe: Recipe, mut child: Child, end: CancellationToken) {
    let name = recipe.name();
    let mut pause = RESTART_PAUSE;
    loop {
        let started = Instant::now();
        // `wait` closes standard input, and a member stops at its end.
        let stdin = child.stdin.take();
        tokio::select! {
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                tracing::warn!(name, status, "a process of the fleet ended and will be restarted");
            }
            () = end.cancelled() => {
                drop(stdin);
                return finish(name, child).await;
            }
        }
        if started.elapsed() > STABLE_RUN {
            pause = RESTART_PAUSE;
        }
        child = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = end.cancelled() => return,
            }
            pause = (pause * 2).min(RESTART_PAUSE_MAX);
            match recipe.start().await {
                Ok(child) => break child,
                Err(error) => tracing::warn!(
                    name,
                    error = format!("{error:#}"),
                    "a process of the fleet cannot be restarted"
                ),
            }
        };
    }
}

/// Waits for the end of a process that was asked to stop; kills a slow one.
async fn finish(name: &str, mut child: Child) {
    if tokio::time::timeout(END_MAX, child.wait()).await.is_err() {
        tracing::warn!(name, "a process of the fleet did not end in time and is killed");
        drop(child.kill().await);
    }
}

/// Starts a member and reads its ready line.
async fn start_member(member: &Member, log: &File) -> anyhow::Result<(Child, Running)> {
    let mut child = Command::new(&member.program)
        .args(member.command_line())
        .envs(member.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        // Ctrl-C must reach this process alone, which ends the others in order.
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(log.try_clone()?)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", member.name))?;
    let mut stdout = BufReader::new(child.stdout.take().context("standard output is not a pipe")?);
    let mut line = String::new();
    match tokio::time::timeout(START_MAX, stdout.read_line(&mut line)).await {
        Ok(read) => read?,
        Err(_) => bail!("{} was not ready within {} s: see its log", member.name, START_MAX.as_secs()),
    };
    if line.is_empty() {
        bail!("{} ended before it was ready: see its log", member.name);
    }
    let ready: ReadyLine = serde_json::from_str(&line)
        .with_context(|| format!("the ready line of {} is not readable: {line:?}", member.name))?;
    let end = CancellationToken::new();
    Ok((child, Running { name: member.name.clone(), public: ready.public, admin: ready.admin, end }))
}

/// Shell script around a server: ends the server when standard input ends, which happens when this
/// process ends.
const WATCHED: &str = r#"exec 3<&0; "$@" & p=$!; (cat <&3 >/dev/null; kill $p) & wait $p"#;

fn start_server(program: &Path, arguments: &[String], log: &File) -> anyhow::Result<Child> {
    Command::new("sh")
        .args(["-c", WATCHED, "sh"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        // Ctrl-C must reach this process alone, which ends the others in order.
        .process_group(0)
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))
}
