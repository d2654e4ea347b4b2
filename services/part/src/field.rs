//! Description of keys and tables, for the reference and for schemas.

use std::fmt;

use crate::range::Range;

/// One key of a table, as the reference describes it.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Name of the key in the file, without its table.
    pub key: &'static str,
    /// Type of the value, which the Rust type of the field decides.
    pub kind: Kind,
    /// Values that a number may have; `None` permits every value of its type.
    pub range: Option<Range>,
    /// Documentation of the key, with a blank before each line.
    pub meaning: &'static str,
}

/// A table of the configuration, as [`part!`](crate::part) declares it.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Documentation of the table, with a blank before each line.
    pub meaning: &'static str,
    /// Keys in the order of their declaration.
    pub fields: &'static [Field],
}

/// Type of a value, as the reference names it.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Boolean: `true` or `false`, written without quotes.
    Boolean,
    /// Whole number, written without a fraction or a unit.
    Integer,
    /// Number that may have a fraction, such as `0.5`.
    Number,
    /// Text in quotes, of any length and content.
    Text,
    /// Path of a file or folder, as a text in quotes.
    Path,
    /// URL, which may contain a password; pages show it without one.
    Url,
    /// IP address with a port, such as `127.0.0.1:8080`.
    Address,
    /// IP network in CIDR notation, such as `10.0.0.0/8`.
    Network,
    /// One of these texts, in quotes; another one is refused.
    Choice(&'static [&'static str]),
    /// Another type, by the name that the reference shows.
    Named(&'static str),
    /// List of values of one type, in brackets.
    List(&'static Kind),
    /// A value that may be absent, an `Option` in Rust.
    Optional(&'static Kind),
    /// Table with keys of its own: a section of the file.
    Table(&'static Table),
}

impl Kind {
    /// Keys of a table; empty for other types.
    #[must_use]
    pub fn fields(&self) -> &'static [Field] {
        match self {
            Kind::Table(table) | Kind::Optional(Kind::Table(table)) => table.fields,
            _ => &[],
        }
    }
}

impl Field {
    /// Documentation of the key, in one line.
    #[must_use]
    pub fn text(&self) -> String {
        one_line(self.meaning)
    }

    /// The table behind the key, whether the table may be absent or not.
    #[must_use]
    pub fn table(&self) -> Option<&'static Table> {
        match self.kind {
            Kind::Table(table) | Kind::Optional(&Kind::Table(table)) => Some(table),
            _ => None,
        }
    }

    /// Whether the value may be absent, because it is an `Option`.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        matches!(self.kind, Kind::Optional(_))
    }
}

impl Table {
    /// Documentation of the table, in one line.
    #[must_use]
    pub fn text(&self) -> String {
        one_line(self.meaning)
    }
}

fn one_line(meaning: &str) -> String {
    meaning.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Boolean => f.write_str("boolean"),
            Kind::Integer => f.write_str("integer"),
            Kind::Number => f.write_str("number"),
            Kind::Text => f.write_str("text"),
            Kind::Path => f.write_str("path"),
            Kind::Url => f.write_str("URL"),
            Kind::Address => f.write_str("address"),
            Kind::Network => f.write_str("network"),
            Kind::Named(name) => f.write_str(name),
            Kind::Choice(values) => {
                let quoted: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
                f.write_str(&quoted.join(", "))
            }
            Kind::List(kind) => write!(f, "list of {}", plural(kind)),
            Kind::Optional(kind) => kind.fmt(f),
            Kind::Table(_) => f.write_str("table"),
        }
    }
}

fn plural(kind: &Kind) -> String {
    match kind {
        Kind::Address => "addresses".into(),
        kind => format!("{kind}s"),
    }
}
