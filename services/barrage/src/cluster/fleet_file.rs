//! Configuration file of the running fleet, for `barrage doctor`, `why`, `switch` and `token`.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use toml::{Table, Value};

use super::fleet_context::STORE_FILE;
use super::servers::Servers;
use crate::config::{self, Config};

/// Name of the file in the data directory.
const NAME: &str = "fleet.toml";

/// Facts of the running fleet that the file contains.
pub(super) struct FleetFile<'a> {
    pub(super) config: &'a Config,
    pub(super) servers: &'a Servers,
    /// Admin address of the first uplink, which commands talk to.
    pub(super) admin: SocketAddr,
    /// Public addresses of the fleet, which are those of entry.
    pub(super) listen: &'a [SocketAddr],
}

impl FleetFile<'_> {
    /// Writes the file into the data directory and returns its path. Only this user may read the
    /// file, because it contains the passwords of the configured file. The file stays after the end
    /// of the fleet, and the next fleet replaces it.
    pub(super) fn write(&self) -> anyhow::Result<PathBuf> {
        let path = self.config.data_dir.join(NAME);
        let draft = path.with_extension("toml.new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(b"# Written by `barrage up --cluster`, for commands such as `barrage doctor`.\n")?;
        file.write_all(toml::to_string_pretty(&self.table()?)?.as_bytes())?;
        std::fs::rename(&draft, &path)?;
        Ok(path)
    }

    fn table(&self) -> anyhow::Result<Table> {
        let mut table = match &self.config.file {
            Some(file) => config::file_table(file)?,
            None => Table::new(),
        };
        let data_dir = self.config.data_dir.canonicalize()?;
        if self.config.postgres.is_none() && self.config.store.file.is_none() {
            set(&mut table, "store", "file", data_dir.join(STORE_FILE).to_string_lossy().into_owned());
        }
        if let Some(url) = &self.servers.nats {
            set(&mut table, "nats", "urls", vec![url.clone()]);
        }
        if let Some(url) = &self.servers.redis {
            set(&mut table, "redis", "url", url.clone());
        }
        let listen: Vec<_> = self.listen.iter().map(SocketAddr::to_string).collect();
        table.insert("listen".into(), listen.into());
        table.insert("admin_listen".into(), self.admin.to_string().into());
        table.insert("data_dir".into(), data_dir.to_string_lossy().into_owned().into());
        Ok(table)
    }
}

fn set(table: &mut Table, part: &str, key: &str, value: impl Into<Value>) {
    let part = table.entry(part).or_insert_with(|| Table::new().into());
    if let Value::Table(part) = part {
        part.insert(key.to_owned(), value.into());
    }
}
