//! Delay and loss of packets, by a queue of netfilter: the kernels of small machines have no netem.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nfq::{Message, Queue, Verdict};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::works::works;

/// Packets that the kernel holds for one shaper; further ones pass unchanged.
const QUEUE_PACKETS_MAX: u32 = 65_536;
/// Bytes of a packet that are copied to this process: a verdict needs none of the payload.
const COPIED_BYTES: u16 = 64;
/// Longest sleep of the shaper's thread, which bounds the error of a delay.
const TICK: Duration = Duration::from_micros(500);

/// Treatment of the packets of a port.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shaping {
    /// TCP port of a server; packets in both directions are treated.
    pub port: u16,
    /// Delay of each packet.
    pub delay: Duration,
    /// Share of packets that are lost, from 0 to 1.
    pub loss: f64,
}

/// Packets of some ports pass a queue of this process until the value is dropped.
#[derive(Debug)]
pub struct Shaper {
    queue: u16,
    ports: Vec<u16>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Shaper {
    /// Starts a shaper with a queue number of its own. All ports must have the same delay and loss.
    #[must_use]
    pub fn start(queue: u16, seed: u64, shapings: &[Shaping]) -> Shaper {
        let first = *shapings.first().expect("a port to shape");
        let mut open = Queue::open().unwrap();
        open.bind(queue).unwrap();
        open.set_copy_range(queue, COPIED_BYTES).unwrap();
        open.set_queue_max_len(queue, QUEUE_PACKETS_MAX).unwrap();
        open.set_fail_open(queue, true).unwrap();
        // Whole segments: a packet of loopback is up to 64 KiB long.
        open.set_recv_gso(queue, true).unwrap();
        open.set_nonblocking(true);
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::spawn(move || shape(&mut open, first, seed, &ended));
        let ports = shapings.iter().map(|shaping| shaping.port).collect();
        let shaper = Shaper { queue, ports, end, thread: Some(thread) };
        shaper.rules("-A");
        shaper
    }

    fn rules(&self, action: &str) {
        let queue = self.queue.to_string();
        for port in self.ports.iter().map(ToString::to_string) {
            for side in ["--dport", "--sport"] {
                let rule =
                    [action, "INPUT", "-p", "tcp", side, &port, "-j", "NFQUEUE", "--queue-num", &queue];
                assert!(works("iptables", &rule), "iptables {rule:?} failed");
            }
        }
    }
}

impl Drop for Shaper {
    fn drop(&mut self) {
        self.rules("-D");
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Holds each packet for its delay, in order, and drops a share of them.
#[allow(clippy::disallowed_methods, reason = "a thread of its own sleeps between packets")]
fn shape(queue: &mut Queue, shaping: Shaping, seed: u64, end: &AtomicBool) {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut held: VecDeque<(Instant, Message)> = VecDeque::new();
    loop {
        let mut is_idle = true;
        while let Ok(mut packet) = queue.recv() {
            is_idle = false;
            if shaping.loss > 0.0 && chance.random_bool(shaping.loss) {
                packet.set_verdict(Verdict::Drop);
                drop(queue.verdict(packet));
            } else {
                held.push_back((barrage_clock::now() + shaping.delay, packet));
            }
        }
        let ending = end.load(Ordering::SeqCst);
        while held.front().is_some_and(|(due, _)| ending || *due <= barrage_clock::now()) {
            let Some((_, mut packet)) = held.pop_front() else { break };
            packet.set_verdict(Verdict::Accept);
            drop(queue.verdict(packet));
        }
        if ending && held.is_empty() {
            return;
        }
        if is_idle {
            std::thread::sleep(TICK);
        }
    }
}
