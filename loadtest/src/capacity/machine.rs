//! Description of the machine on which a figure was measured.

/// Describes the processors, the memory and the kernel of this machine in one line.
#[must_use]
pub fn describe() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let memory_kib = field(&read("/proc/meminfo"), "MemTotal");
    let memory_kib = memory_kib.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let memory = memory_kib.map(|kib| format!(", {} GiB", (kib as f64 / f64::from(1 << 20)).round()));
    let kernel = read("/proc/sys/kernel/osrelease");
    let system = std::env::consts::OS;
    format!("{cores} cores ({model}){}, {system} {}", memory.unwrap_or_default(), kernel.trim())
}

/// Returns the value of a line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = values.filter(|(known, _)| known.trim() == name);
    values.next().map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_is_found_by_its_whole_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2:1\nMemTotal:  2048 kB\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Some CPU @ 2:1"));
        assert_eq!(field(text, "MemTotal").as_deref(), Some("2048 kB"));
        assert_eq!(field(text, "model"), None);
        assert!(describe().contains("cores"));
    }
}
