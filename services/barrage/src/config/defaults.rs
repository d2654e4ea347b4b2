//! `barrage config show --defaults`: a file with every key, its default and its meaning.

use std::fmt::Write;

use anyhow::Context;
use barrage_part::{Field, Kind, Setting};
use toml::{Table, Value};

use super::Config;
use crate::console::print_line;

/// Lists of tables, which cannot be shown as keys with a default.
const EXAMPLES: &str = r##"
# Keys that verify tokens; the first that can sign mints them.
# [[token.keys]]
# id = "2026-11"
# algorithm = "hs256"          # secret_file: its text, 32 bytes at least
# secret_file = "secret.key"
# [[token.keys]]
# id = "backend"
# algorithm = "eddsa"          # Ed25519 in PEM
# public_key_file = "public.pem"
# private_key_file = "private.pem"   # only where tokens are minted

# Word lists, searched in this order.
# [[moderation.lists]]
# name = "abuse"
# file = "abuse.txt"           # one word a line
# action = "mask"              # mask, refuse, hold or admit
# shadow = false

# Gifts with their prices; others are refused.
# [[uplink.gifts]]
# name = "rose"
# price_minor = 100

# Further sites of the platform, which the probe examines in both directions.
# [[probe.sites]]
# name = "east"
# entry_url = "https://east.chat.example"
# token_file = "east.token"    # a token of the role probe; without it, the tokens of this site
# ca_file = "east-ca.pem"      # authorities of that site; without it, ca_file

# Events with a known start, for which the fleet grows beforehand.
# [[autoscale.policy.schedules]]
# name = "show"
# start_secs = 1795966200.0
# duration_secs = 7200.0
# viewers = 100000.0
"##;

/// URL of the moderation hook in the file: the key has no default.
const HOOK_URL: &str = "http://127.0.0.1:9000/check";

/// Prints a configuration file that contains every setting with its default.
pub(crate) fn show_defaults() -> anyhow::Result<()> {
    print_line(text()?)
}

/// Default of every key. Optional tables are present with the defaults of their keys.
pub(super) fn default_values() -> anyhow::Result<Table> {
    let mut config = Config {
        nats: Some(Default::default()),
        redis: Some(Default::default()),
        history_redis: Some(Default::default()),
        postgres: Some(Default::default()),
        ..Config::default()
    };
    config.moderation.hook = Some(Default::default());
    config.media.s3 = Some(Default::default());
    Table::try_from(&config).context("the defaults cannot be written as TOML")
}

fn text() -> anyhow::Result<String> {
    let mut values = default_values()?;
    if let Some(hook) = at(&mut values, "moderation.hook") {
        hook.insert("url".into(), HOOK_URL.into());
    }
    let mut file = String::from(
        "# Every key of the configuration with its default. A line with `#` before a key is off until the `#`\n\
         # is removed. `barrage config check` checks a file that is made from this one.\n",
    );
    write_table(&mut file, "", Config::KIND.fields(), &values, State::On)?;
    file.push_str(EXAMPLES);
    Ok(file)
}

fn at<'a>(values: &'a mut Table, path: &str) -> Option<&'a mut Table> {
    path.split('.').try_fold(values, |table, key| table.get_mut(key)?.as_table_mut())
}

/// Whether a table is in force when the file does not contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    On,
    Off,
}

/// Writes the keys of a table, then its inner tables.
fn write_table(
    file: &mut String,
    path: &str,
    fields: &[Field],
    values: &Table,
    state: State,
) -> anyhow::Result<()> {
    let sign = if state == State::On { "" } else { "# " };
    for field in fields.iter().filter(|field| field.table().is_none()) {
        writeln!(file, "# {}", wrapped(&field.text()))?;
        match values.get(field.key) {
            // A list of tables beside an empty list would be a second value.
            Some(Value::Array(items)) if items.is_empty() && is_list_of_tables(field) => {
                writeln!(
                    file,
                    "# [[{}]]: see the end of this file",
                    super::reference::join(path, field.key)
                )?;
            }
            Some(value) => writeln!(file, "{sign}{} = {value}", field.key)?,
            None => writeln!(file, "# {} =", field.key)?,
        }
    }
    for field in fields {
        let Some(table) = field.table() else { continue };
        let (path, none) = (super::reference::join(path, field.key), Table::new());
        let values = values.get(field.key).and_then(Value::as_table).unwrap_or(&none);
        let state = if field.is_optional() { State::Off } else { state };
        let sign = if state == State::On { "" } else { "# " };
        writeln!(file, "\n# {}\n{sign}[{path}]", wrapped(&table.text()))?;
        write_table(file, &path, table.fields, values, state)?;
    }
    Ok(())
}

fn is_list_of_tables(field: &Field) -> bool {
    matches!(field.kind, Kind::List(Kind::Named(_)))
}

/// Breaks a text into comment lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= 98 {
            lines.push_str(&std::mem::take(&mut line));
            lines.push_str("\n# ");
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines + &line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_of_defaults_is_valid_and_changes_nothing() {
        let text = text().unwrap();
        let read: Config = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(read, Config::default());
    }

    #[test]
    fn file_with_every_table_on_is_valid() {
        let text = text().unwrap();
        let on: String = text
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| rest.starts_with('[')).unwrap_or(line))
            .filter(|line| !line.starts_with("[["))
            .fold(String::new(), |file, line| file + line + "\n");
        let config: Config = toml::from_str(&on).unwrap_or_else(|error| panic!("{error}\n{on}"));
        assert!(config.nats.is_some() && config.redis.is_some() && config.postgres.is_some());
    }

    #[test]
    fn optional_tables_and_keys_are_shown_as_comments_with_their_meaning() {
        let text = text().unwrap();
        for line in [
            "# [nats]",
            "# [postgres]",
            "# [redis]",
            "# [moderation.hook]",
            "# tls_cert_file =",
            "# folder =",
            "# guests =",
            "window_ms = 50",
            "# file =",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("# Batching window of a busy room"), "{text}");
    }
}
