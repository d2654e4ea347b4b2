//! Region and carrier of an address, from a CIDR list or a MaxMind-format file.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use crate::error::EntryError;
use crate::place::Location;

/// Maximum lines of a CIDR file. A longer file is refused.
const LINES_MAX: usize = 2_000_000;
/// Maximum bytes of a file. A larger one is refused.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The table from addresses to locations, read once at the start; empty without a file.
#[derive(Debug, Default)]
pub struct RegionTable(Source);

#[derive(Debug, Default)]
enum Source {
    #[default]
    None,
    /// Locations by network, with the prefix lengths from long to short: the longest prefix wins.
    Cidr {
        locations: HashMap<IpNet, Location>,
        lengths: Vec<u8>,
    },
    MaxMind(maxminddb::Reader<Vec<u8>>),
}

impl RegionTable {
    /// Reads a file. The extension `.mmdb` means the MaxMind format.
    ///
    /// # Errors
    /// When the file cannot be read or parsed.
    pub fn load(path: &Path) -> Result<Self, EntryError> {
        let unreadable = |source| EntryError::Read { path: path.into(), source };
        if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(unreadable(std::io::Error::other("the file is larger than 512 MiB")));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        if path.extension().is_some_and(|extension| extension == "mmdb") {
            let reader = maxminddb::Reader::from_source(bytes);
            let reader = reader.map_err(|source| EntryError::MaxMind { path: path.into(), source })?;
            return Ok(RegionTable(Source::MaxMind(reader)));
        }
        let text = String::from_utf8(bytes).map_err(|error| unreadable(std::io::Error::other(error)))?;
        Self::parse(&text, path)
    }

    /// Parses `network,region,carrier` lines; `#` begins a comment. A wrong line fails with its
    /// number.
    fn parse(text: &str, path: &Path) -> Result<Self, EntryError> {
        let mut locations = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |reason: String| EntryError::Line { path: path.into(), line: index + 1, reason };
            if index >= LINES_MAX {
                return Err(wrong(format!("more than {LINES_MAX} lines")));
            }
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let mut fields = line.split(',').map(str::trim);
            let network = fields.next().unwrap_or_default();
            let network: IpNet =
                network.parse().map_err(|_| wrong(format!("{network:?} is not a network")))?;
            let field = |text: Option<&str>| text.filter(|t| !t.is_empty()).map(str::to_owned);
            let location = Location { region: field(fields.next()), carrier: field(fields.next()) };
            if fields.next().is_some() {
                return Err(wrong("more than three fields".into()));
            }
            locations.insert(network.trunc(), location);
        }
        let mut lengths: Vec<u8> = locations.keys().map(IpNet::prefix_len).collect();
        lengths.sort_unstable_by(|a, b| b.cmp(a));
        lengths.dedup();
        Ok(RegionTable(Source::Cidr { locations, lengths }))
    }

    /// Returns the location of an address; empty when the table does not have it.
    #[must_use]
    pub fn locate(&self, address: IpAddr) -> Location {
        // An IPv4 client on an IPv6 socket is looked up by its IPv4 address.
        let address = address.to_canonical();
        match &self.0 {
            Source::None => Location::default(),
            Source::Cidr { locations, lengths } => lengths
                .iter()
                .filter_map(|length| IpNet::new(address, *length).ok())
                .find_map(|network| locations.get(&network.trunc()))
                .cloned()
                .unwrap_or_default(),
            Source::MaxMind(reader) => maxmind(reader, address),
        }
    }
}

/// Reads a record of a city or ISP file, which have different fields.
fn maxmind(reader: &maxminddb::Reader<Vec<u8>>, address: IpAddr) -> Location {
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Record {
        country: Coded,
        subdivisions: Vec<Coded>,
        isp: Option<String>,
        autonomous_system_organization: Option<String>,
    }
    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Coded {
        iso_code: Option<String>,
    }
    let found = reader.lookup(address).ok().and_then(|found| found.decode::<Record>().ok().flatten());
    let Some(record) = found else { return Location::default() };
    let parts = [record.country.iso_code, record.subdivisions.into_iter().next().and_then(|s| s.iso_code)];
    let region: Vec<String> = parts.into_iter().flatten().collect();
    Location {
        region: (!region.is_empty()).then(|| region.join("-")),
        carrier: record.isp.or(record.autonomous_system_organization),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_prefix_wins_in_both_families() {
        let text =
            "# a table\n10.0.0.0/8,cn-east,telecom\n10.1.0.0/16,cn-north,unicom # inner\n2001:db8::/32,eu,\n";
        let table = RegionTable::parse(text, Path::new("t.csv")).unwrap();
        let locate = |address: &str| table.locate(address.parse().unwrap());
        assert_eq!(locate("10.1.2.3").region.as_deref(), Some("cn-north"));
        assert_eq!(locate("10.2.2.3").carrier.as_deref(), Some("telecom"));
        assert_eq!(locate("2001:db8::1"), Location { region: Some("eu".into()), carrier: None });
        assert_eq!(locate("::ffff:10.1.2.3"), locate("10.1.2.3"));
        assert_eq!(locate("192.0.2.1"), Location::default());
    }

    /// The file names two networks of the documentation ranges.
    #[test]
    fn maxmind_format_file_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/places.mmdb");
        let table = RegionTable::load(&path).unwrap();
        let locate = |address: &str| table.locate(address.parse().unwrap());
        let named = |region: &str, carrier: &str| Location {
            region: Some(region.into()),
            carrier: Some(carrier.into()),
        };
        assert_eq!(locate("192.0.2.7"), named("CN-SH", "Example Telecom"));
        assert_eq!(locate("198.51.100.7"), named("DE", "Example Net"));
        assert_eq!(locate("203.0.113.7"), Location::default());
    }

    #[test]
    fn wrong_line_is_named() {
        let error = RegionTable::parse("10.0.0.0/8,a,b\nnonsense,a,b\n", Path::new("t.csv")).unwrap_err();
        assert_eq!(error.to_string(), "the region file t.csv, line 2: \"nonsense\" is not a network");
        assert!(RegionTable::load(Path::new("not-there.mmdb")).is_err());
    }
}
