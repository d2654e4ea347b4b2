//! The worker processes: this program, started again.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::error::LoadtestError;
use crate::plan::{FromWorker, Plan, ToWorker};

/// Lines of workers in the queue; further lines wait in their pipes.
const LINES_MAX: usize = 64;

/// All workers. Dropping the value kills them.
pub(crate) struct Crew {
    /// Kept because dropping a child kills it.
    _children: Vec<Child>,
    inputs: Vec<ChildStdin>,
    messages: mpsc::Receiver<Result<FromWorker, LoadtestError>>,
}

impl Crew {
    /// Starts the worker processes of a plan, and sends each the plan with its own number.
    pub(crate) async fn start(plan: &Plan) -> Result<Self, LoadtestError> {
        let program = std::env::current_exe()
            .map_err(|error| LoadtestError::cannot_run("the path of this program is unknown", error))?;
        let (sender, messages) = mpsc::channel(LINES_MAX);
        let (mut children, mut inputs) = (Vec::new(), Vec::new());
        for worker in 0..plan.workers {
            let mut child = Command::new(&program)
                .arg("worker")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                // Ctrl-C goes to this process alone, which then ends the workers in order.
                .process_group(0)
                .kill_on_drop(true)
                .spawn()
                .map_err(|error| LoadtestError::cannot_run("a worker cannot be started", error))?;
            let (mut input, output) = child.stdin.take().zip(child.stdout.take()).expect("both are piped");
            tokio::spawn(read_messages(output, sender.clone()));
            children.push(child);
            let plan = line(&ToWorker::Plan(Box::new(Plan { worker, ..plan.clone() })));
            input
                .write_all(&plan)
                .await
                .map_err(|error| LoadtestError::cannot_run("a worker did not read its plan", error))?;
            inputs.push(input);
        }
        Ok(Crew { _children: children, inputs, messages })
    }

    /// Returns the next message of any worker.
    pub(crate) async fn next(&mut self) -> Result<FromWorker, LoadtestError> {
        self.messages.recv().await.unwrap_or_else(|| Err(LoadtestError::cannot("all workers have ended")))
    }

    /// Sends a message to all workers. A worker that does not read it fails the run.
    pub(crate) async fn send(&mut self, message: &ToWorker) -> Result<(), LoadtestError> {
        let line = line(message);
        for input in &mut self.inputs {
            input
                .write_all(&line)
                .await
                .map_err(|error| LoadtestError::cannot_run("a worker does not read messages", error))?;
        }
        Ok(())
    }
}

fn line(message: &ToWorker) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plans are plain data");
    line.push(b'\n');
    line
}

async fn read_messages(output: ChildStdout, messages: mpsc::Sender<Result<FromWorker, LoadtestError>>) {
    let mut lines = BufReader::new(output).lines();
    let mut finished = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let parsed = serde_json::from_str::<FromWorker>(&line)
            .map_err(|error| LoadtestError::cannot_run("a worker tells nonsense", error));
        finished = matches!(parsed, Ok(FromWorker::Balance(_) | FromWorker::Failed(_)));
        if messages.send(parsed).await.is_err() {
            return;
        }
    }
    if !finished {
        drop(messages.send(Err(LoadtestError::cannot("a worker ended before the run did"))).await);
    }
}
