//! The wall clock of one process, stepped by libfaketime.

use std::path::PathBuf;

use barrage_testkit::programs;

use crate::site::Wrap;

/// Control over a process' wall clock; its monotonic clock does not change.
#[derive(Debug)]
pub struct WallClock {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl WallClock {
    /// Returns a clock that agrees with the machine's. Needs libfaketime.
    #[must_use]
    pub fn new() -> WallClock {
        let library = programs::libfaketime().expect("libfaketime");
        let clock = WallClock { folder: tempfile::tempdir().unwrap(), library };
        clock.step_to("+0");
        clock
    }

    /// Sets the offset from the machine's clock, in seconds, such as `+3600`.
    pub fn step_to(&self, offset: &str) {
        // Replaced by a rename, because the library reads the file at any time.
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, offset).unwrap();
        std::fs::rename(draft, self.folder.path().join("offset")).unwrap();
    }

    /// Starts a process with this clock.
    #[must_use]
    pub fn wrap(&self) -> Wrap {
        let file = self.folder.path().join("offset").display().to_string();
        let environment = [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", file),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Wrap { environment, ..Wrap::default() }
    }
}

impl Default for WallClock {
    fn default() -> Self {
        WallClock::new()
    }
}
