//! Load reports of the fleet, read from the admin listener twice a second: gateways report once a
//! second, and no report may be missed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_scaling::FleetReport;
use barrage_tls::ClientTls;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::clock::Moment;
use crate::net::http::{Call, Pool, Target};
use crate::report::Gateways;

const TIMEOUT: Duration = Duration::from_millis(400);
const READS_PER_S: u32 = 2;

/// Address of the admin listener, and the token for it.
#[derive(Debug, Clone)]
pub(crate) struct FleetAccess {
    /// Base URL of the admin listener that serves the fleet report.
    pub(crate) admin: String,
    /// Token of the role admin, for the fleet report.
    pub(crate) token: String,
    /// Authorities that the admin listener's certificate is of.
    pub(crate) tls: ClientTls,
}

/// Reads in the background until it is dropped.
pub(crate) struct FleetReader {
    seconds: Arc<Mutex<BTreeMap<u32, Gateways>>>,
    task: JoinHandle<()>,
}

impl FleetReader {
    pub(crate) fn start(asked: Option<FleetAccess>, start: Moment) -> Self {
        let seconds = Arc::default();
        let task = tokio::task::spawn_local(read(asked, start, Arc::clone(&seconds)));
        FleetReader { seconds, task }
    }

    /// Returns the gateways' reports within a second.
    pub(crate) fn at(&self, second: u32) -> Option<Gateways> {
        self.seconds.lock().get(&second).copied()
    }
}

impl Drop for FleetReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(asked: Option<FleetAccess>, start: Moment, seconds: Arc<Mutex<BTreeMap<u32, Gateways>>>) {
    let Some(asked) = asked else { return };
    let url = format!("{}/v1/admin/fleet", asked.admin.trim_end_matches('/'));
    let Ok((target, uri)) = Target::resolve(&url, &asked.tls).await else { return };
    let pool = Pool::new(target, 1, 1, TIMEOUT);
    let call = Call { token: Some(&asked.token), ..Call::get(uri.path()) };
    for number in 0.. {
        let at_secs = (f64::from(number) + 0.9) / f64::from(READS_PER_S);
        tokio::time::sleep_until(start.after(at_secs).instant()).await;
        if let Ok((status, body)) = pool.call(&call).await
            && status.is_success()
            && let Some(gateways) = parse(&body)
        {
            let mut seconds = seconds.lock();
            let second = seconds.entry(number / READS_PER_S).or_insert(gateways);
            let joins = second.joins_per_s_most.max(gateways.joins_per_s_most);
            *second = Gateways { joins_per_s_most: joins, ..gateways };
        }
    }
}

/// Parses an answer; `None` when it is no fleet report, or has no gateways.
fn parse(body: &[u8]) -> Option<Gateways> {
    let report: FleetReport = serde_json::from_slice(body).ok()?;
    let gateways: Vec<_> = report.gateways().collect();
    // Counts of connections are whole numbers.
    let connections = gateways.iter().map(|it| it.load.connections as u64);
    Some(Gateways {
        count: gateways.len() as u64,
        draining: gateways.iter().filter(|it| it.draining).count() as u64,
        connections_least: connections.clone().min()?,
        connections_most: connections.max()?,
        joins_per_s_most: gateways.iter().map(|it| it.load.joins_per_s).fold(0.0, f64::max),
        cores: gateways.iter().map(|it| it.load.cpu_cores).sum(),
        memory_bytes: gateways.iter().map(|it| it.load.memory_bytes).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleet_report_counts_gateways_alone() {
        let body = br#"{"instances": [
            {"role": "gateway", "id": "g1", "draining": true,
             "load": {"connections": 7, "joins_per_s": 3.5, "cpu_cores": 0.25, "memory_bytes": 100, "rooms": 2}},
            {"role": "gateway", "id": "g2", "draining": false,
             "load": {"connections": 9, "joins_per_s": 1.5, "cpu_cores": 0.5, "memory_bytes": 200}},
            {"role": "entry", "id": "e", "load": {"connections": 99}}], "prewarms": []}"#;
        let expected = Gateways {
            count: 2,
            draining: 1,
            connections_least: 7,
            connections_most: 9,
            joins_per_s_most: 3.5,
            cores: 0.75,
            memory_bytes: 300.0,
        };
        assert_eq!(parse(body), Some(expected));
        assert_eq!(parse(br#"{"instances": []}"#), None);
        assert_eq!(parse(b"not found"), None);
    }
}
