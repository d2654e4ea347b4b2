//! CPU and memory of the server, read from its metrics once a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use barrage_tls::ClientTls;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::clock::Moment;
use crate::net::http::{Call, Pool, Target};

const TIMEOUT: Duration = Duration::from_secs(2);

/// One reading of the server's metrics in the run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sample {
    /// Time of the answer, in seconds after the start of the run.
    pub(crate) at_secs: f64,
    /// CPU time since the start of the process, in seconds.
    pub(crate) cpu_secs: Option<f64>,
    pub(crate) memory_bytes: Option<f64>,
}

/// Reads in the background until it is dropped.
pub(crate) struct Scraper {
    samples: Arc<Mutex<BTreeMap<u32, Sample>>>,
    asked: Option<String>,
    task: JoinHandle<()>,
}

impl Scraper {
    pub(crate) fn start(url: Option<String>, tls: ClientTls, start: Moment) -> Self {
        let samples = Arc::default();
        let task = tokio::task::spawn_local(read(url.clone(), tls, start, Arc::clone(&samples)));
        Scraper { samples, asked: url, task }
    }

    /// Returns CPU in cores, and memory, at the end of a second.
    pub(crate) fn at(&self, second: u32) -> (Option<f64>, Option<f64>) {
        let samples = self.samples.lock();
        let Some(sample) = samples.get(&second) else { return (None, None) };
        let before = samples.range(..second).next_back();
        (before.and_then(|(_, before)| cores(before, sample)), sample.memory_bytes)
    }

    /// Returns a note for the report, if the metrics lack something.
    pub(crate) fn note(&self) -> Option<String> {
        let samples = self.samples.lock();
        match &self.asked {
            None => Some(
                "neither --admin nor --metrics was given: the server's CPU and memory are not known".into(),
            ),
            Some(url) if samples.is_empty() => Some(format!(
                "{url} did not answer: the server's CPU and memory are not known (--admin or --metrics names the URL)"
            )),
            Some(url) if samples.values().all(|sample| sample.cpu_secs.is_none()) => {
                Some(format!("{url} has no process_cpu_seconds_total"))
            }
            Some(_) => None,
        }
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(
    url: Option<String>,
    tls: ClientTls,
    start: Moment,
    samples: Arc<Mutex<BTreeMap<u32, Sample>>>,
) {
    let Some(url) = url else { return };
    let Ok((target, uri)) = Target::resolve(&url, &tls).await else { return };
    let pool = Pool::new(target, 1, 1, TIMEOUT);
    for second in 0.. {
        tokio::time::sleep_until(start.after(f64::from(second) + 0.9).instant()).await;
        if let Ok((status, body)) = pool.call(&Call::get(uri.path())).await
            && status.is_success()
        {
            let at_secs = Moment::now().since(start).as_secs_f64();
            let sample = Sample { at_secs, ..parse(&String::from_utf8_lossy(&body)) };
            samples.lock().insert(second, sample);
        }
    }
}

fn parse(text: &str) -> Sample {
    let sum = |name: &str| {
        let of_name = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next())??;
            value.parse::<f64>().ok()
        });
        of_name.reduce(|sum, value| sum + value)
    };
    let (cpu_secs, memory_bytes) = (sum("process_cpu_seconds_total"), sum("process_resident_memory_bytes"));
    Sample { at_secs: 0.0, cpu_secs, memory_bytes }
}

/// Returns the cores in use between two readings. A server that restarted counts from 0.
fn cores(before: &Sample, after: &Sample) -> Option<f64> {
    let secs = after.at_secs - before.at_secs;
    let used = after.cpu_secs? - before.cpu_secs?;
    (secs > 0.0).then(|| used.max(0.0) / secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_with_and_without_labels() {
        let text = "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 12.5\n\
                    process_resident_memory_bytes{pod=\"a b\"} 3\nprocess_resident_memory_bytes{pod=\"c\"} 4\n\
                    process_cpu_seconds_total_x 99\n";
        let sample = Sample { at_secs: 0.0, cpu_secs: Some(12.5), memory_bytes: Some(7.0) };
        assert_eq!(parse(text), sample);
        assert_eq!(parse(""), Sample::default());
    }

    #[test]
    fn cores_use_the_time_between_two_readings() {
        let sample = |at_secs: f64, text: &str| Sample {
            at_secs,
            ..parse(&format!("process_cpu_seconds_total {text}\n"))
        };
        let (first, second) = (sample(0.9, "3.1875"), sample(2.15, "3.5"));
        assert_eq!(cores(&first, &second), Some(0.25));
        assert_eq!(cores(&second, &sample(3.0, "0.01")), Some(0.0));
        assert_eq!(cores(&second, &sample(3.0, "1e-05")), Some(0.0));
        assert_eq!(cores(&first, &first), None);
    }
}
