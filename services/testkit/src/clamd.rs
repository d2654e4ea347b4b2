//! A real clamd, as a process of the test, with signatures of its own.

use std::net::SocketAddr;

use crate::process::{Process, Recipe, free_address};
use crate::programs;

/// Text that scanners find by agreement; it does nothing.
pub const EICAR: &[u8] = br"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
/// Signature of [`EICAR`]: MD5, length and name.
const SIGNATURES: &str = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test\n";

/// A clamd on a free port of loopback that knows one signature. Killed on drop.
#[derive(Debug)]
pub struct Clamd {
    process: Process,
}

impl Clamd {
    /// Starts a scanner and waits for its port. It takes streams of at most one MiB.
    pub async fn start() -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address());
        let signatures = folder.path().join("signatures");
        std::fs::create_dir(&signatures).unwrap();
        std::fs::write(signatures.join("own.hdb"), SIGNATURES).unwrap();
        let settings = folder.path().join("clamd.conf");
        let text = format!(
            "Foreground yes\nDatabaseDirectory {}\nTCPAddr {}\nTCPSocket {}\nMaxThreads 2\nStreamMaxLength 1M\n",
            signatures.display(),
            address.ip(),
            address.port()
        );
        std::fs::write(&settings, text).unwrap();
        let program = programs::server("clamd", "clamav-daemon");
        let recipe = Recipe {
            name: "clamd".into(),
            command: vec![program, "--config-file".into(), settings.display().to_string()],
            environment: Vec::new(),
            folder: folder.path().into(),
            address,
        };
        let mut process = Process::spawn(recipe, Some(folder));
        process.ready().await;
        Clamd { process }
    }

    /// Returns the loopback address of its port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.process.recipe.address
    }

    /// Kills the scanner at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the scanner again on its port.
    pub async fn restart(&mut self) {
        self.process.restart().await;
    }

    /// Stops the process where it is: connections stay open and get no answer.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Continues the process after a pause.
    pub fn resume(&self) {
        self.process.resume();
    }
}
