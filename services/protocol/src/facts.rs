//! Facts of a client, which it states once per connection: name, version, platform, network, encodings.
//!
//! A forged or newer fact never refuses a join: a value that is not understood counts as not stated. The
//! types have few or bounded values, because facts choose metric labels.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Longest stated facts in bytes that a query may have; a join frame has its own bound.
pub const FACTS_BYTES_MAX: usize = 1_024;
/// Encodings read from one statement; further ones are ignored.
const ENCODINGS_MAX: usize = 8;

/// Name of a client program, such as `barrage-web`: 1 to 24 characters of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ClientName(Arc<str>);

impl ClientName {
    /// Reads a name; `None` for a text that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = (1..=24).contains(&text.len()) && text.bytes().all(is_allowed);
        is_name.then(|| ClientName(text.into()))
    }

    /// Returns the name as text, for metric labels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Version of a client program. Only the three numbers count: `1.4.0-beta.2` is `1.4.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientVersion {
    /// First number, of incompatible changes.
    pub major: u16,
    /// Second number; 0 when not stated.
    pub minor: u16,
    /// Third number; 0 when not stated.
    pub patch: u16,
}

impl ClientVersion {
    /// Reads `1`, `1.4` or `1.4.0` with anything behind `-` or `+`; `None` for a text that is no version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(|part| {
            let is_number = !part.is_empty() && part.len() <= 5 && part.bytes().all(|b| b.is_ascii_digit());
            if is_number { part.parse::<u16>().ok() } else { None }
        });
        let version = ClientVersion {
            major: parts.next()??,
            minor: parts.next().unwrap_or(Some(0))?,
            patch: parts.next().unwrap_or(Some(0))?,
        };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for ClientVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident, $($(#[$variant_doc:meta])* $variant:ident = $label:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A stated value that this version does not know.
            Other,
            /// The client stated nothing.
            #[default]
            Unknown,
        }

        impl $name {
            /// All values, for metrics that exist from the start.
            pub const ALL: &[$name] = &[$($name::$variant,)* $name::Other, $name::Unknown];

            /// Returns the stable name on the wire and in metric labels.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $($name::$variant => $label,)*
                    $name::Other => "other",
                    $name::Unknown => "unknown",
                }
            }

            /// Reads a stated value; a text that is not known is `other`.
            #[must_use]
            pub fn parse(text: &str) -> Self {
                match text {
                    $($label => $name::$variant,)*
                    "unknown" | "" => $name::Unknown,
                    _ => $name::Other,
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.label())
            }
        }
    };
}

labels! {
    /// Platform of a client.
    Platform,
    /// A page in a browser.
    Web = "web",
    /// An app for Android.
    Android = "android",
    /// An app for iOS.
    Ios = "ios",
    /// A program on Windows.
    Windows = "windows",
    /// A program on macOS.
    Macos = "macos",
    /// A program on Linux.
    Linux = "linux",
    /// A page over a stream, such as a browser source of OBS. No person watches it as a viewer.
    Overlay = "overlay",
}

labels! {
    /// Type of the network that a client is in.
    NetworkType,
    /// Wireless LAN, which is often unmetered.
    Wifi = "wifi",
    /// Mobile network of a carrier.
    Cellular = "cellular",
    /// Network by a cable.
    Ethernet = "ethernet",
}

labels! {
    /// Encoding of frames that a client reads.
    FrameEncoding,
    /// JSON in text frames.
    Json = "json",
    /// Deflated JSON in binary frames.
    Deflate = "deflate",
    /// Deflated lines of values in binary frames, which refer to earlier lines.
    Lines = "lines",
}

/// Facts of a client, stated in its join.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClientFacts {
    /// Name of the program; `None` when not stated, or no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ClientName>,
    /// Version of the program; `None` when not stated, or no version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<ClientVersion>,
    /// Platform of the program.
    pub platform: Platform,
    /// Type of the network at the time of the join.
    pub network: NetworkType,
    /// Encodings that the client reads, each once.
    pub encodings: Vec<FrameEncoding>,
}

impl ClientFacts {
    /// Reads facts from JSON of at most [`FACTS_BYTES_MAX`] bytes, such as a query has; anything else states
    /// nothing.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        if json.len() > FACTS_BYTES_MAX {
            return ClientFacts::default();
        }
        serde_json::from_str(json).map_or_else(|_| ClientFacts::default(), |value| ClientFacts::of(&value))
    }

    fn of(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        let stated = value.get("encodings").and_then(Value::as_array);
        let mut encodings: Vec<_> = stated
            .into_iter()
            .flatten()
            .take(ENCODINGS_MAX)
            .filter_map(Value::as_str)
            .map(FrameEncoding::parse)
            .collect();
        encodings.sort_unstable();
        encodings.dedup();
        ClientFacts {
            name: text("name").and_then(ClientName::parse),
            version: text("version").and_then(ClientVersion::parse),
            platform: text("platform").map_or_else(Platform::default, Platform::parse),
            network: text("network").map_or_else(NetworkType::default, NetworkType::parse),
            encodings,
        }
    }
}

/// Takes any JSON value: what is not understood counts as not stated.
impl<'de> Deserialize<'de> for ClientFacts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(ClientFacts::of(&Value::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = ClientFacts {
            name: ClientName::parse("barrage-web"),
            version: ClientVersion::parse("1.4.2-beta.1"),
            platform: Platform::Web,
            network: NetworkType::Cellular,
            encodings: vec![FrameEncoding::Json, FrameEncoding::Deflate],
        };
        let json = serde_json::to_string(&facts).unwrap();
        let wanted = r#"{"name":"barrage-web","version":"1.4.2","platform":"web","network":"cellular","encodings":["json","deflate"]}"#;
        assert_eq!(json, wanted);
        assert_eq!(ClientFacts::parse(&json), facts);
        assert_eq!(serde_json::from_str::<ClientFacts>(&json).unwrap(), facts);
    }

    #[test]
    fn forged_facts_state_nothing_and_refuse_nothing() {
        let long = format!(r#"{{"name":"{}","version":"{}"}}"#, "a".repeat(25), "1".repeat(900));
        for forged in
            ["null", "7", "[]", r#""text""#, "{}", r#"{"name":7,"version":[],"encodings":{}}"#, &long]
        {
            assert_eq!(
                serde_json::from_str::<ClientFacts>(forged).unwrap(),
                ClientFacts::default(),
                "{forged}"
            );
            assert_eq!(ClientFacts::parse(forged), ClientFacts::default(), "{forged}");
        }
        for name in ["", "Barrage", "a b", "a\n", "弹幕", "a\"}", "../.."] {
            assert_eq!(ClientName::parse(name), None, "{name}");
        }
        for version in ["", "v1", "1.", "1.2.3.4", "65536", "1.-2", "１", "1e3"] {
            assert_eq!(ClientVersion::parse(version), None, "{version}");
        }
        let many = format!(r#"{{"platform":"tv","encodings":[{}"json"]}}"#, r#""x","#.repeat(100));
        let facts = ClientFacts::parse(&many);
        assert_eq!((facts.platform, facts.encodings), (Platform::Other, vec![FrameEncoding::Other]));
    }

    #[test]
    fn a_version_may_lack_its_last_numbers() {
        let version = |major, minor, patch| Some(ClientVersion { major, minor, patch });
        assert_eq!(ClientVersion::parse("2"), version(2, 0, 0));
        assert_eq!(ClientVersion::parse("2.1+build.7"), version(2, 1, 0));
    }
}
