//! Memory, processor time and descriptors of a process, from `/proc`.

/// Clock ticks a second in `/proc/PID/stat`, the same on all builds of Linux for our platforms.
const TICKS_PER_S: f64 = 100.0;

/// Resources of a process at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vitals {
    /// Resident memory in bytes.
    pub resident_bytes: f64,
    /// Processor time since the start of the process, in seconds.
    pub processor_s: f64,
    /// Number of open descriptors.
    pub descriptors: usize,
}

impl Vitals {
    /// Reads the resources of a process that runs.
    #[must_use]
    pub fn of(process: u32) -> Vitals {
        let text = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
        let status = text("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let stat = text("stat");
        // The name before it may have blanks; user and system time are the 12th and 13th field behind it.
        let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
        Vitals { resident_bytes: kib * 1_024.0, processor_s: ticks / TICKS_PER_S, descriptors }
    }
}

/// Slope of a line through points by least squares; 0 for fewer than two points.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let product: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let square: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if square == 0.0 || points.is_empty() { 0.0 } else { product / square }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_has_vitals() {
        let vitals = Vitals::of(std::process::id());
        assert!(vitals.resident_bytes > 1e6 && vitals.descriptors > 2 && vitals.processor_s >= 0.0);
    }

    #[test]
    fn slope_of_a_line_is_its_rise() {
        let line: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        assert!((slope(&line) - 2.0).abs() < 1e-9);
        assert_eq!(slope(&[]), 0.0);
        assert_eq!(slope(&[(1.0, 5.0)]), 0.0);
    }
}
