//! Types that can be the value of a key.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::field::Kind;
use crate::problem::Problem;
use crate::range::Range;

/// A type that can be the value of a key. [`part!`](crate::part) implements this trait for tables.
pub trait Setting {
    /// Description of the type, for the reference and for schemas.
    const KIND: Kind;

    /// Adds a problem for the value at `path` if the value is outside of `range`, and for each such
    /// value inside of a table. Types without numbers have no range.
    fn check(&self, path: &str, range: Option<Range>, problems: &mut Vec<Problem>) {
        let _ = (path, range, problems);
    }
}

/// Returns the path of a key in the table at `path`; the root of the file has an empty path.
#[must_use]
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

macro_rules! numbers {
    ($($number:ty: $kind:ident),*) => {$(
        impl Setting for $number {
            const KIND: Kind = Kind::$kind;

            fn check(&self, path: &str, range: Option<Range>, problems: &mut Vec<Problem>) {
                if let Some(range) = range.filter(|range| !range.contains(*self as f64)) {
                    problems.push(Problem::new(path, self, range));
                }
            }
        }
    )*};
}

numbers!(u8: Integer, u16: Integer, u32: Integer, u64: Integer, usize: Integer, f64: Number);

macro_rules! plain {
    ($($plain:ty: $kind:ident),*) => {$(
        impl Setting for $plain {
            const KIND: Kind = Kind::$kind;
        }
    )*};
}

plain!(bool: Boolean, String: Text, PathBuf: Path, SocketAddr: Address, IpNet: Network);

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = Kind::Optional(&T::KIND);

    fn check(&self, path: &str, range: Option<Range>, problems: &mut Vec<Problem>) {
        if let Some(value) = self {
            value.check(path, range, problems);
        }
    }
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn check(&self, path: &str, range: Option<Range>, problems: &mut Vec<Problem>) {
        self.as_slice().iter().enumerate().for_each(|(index, value)| {
            value.check(&join(path, &index.to_string()), range, problems);
        });
    }
}

impl<T: Setting, const N: usize> Setting for [T; N] {
    const KIND: Kind = Kind::List(&T::KIND);

    fn check(&self, path: &str, range: Option<Range>, problems: &mut Vec<Problem>) {
        self.iter().enumerate().for_each(|(index, value)| {
            value.check(&join(path, &index.to_string()), range, problems);
        });
    }
}
