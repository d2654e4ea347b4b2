//! Resource use of this process, read from `/proc/self` at each scrape.
//!
//! The names are those of every Prometheus client. The collector of the `prometheus` crate is not
//! used, because its `process_cpu_seconds_total` counts whole seconds: a rate over it is 0 or 1.

use procfs::process::{LimitValue, Process};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, Gauge, Opts};

use super::memory_limit;

/// Collector of the `process_*` metrics. A value that cannot be read keeps its last value.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter,
    open_fds: Gauge,
    max_fds: Gauge,
    resident_bytes: Gauge,
    virtual_bytes: Gauge,
    memory_limit_bytes: Gauge,
    threads: Gauge,
    start_time: Gauge,
    host_time: Gauge,
}

impl ProcessMetrics {
    /// Creates the collector for this process, and reads the start time once.
    pub(super) fn new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| Gauge::with_opts(Opts::new(name, help));
        let metrics = ProcessMetrics {
            cpu_seconds: Counter::with_opts(Opts::new(
                "process_cpu_seconds_total",
                "CPU time of the process, user and system, in seconds.",
            ))?,
            open_fds: gauge("process_open_fds", "Open file descriptors.")?,
            max_fds: gauge(
                "process_max_fds",
                "Largest number of open file descriptors that the process may have.",
            )?,
            resident_bytes: gauge("process_resident_memory_bytes", "Resident memory in bytes.")?,
            virtual_bytes: gauge("process_virtual_memory_bytes", "Virtual memory in bytes.")?,
            memory_limit_bytes: gauge(
                "barrage_process_memory_limit_bytes",
                "Memory that the process may have: the limit of its control groups, or the memory of the machine.",
            )?,
            threads: gauge("process_threads", "Operating system threads of the process.")?,
            start_time: gauge(
                "process_start_time_seconds",
                "Start time of the process, as Unix time in seconds.",
            )?,
            host_time: gauge(
                "barrage_host_time_seconds",
                "Clock of the machine at the scrape, as Unix time in seconds.",
            )?,
        };
        if let Some(started) = start_time_secs() {
            metrics.start_time.set(started);
        }
        Ok(metrics)
    }

    fn read(&self) -> procfs::ProcResult<()> {
        self.host_time.set(barrage_clock::since_unix_epoch().as_secs_f64());
        if let Some(limit) = memory_limit::bytes() {
            self.memory_limit_bytes.set(limit as f64);
        }
        let process = Process::myself()?;
        let stat = process.stat()?;
        let cpu = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        self.cpu_seconds.inc_by((cpu - self.cpu_seconds.get()).max(0.0));
        self.resident_bytes.set((stat.rss * procfs::page_size()) as f64);
        self.virtual_bytes.set(stat.vsize as f64);
        self.threads.set(stat.num_threads as f64);
        self.open_fds.set(process.fd_count()? as f64);
        if let LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            self.max_fds.set(limit as f64);
        }
        Ok(())
    }

    fn all(&self) -> [&dyn Collector; 9] {
        [
            &self.cpu_seconds,
            &self.open_fds,
            &self.max_fds,
            &self.resident_bytes,
            &self.virtual_bytes,
            &self.memory_limit_bytes,
            &self.threads,
            &self.start_time,
            &self.host_time,
        ]
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Err(error) = self.read() {
            tracing::debug!(%error, "/proc/self cannot be read; process metrics keep their last values");
        }
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}

fn start_time_secs() -> Option<f64> {
    let stat = Process::myself().and_then(|process| process.stat()).ok()?;
    let boot_secs = procfs::boot_time_secs().ok()?;
    Some(boot_secs as f64 + stat.starttime as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_seconds_have_fractions() {
        let metrics = ProcessMetrics::new().unwrap();
        let started = barrage_clock::now();
        let mut sum = 0_u64;
        // A tick of the kernel's clock is 10 ms.
        while started.elapsed().as_millis() < 150 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        metrics.read().unwrap();
        let used = metrics.cpu_seconds.get();
        assert!(used > 0.0 && used.fract() != 0.0, "{used}");
        assert!(metrics.resident_bytes.get() > 1_000_000.0);
        assert!(metrics.open_fds.get() >= 3.0);
        assert!(metrics.memory_limit_bytes.get() > metrics.resident_bytes.get());
        assert!(metrics.host_time.get() > metrics.start_time.get());
    }
}
