//! Input and output of the commands: scenarios, files and standard output.

use std::io::Write;
use std::path::Path;

use crate::error::LoadtestError;
use crate::scenario::Scenario;
use crate::scenario::shipped;

pub(super) fn parse(name: &str, text: &str) -> Result<Scenario, LoadtestError> {
    Scenario::parse(text).map_err(|error| LoadtestError::Usage(format!("{name}: {error}")))
}

pub(super) fn unknown(name: &str) -> String {
    let shipped = shipped::SHIPPED.iter().chain(&crate::inbox::SHIPPED);
    let shipped: Vec<_> = shipped.map(|(name, _)| *name).collect();
    format!("{name} is neither a file nor a built-in scenario ({})", shipped.join(", "))
}

pub(super) fn read(path: &Path) -> Result<String, LoadtestError> {
    std::fs::read_to_string(path)
        .map_err(|error| LoadtestError::Usage(format!("{} cannot be read: {error}", path.display())))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), LoadtestError> {
    std::fs::write(path, text)
        .map_err(|error| LoadtestError::cannot_run(format!("{} cannot be written", path.display()), error))
}

pub(super) fn say(text: &str) -> Result<u8, LoadtestError> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map(|()| 0)
        .map_err(|error| LoadtestError::cannot_run("standard output is closed", error))
}
