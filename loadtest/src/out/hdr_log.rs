//! The HdrHistogram log of a run: for each second a line a kind of latency, which HdrHistogram's own tools read.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::error::LoadtestError;
use crate::measure::figure::LATENCIES;
use crate::measure::interval::Interval;

/// First line of the format that the readers of other languages look for.
const HEAD: &str = "[Histogram log format version 1.3]";

/// Log that is written while the run lasts. Values are microseconds.
#[derive(Debug)]
pub struct HdrLog {
    path: PathBuf,
    file: BufWriter<File>,
    /// First failure of a write, which [`HdrLog::finish`] tells. Nothing is written after it.
    failure: Option<String>,
}

impl HdrLog {
    /// Creates the file, and writes its head. Times in it count from `start`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path, start: SystemTime) -> Result<Self, LoadtestError> {
        let cannot =
            |error| LoadtestError::cannot_run(format!("{} cannot be written", path.display()), error);
        let mut file = BufWriter::new(File::create(path).map_err(cannot)?);
        let mut head = IntervalLogWriterBuilder::new();
        head.add_comment(HEAD).add_comment("latencies in microseconds, from the intended time");
        head.with_start_time(start).with_base_time(start);
        head.begin_log_with(&mut file, &mut V2DeflateSerializer::new()).map_err(cannot)?;
        Ok(HdrLog { path: path.to_owned(), file, failure: None })
    }

    /// Adds a line for each kind of latency that has a value in this second.
    pub fn add(&mut self, second: u32, interval: &Interval) {
        if self.failure.is_none() {
            self.failure = self.write(second, interval).err();
        }
    }

    fn write(&mut self, second: u32, interval: &Interval) -> Result<(), String> {
        let mut serializer = V2DeflateSerializer::new();
        let log = IntervalLogWriterBuilder::new().begin_log_with(&mut self.file, &mut serializer);
        let mut log = log.map_err(|error| error.to_string())?;
        let at = Duration::from_secs(u64::from(second));
        let kinds = LATENCIES.into_iter().chain(["timer"]).zip(interval.latencies());
        for (kind, latency) in kinds.filter(|(_, latency)| latency.count() > 0) {
            log.write_histogram(latency.histogram(), at, Duration::from_secs(1), Tag::new(kind))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Ends the file; returns a note for the report when it is not whole.
    #[must_use]
    pub fn finish(mut self) -> Option<String> {
        let flushed = self.file.flush().map_err(|error| error.to_string());
        let failure = self.failure.or(flushed.err())?;
        Some(format!("--out hdr: {} is not whole: {failure}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn each_second_has_the_kinds_that_have_values() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut log = HdrLog::create(file.path(), SystemTime::UNIX_EPOCH).unwrap();
        let mut interval = Interval::default();
        interval.gift.record(Duration::from_millis(250));
        log.add(0, &interval);
        interval.chat.record(Duration::from_millis(5));
        log.add(7, &interval);
        assert_eq!(log.finish(), None);
        let text = std::fs::read(file.path()).unwrap();
        assert!(text.starts_with(b"#[Histogram log format version 1.3]\n"));
        let mut read = Vec::new();
        for entry in IntervalLogIterator::new(&text) {
            let LogEntry::Interval(line) = entry.unwrap() else { continue };
            let bytes =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, line.encoded_histogram());
            let histogram: Histogram<u64> =
                Deserializer::new().deserialize(&mut bytes.unwrap().as_slice()).unwrap();
            let tag = line.tag().unwrap().as_str().to_owned();
            read.push((line.start_timestamp().as_secs(), tag, histogram.max() / 1_000));
        }
        let line = |second, kind: &str, ms| (second, kind.to_owned(), ms);
        assert_eq!(read, [line(0, "gift", 250), line(7, "chat", 5), line(7, "gift", 250)]);
    }

    #[test]
    fn a_full_disk_is_told_and_ends_nothing() {
        let mut log = HdrLog::create(Path::new("/dev/full"), SystemTime::UNIX_EPOCH).unwrap();
        let mut interval = Interval::default();
        interval.gift.record(Duration::from_millis(1));
        (0..1_000).for_each(|second| log.add(second, &interval));
        assert!(log.finish().unwrap().contains("/dev/full is not whole"));
    }
}
