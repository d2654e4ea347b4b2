//! Processes of a storm: copies of this test program, killed with SIGKILL.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use barrage_bus::{Event, Log, NatsBus, RangeLimits, Topic};
use barrage_protocol::{Class, Sequence};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::task::JoinHandle;

use super::hasty;
use super::ledger::Ledger;
use crate::drafts::draft;

/// A process of its own, which writes what it does on its standard output.
pub(super) struct Child {
    process: tokio::process::Child,
    /// Reads the output to its end, so that the process never waits for a reader.
    output: JoinHandle<Vec<String>>,
}

impl Child {
    pub(super) fn start(url: &str, role: &str, name: &str, rooms: usize, rate: u64) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut process = Command::new(program)
            .args(["--ignored", "--exact", "moves::child_process", "--nocapture"])
            .envs([("MOVES_URL", url), ("MOVES_ROLE", role), ("MOVES_NAME", name)])
            .env("MOVES_ROOMS", rooms.to_string())
            .env("MOVES_RATE", rate.to_string())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = tokio::spawn(lines(process.stdout.take().unwrap()));
        Child { process, output }
    }

    /// Kills the process, and takes what it wrote into the ledger.
    pub(super) async fn kill(&mut self, ledger: &mut Ledger) {
        let ended = self.process.try_wait().unwrap();
        assert!(ended.is_none(), "a process ended by itself: {ended:?}");
        self.process.kill().await.unwrap();
        for line in (&mut self.output).await.unwrap() {
            read(&line, ledger);
        }
    }
}

/// Reads whole lines to the end; the last one may be cut, and is left out.
async fn lines(output: ChildStdout) -> Vec<String> {
    let (mut output, mut lines) = (BufReader::new(output), Vec::new());
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).await.unwrap() == 0 || !line.ends_with('\n') {
            return lines;
        }
        lines.push(line);
    }
}

fn read(line: &str, ledger: &mut Ledger) {
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["try", room, id] => ledger.tried(room, id),
        ["ok", room, id, sequence, us] => {
            ledger.accepted(room, id, Sequence(sequence.parse().unwrap()));
            ledger.took(Duration::from_micros(us.parse().unwrap()));
        }
        ["bad", ..] => panic!("{line}"),
        _ => {}
    }
}

/// Runs a role until the process is killed.
pub(super) async fn run() {
    let variable = |name: &str| std::env::var(name).ok();
    let Some(url) = variable("MOVES_URL") else { return };
    let rooms: u64 = variable("MOVES_ROOMS").unwrap().parse().unwrap();
    let bus = hasty(url).await;
    match variable("MOVES_ROLE").unwrap().as_str() {
        "poster" => {
            let rate: u64 = variable("MOVES_RATE").unwrap().parse().unwrap();
            post(bus, &variable("MOVES_NAME").unwrap(), rooms, rate).await;
        }
        "mover" => bus.move_rooms().await,
        _ => watch(bus, rooms).await,
    }
}

/// Posts gifts at a fixed rate, each in a task of its own; posts again under the same id after a failure.
async fn post(bus: Arc<NatsBus>, name: &str, rooms: u64, rate: u64) {
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / rate.max(1)));
    for n in 0_u64.. {
        ticks.tick().await;
        let (room, id) = (format!("r{}", rand::random_range(0..rooms)), format!("{name}-{n}"));
        let bus = Arc::clone(&bus);
        tokio::spawn(async move {
            println!("try {room} {id}");
            let began = barrage_clock::now();
            loop {
                match bus.publish(vec![draft(&room, "u", &id, Class::Gift)]).await {
                    Ok(receipts) => {
                        let us = began.elapsed().as_micros();
                        println!("ok {room} {id} {} {us}", receipts[0].sequence);
                        return;
                    }
                    Err(error) if error.is_retryable() => {}
                    Err(error) => println!("bad {error}"),
                }
            }
        });
    }
}

/// Reads all rooms as a gateway does: resumes from the beginning, then follows the chain.
async fn watch(bus: Arc<NatsBus>, rooms: u64) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..rooms {
        let bus = Arc::clone(&bus);
        tasks.spawn(async move {
            let topic = Topic::Room(format!("r{n}").parse().unwrap());
            let mut subscription = bus.subscribe(&topic).await.unwrap();
            let mut last = Sequence::ZERO;
            while last < subscription.start {
                let read = bus.range(&topic, last, None, RangeLimits::default()).await;
                let Ok(range) = read else { continue };
                for message in &range.messages {
                    if message.sequence <= last {
                        println!("bad r{n} a range goes back from {last} to {}", message.sequence);
                    }
                    last = message.sequence;
                }
                last = last.max(range.covered_to);
            }
            while let Some(event) = subscription.next().await {
                let Event::Message(message) = event else { continue };
                if message.sequence > last && message.previous != last {
                    println!("bad r{n} {} follows {last}, not {}", message.sequence, message.previous);
                }
                last = message.sequence.max(last);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}
