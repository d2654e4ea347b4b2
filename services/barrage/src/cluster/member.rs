//! Command line and environment of each process of a fleet.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A process that the fleet starts, and starts again when it ends.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Addresses with port 0 at the first start; afterwards the ports of the first start.
    pub(crate) public: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

impl Member {
    /// Returns all arguments, with the addresses last.
    pub(crate) fn command_line(&self) -> Vec<String> {
        let mut line = self.arguments.clone();
        line.extend(["--ready-fd".into(), "1".into()]);
        for address in &self.public {
            line.extend(["--listen".into(), address.to_string()]);
        }
        line.extend(["--admin-listen".into(), self.admin.to_string()]);
        line
    }
}
