//! Keeps processes running: starts one again that ends, and ends all of them with this
//! process, however it ends.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::member::Member;

/// Longest wait for a process to say that it is up.
const START_MAX: Duration = Duration::from_secs(20);
/// Longest wait for a process to end; then it is killed.
const END_MAX: Duration = Duration::from_secs(15);
/// Between an end and the next start; doubled each time, until it ran for a minute.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
const LONG_RUN: Duration = Duration::from_secs(60);

/// Where a member is; it keeps its addresses when it is started again.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) public: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    /// Ends it.
    pub(crate) end: CancellationToken,
}

/// All processes.
pub(crate) struct Keeper {
    log_dir: PathBuf,
    /// Members; they end before the servers that they stand on.
    members: TaskTracker,
    servers: TaskTracker,
    members_end: CancellationToken,
    servers_end: CancellationToken,
}

impl Keeper {
    pub(crate) fn new(log_dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(log_dir).with_context(|| format!("{} cannot be made", log_dir.display()))?;
        Ok(Keeper {
            log_dir: log_dir.to_owned(),
            members: TaskTracker::new(),
            servers: TaskTracker::new(),
            members_end: CancellationToken::new(),
            servers_end: CancellationToken::new(),
        })
    }

    /// Starts a member and returns when it has said where it is.
    pub(crate) async fn start(&self, member: anyhow::Result<Member>) -> anyhow::Result<Running> {
        let mut member = member?;
        let log = self.log(&member.name)?;
        let (child, mut running) = start_member(&member, &log).await?;
        running.end = self.members_end.child_token();
        member.public.clone_from(&running.public);
        member.admin = running.admin;
        self.members.spawn(keep(Kept::Member { member, log }, child, running.end.clone()));
        Ok(running)
    }

    /// Starts a server that says nothing; the caller sees whether it answers.
    pub(crate) async fn serve(
        &self,
        name: &'static str,
        program: &Path,
        arguments: Vec<String>,
    ) -> anyhow::Result<()> {
        let log = self.log(name)?;
        let server = Kept::Server { name, program: program.to_owned(), arguments, log };
        let child = server.start().await?;
        self.servers.spawn(keep(server, child, self.servers_end.clone()));
        Ok(())
    }

    /// Begun anew with the fleet, and not bounded while it runs: the processes log at
    /// `info`, a line for each event.
    fn log(&self, name: &str) -> anyhow::Result<File> {
        let path = self.log_dir.join(format!("{name}.log"));
        File::create(&path).with_context(|| format!("{} cannot be written", path.display()))
    }

    pub(crate) fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// Ends everything, the members first.
    pub(crate) async fn end(&self) {
        self.members_end.cancel();
        self.members.close();
        self.members.wait().await;
        self.servers_end.cancel();
        self.servers.close();
        self.servers.wait().await;
    }
}

/// What is started again when it ends.
enum Kept {
    Member { member: Member, log: File },
    Server { name: &'static str, program: PathBuf, arguments: Vec<String>, log: File },
}

impl Kept {
    fn name(&self) -> &str {
        match self {
            Kept::Member { member, .. } => &member.name,
            Kept::Server { name, .. } => name,
        }
    }

    async fn start(&self) -> anyhow::Result<Child> {
        match self {
            Kept::Member { member, log } => Ok(start_member(member, log).await?.0),
            Kept::Server { program, arguments, log, .. } => start_server(program, arguments, log),
        }
    }
}

/// Waits for the child's end, and starts it again, until all is to end.
async fn keep(kept: Kept, mut child: Child, end: CancellationToken) {
    let name = kept.name();
    let mut pause = PAUSE;
    loop {
        let started = Instant::now();
        // Waiting would close it, and that asks the child to end.
        let stdin = child.stdin.take();
        tokio::select! {
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                tracing::warn!(name, status, "a process of the fleet ended; it is started again");
            }
            () = end.cancelled() => {
                drop(stdin);
                return finish(name, child).await;
            }
        }
        if started.elapsed() > LONG_RUN {
            pause = PAUSE;
        }
        child = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = end.cancelled() => return,
            }
            pause = (pause * 2).min(PAUSE_MAX);
            match kept.start().await {
                Ok(child) => break child,
                Err(error) => tracing::warn!(name, "it did not start: {error:#}"),
            }
        };
    }
}

/// It was asked to end; waits, but not for ever.
async fn finish(name: &str, mut child: Child) {
    if tokio::time::timeout(END_MAX, child.wait()).await.is_err() {
        tracing::warn!(name, "a process of the fleet did not end in time; it is killed");
        drop(child.kill().await);
    }
}

async fn start_member(member: &Member, log: &File) -> anyhow::Result<(Child, Running)> {
    let mut child = Command::new(&member.program)
        .args(member.command_line())
        .envs(member.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        // Ctrl-C is for us; they end in our order.
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(log.try_clone()?)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{} cannot be started", member.name))?;
    let stdout = child.stdout.take().context("no standard output")?;
    match tokio::time::timeout(START_MAX, announced(member, stdout)).await {
        Ok(Ok(running)) => Ok((child, running)),
        Ok(Err(error)) => Err(error),
        Err(_) => bail!("{} was not up within {} s: see its log", member.name, START_MAX.as_secs()),
    }
}

/// Reads where the process says that it is.
async fn announced(member: &Member, stdout: ChildStdout) -> anyhow::Result<Running> {
    let mut lines = BufReader::new(stdout).lines();
    let mut running = Running {
        name: member.name.clone(),
        public: Vec::new(),
        admin: member.admin,
        end: CancellationToken::new(),
    };
    while let Some(line) = lines.next_line().await? {
        let mut words = line.split_whitespace();
        let (Some(label), Some(url)) = (words.next(), words.next()) else { continue };
        let address = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()?.parse().ok());
        match (label, address) {
            ("admin", Some(address)) => running.admin = address,
            (_, Some(address)) => running.public.push(address),
            ("stop", None) => {
                // Whatever else it says must not fill the pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(running);
            }
            _ => {}
        }
    }
    bail!("{} ended before it was up: see its log", member.name)
}

/// A shell between us and a server that does not know us: it ends the server when its
/// standard input ends, which it does with this process.
const WATCHED: &str = r#"exec 3<&0; "$@" & p=$!; (cat <&3 >/dev/null; kill $p) & wait $p"#;

fn start_server(program: &Path, arguments: &[String], log: &File) -> anyhow::Result<Child> {
    Command::new("sh")
        .args(["-c", WATCHED, "sh"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::piped())
        // Ctrl-C is for us; they end in our order.
        .process_group(0)
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))
}
