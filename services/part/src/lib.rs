//! One declaration for each table of the configuration.
//!
//! [`part!`] declares a table: its keys with type, default, range and meaning. The struct, the
//! defaults, the checks, the reference and schemas come from this one list, so that none of them
//! can differ from the others. Types that can be the value of a key implement [`Setting`].

mod field;
mod problem;
mod range;
mod setting;

pub use field::{Field, Kind, Table};
pub use problem::Problem;
pub use range::{ANY, ONE, OVER_ONE, PERCENT, POSITIVE, Range, SHARE, above, at_least, between};
pub use setting::{Setting, join};

/// Declares a table of the configuration.
///
/// Each key is declared as `key: type = default, range;`. The range is optional and is an
/// expression of this crate: [`between`]`(1, 9)`, [`SHARE`] and so on. Keys that are tables
/// themselves are declared in the same way. Attributes other than documentation are written
/// with `@` instead of `#`. Keys after `skipped` are fields that no source of the configuration can set.
///
/// ```
/// barrage_part::part! {
///     /// Limits of a door.
///     @[derive(Eq)]
///     pub struct DoorConfig {
///         /// Visitors at the same time.
///         visitors_max: u32 = 10, between(1, 1_000);
///         /// Name on the door.
///         name: String = "door".into();
///     }
/// }
/// let door = DoorConfig { visitors_max: 0, ..DoorConfig::default() };
/// assert_eq!(door.out_of_range("door")[0].to_string(), "door.visitors_max = 0: must be 1 to 1000");
/// ```
#[macro_export]
macro_rules! part {
    (
        $(#[doc = $table_meaning:literal])*
        $(@[$table_attribute:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $meaning:literal])*
                $(@[$attribute:meta])*
                $field:ident: $kind:ty = $default:expr $(, $range:expr)?;
            )*
        }
        $(skipped {
            $($(#[doc = $skipped_meaning:literal])* $skipped:ident: $skipped_kind:ty = $skipped_default:expr;)*
        })?
    ) => {
        $(#[doc = $table_meaning])*
        $(#[$table_attribute])*
        #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        $vis struct $name {
            $(
                $(#[doc = $meaning])*
                #[doc = ""]
                #[doc = concat!("Default: `", stringify!($default), "`.")]
                $(#[$attribute])*
                $vis $field: $kind,
            )*
            $($($(#[doc = $skipped_meaning])* #[serde(skip)] $vis $skipped: $skipped_kind,)*)?
        }

        impl ::core::default::Default for $name {
            fn default() -> Self {
                $name { $($field: $default,)* $($($skipped: $skipped_default,)*)? }
            }
        }

        impl $crate::Setting for $name {
            const KIND: $crate::Kind = $crate::Kind::Table(&$crate::Table {
                meaning: concat!($($table_meaning),*),
                fields: &[$($crate::Field {
                    key: stringify!($field),
                    kind: <$kind as $crate::Setting>::KIND,
                    range: $crate::range!($($range)?),
                    meaning: concat!($($meaning),*),
                }),*],
            });

            fn check(
                &self,
                path: &str,
                _: ::core::option::Option<$crate::Range>,
                problems: &mut ::std::vec::Vec<$crate::Problem>,
            ) {
                $($crate::Setting::check(
                    &self.$field,
                    &$crate::join(path, stringify!($field)),
                    $crate::range!($($range)?),
                    problems,
                );)*
            }
        }

        impl $name {
            /// Returns every value of the table at `path`, and of the tables in it, that is outside
            /// of its range.
            #[allow(dead_code, reason = "callers check the table that contains this one")]
            #[must_use]
            $vis fn out_of_range(&self, path: &str) -> ::std::vec::Vec<$crate::Problem> {
                let mut problems = ::std::vec::Vec::new();
                $crate::Setting::check(self, path, None, &mut problems);
                problems
            }
        }
    };
}

/// Evaluates the optional range of a key. For [`part!`] alone.
#[doc(hidden)]
#[macro_export]
macro_rules! range {
    () => {
        None
    };
    ($range:expr) => {{
        #[allow(unused_imports, reason = "a range uses one of the names")]
        use $crate::{ANY, ONE, OVER_ONE, PERCENT, POSITIVE, SHARE, above, at_least, between};
        Some($range)
    }};
}

#[cfg(test)]
mod tests {
    use super::{Field, Kind, Setting};

    part! {
        /// Inner table of the test's configuration.
        struct Inner {
            /// Share of the work.
            share: f64 = 0.5, SHARE;
        }
    }

    part! {
        /// Outer table of the test's configuration.
        struct Outer {
            /// Number of workers,
            /// at least one.
            workers: u32 = 2, between(1, 8);
            /// Optional pause in milliseconds.
            pause_ms: Option<u64> = None, between(1, 10);
            /// Names of the workers.
            names: Vec<String> = vec!["a".into()];
            /// Optional table, absent by default.
            inner: Option<Inner> = None;
        }
        skipped {
            /// File that the table was read from.
            file: Option<std::path::PathBuf> = None;
        }
    }

    fn fields() -> &'static [Field] {
        let Kind::Table(table) = Outer::KIND else { panic!("not a table") };
        table.fields
    }

    #[test]
    fn every_value_out_of_range_is_reported_with_path_value_and_range() {
        let outer = Outer {
            workers: 9,
            pause_ms: Some(0),
            inner: Some(Inner { share: f64::NAN }),
            ..Outer::default()
        };
        let problems: Vec<_> = outer.out_of_range("outer").iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "outer.workers = 9: must be 1 to 8",
                "outer.pause_ms = 0: must be 1 to 10",
                "outer.inner.share = NaN: must be above 0 and at most 1",
            ]
        );
        assert_eq!(Outer::default().out_of_range(""), []);
    }

    #[test]
    fn description_has_key_type_range_and_meaning_of_each_field() {
        let described: Vec<_> = fields()
            .iter()
            .map(|field| (field.key, field.kind.to_string(), field.range.map(|range| range.to_string())))
            .collect();
        assert_eq!(
            described,
            [
                ("workers", "integer".to_owned(), Some("1 to 8".to_owned())),
                ("pause_ms", "integer".to_owned(), Some("1 to 10".to_owned())),
                ("names", "list of texts".to_owned(), None),
                ("inner", "table".to_owned(), None),
            ]
        );
        assert_eq!(fields()[0].text(), "Number of workers, at least one.");
        assert_eq!(fields()[3].table().unwrap().fields[0].key, "share");
        assert!(fields()[3].is_optional() && !fields()[0].is_optional());
    }

    #[test]
    fn unknown_keys_and_skipped_fields_are_errors_in_a_file() {
        assert!(toml::from_str::<Outer>("workers = 1\n[inner]\nshare = 1.0").is_ok());
        for text in ["worker = 1", "file = \"x\"", "[inner]\nshares = 1.0"] {
            assert!(toml::from_str::<Outer>(text).is_err(), "{text}");
        }
    }
}
