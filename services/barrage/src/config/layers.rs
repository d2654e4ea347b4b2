//! Merge of defaults, file, environment and flags.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Env, Serialized};
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::{Config, DEFAULT_FILE, Problem, relations};

/// Variables with the prefix `BARRAGE_` that are not settings.
const NOT_SETTINGS: [&str; 9] = [
    "config",
    "recordings",
    "revision",
    "bin",
    "namespace",
    "token_file",
    "admin_url",
    "admin_token",
    "admin_token_file",
];
/// Maximum values of a wrong type that are reported.
const MISTAKES_MAX: usize = 100;

/// Values of command line flags, which override all other sources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// Path of the configuration file; when absent, `./barrage.toml` if it exists.
    pub(crate) file: Option<PathBuf>,
    pub(crate) data_dir: Option<PathBuf>,
    /// File with authorities that clients of this process trust.
    pub(crate) ca_file: Option<PathBuf>,
    /// Public addresses; those of the configuration when empty.
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) admin_listen: Option<SocketAddr>,
}

/// Returns the merged configuration, and all mistakes in its types and numbers. A value that cannot be
/// read counts as absent, so that the other values are checked as well.
pub(crate) fn load(overrides: &Overrides) -> (Config, Vec<Problem>) {
    let named = overrides.file.clone();
    let file = named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file()));
    let (mut config, mut problems) = merged(file.as_deref());
    config.file = file;
    if let Some(data_dir) = &overrides.data_dir {
        config.data_dir.clone_from(data_dir);
    }
    if let Some(ca_file) = &overrides.ca_file {
        config.ca_file = Some(ca_file.clone());
    }
    if !overrides.listen.is_empty() {
        config.listen.clone_from(&overrides.listen);
    }
    config.admin_listen = overrides.admin_listen.unwrap_or(config.admin_listen);
    problems.extend(relations::problems(&config));
    (config, problems)
}

/// Reads the section `[token]` of the file and the environment again, for a running process.
pub(crate) fn token(file: Option<&Path>) -> anyhow::Result<barrage_token::TokenConfig> {
    let (config, problems) = merged(file);
    super::refuse(&problems)?;
    Ok(config.token)
}

/// Merges all sources. Removes a value of a wrong type from its source and tries again, so that every
/// mistake is reported.
fn merged(file: Option<&Path>) -> (Config, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut layers = Vec::new();
    if let Some(path) = file {
        match Layer::file(path) {
            Ok(layer) => layers.push(layer),
            Err(error) => problems.push(Problem::error(path.display().to_string(), &error)),
        }
    }
    match Layer::environment() {
        Ok(layer) => layers.push(layer),
        Err(error) => problems.push(Problem::new("environment", error.to_string())),
    }
    loop {
        let defaults = Figment::from(Serialized::defaults(Config::default()));
        let figment = layers.iter().cloned().fold(defaults, Figment::merge);
        let error = match figment.extract::<Config>() {
            Ok(config) => return (config, problems),
            Err(error) => error,
        };
        let error = error.into_iter().next().unwrap_or_else(|| Error::from("unknown mistake".to_owned()));
        let path = path_of(&error);
        let layer = layers.iter_mut().rev().find_map(|layer| layer.remove(&path).then(|| layer.name.clone()));
        let place = layer.as_ref().map(|name| format!(" (in {name})")).unwrap_or_default();
        problems.push(Problem::new(path.join("."), format!("{}{place}", mistake(&error, &path))));
        if layer.is_none() || problems.len() >= MISTAKES_MAX {
            return (Config::default(), problems);
        }
    }
}

/// Reads a file as a table with absolute paths, for a file that is made from it. The table contains
/// passwords.
pub(crate) fn file_table(path: &Path) -> anyhow::Result<toml::Table> {
    let mut table = parse(path)?;
    let folder = std::path::absolute(path)?;
    resolve(&mut table, folder.parent().unwrap_or(Path::new("/")));
    Ok(table)
}

/// Reads a file as a table. An error names the line without its text, which may contain a password.
fn parse(path: &Path) -> anyhow::Result<toml::Table> {
    let text = std::fs::read_to_string(path)?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        anyhow::anyhow!("line {line}: {}", error.message())
    })
}

/// Describes a mistake, without a value that may contain a password.
fn mistake(error: &Error, path: &[String]) -> String {
    let is_secret = path.iter().any(|key| key.starts_with("url") || key.ends_with("_urls"));
    match &error.kind {
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if is_secret => {
            format!("a value of another kind, expected {expected}")
        }
        kind => kind.to_string(),
    }
}

/// Returns the path of a mistake, with the name of an unknown key.
fn path_of(error: &Error) -> Vec<String> {
    let mut path = error.path.clone();
    if let Kind::UnknownField(field, _) = &error.kind
        && path.last() != Some(field)
    {
        path.push(field.clone());
    }
    path
}

/// Values of one source, with the name that messages call it by.
#[derive(Debug, Clone)]
struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    fn file(path: &Path) -> anyhow::Result<Layer> {
        let mut table = parse(path)?;
        // Paths of a file in the working directory need no change.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            resolve(&mut table, &std::path::absolute(folder)?);
        }
        let values = Value::serialize(&table)?.into_dict().unwrap_or_default();
        Ok(Layer { name: path.display().to_string(), values })
    }

    #[expect(clippy::result_large_err, reason = "figment's own error, once at start")]
    fn environment() -> Result<Layer, Error> {
        let read = Env::prefixed("BARRAGE_").ignore(&NOT_SETTINGS).split("__").data()?;
        let values = read.into_values().next().unwrap_or_default();
        Ok(Layer { name: "the environment, BARRAGE_*".into(), values })
    }

    /// Removes the value at a path, or the nearest table or list around it. Returns whether anything was
    /// removed.
    fn remove(&mut self, path: &[String]) -> bool {
        (1..=path.len()).rev().any(|len| remove(&mut self.values, &path[..len]))
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn remove(values: &mut Dict, path: &[String]) -> bool {
    let Some((key, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        return values.remove(key).is_some();
    }
    match values.get_mut(key) {
        Some(Value::Dict(_, inner)) => remove(inner, rest),
        Some(Value::Array(_, items)) => remove_item(items, rest),
        _ => false,
    }
}

fn remove_item(items: &mut Vec<Value>, path: &[String]) -> bool {
    let Some((index, rest)) = path.split_first() else { return false };
    let Some(index) = index.parse::<usize>().ok().filter(|index| *index < items.len()) else { return false };
    match (&mut items[index], rest.is_empty()) {
        (_, true) => {
            items.remove(index);
            true
        }
        (Value::Dict(_, inner), false) => remove(inner, rest),
        (Value::Array(_, inner), false) => remove_item(inner, rest),
        _ => false,
    }
}

/// Makes relative paths of a file start at its folder.
fn resolve(table: &mut toml::Table, folder: &Path) {
    for (key, value) in table {
        let is_path = key.ends_with("_file") || ["file", "folder", "data_dir"].contains(&key.as_str());
        match value {
            toml::Value::String(path) if is_path && !path.is_empty() => {
                *path = folder.join(&*path).to_string_lossy().into_owned();
            }
            toml::Value::Table(inner) => resolve(inner, folder),
            toml::Value::Array(items) => {
                items.iter_mut().filter_map(toml::Value::as_table_mut).for_each(|item| resolve(item, folder));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use barrage_part::Setting as _;

    use super::*;

    fn read(text: &str) -> (Config, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("barrage.toml");
        std::fs::write(&file, text).unwrap();
        let (config, problems) = merged(Some(&file));
        (config, problems.iter().map(|problem| format!("{problem}\n")).collect())
    }

    #[test]
    fn variable_of_every_key_is_read() {
        let keys: Vec<_> = Config::KIND.fields().iter().map(|field| field.key).collect();
        assert!(keys.contains(&"ca_file"));
        for name in NOT_SETTINGS {
            assert!(!keys.contains(&name), "BARRAGE_{name} is a setting");
        }
    }

    #[test]
    fn every_value_of_a_wrong_type_is_reported_with_its_key() {
        let (config, errors) = read(
            "colour = 1\nlisten = [\"nowhere\"]\n[gateway]\nwindow_ms = \"50ms\"\nwindow_seconds = 1\n\
             shards = 3\n[[token.keys]]\nid = \"k\"\nalgorithm = \"hs256\"\nsecret_flie = \"x\"\n\
             [http]\ntrusted_proxies = [\"10.0.0.0/99\"]\n[uplink]\ngift_role_min = \"boss\"\n",
        );
        for named in [
            "colour",
            "listen",
            "gateway.window_ms",
            "gateway.window_seconds",
            "token.keys.0",
            "secret_flie",
            "http.trusted_proxies.0",
            "uplink.gift_role_min",
        ] {
            assert!(errors.contains(named), "{named} is not in\n{errors}");
        }
        assert_eq!(config.gateway.shards, 3, "values beside a mistake are read");
    }

    #[test]
    fn relative_paths_start_at_the_files_folder() {
        let (config, errors) = read(
            "data_dir = \"data\"\n[store]\nfile = \"/abs/s.sqlite\"\n[[token.keys]]\nid = \"k\"\n\
             algorithm = \"hs256\"\nsecret_file = \"secret.key\"\n[http]\ntls_cert_file = \"c.pem\"\n\
             [gateway.recorder]\nfolder = \"dumps\"\n[[moderation.lists]]\nname = \"a\"\nfile = \"a.txt\"\n\
             action = \"mask\"\n",
        );
        assert_eq!(errors, "");
        let barrage_token::KeyConfig::Hs256 { secret_file, .. } = &config.token.keys[0] else { panic!() };
        let paths = [
            &config.data_dir,
            secret_file,
            config.http.tls_cert_file.as_ref().unwrap(),
            config.gateway.recorder.folder.as_ref().unwrap(),
            config.moderation.lists[0].file.as_ref().unwrap(),
        ];
        let folder = config.data_dir.parent().unwrap().to_owned();
        assert!(folder.is_absolute());
        assert!(paths.iter().all(|path| path.starts_with(&folder)), "{paths:?}");
        assert_eq!(config.store.file.unwrap(), Path::new("/abs/s.sqlite"));
    }

    #[test]
    fn a_mistake_in_a_url_does_not_repeat_it() {
        for text in [
            "[nats]\nurls = \"nats://me:canary@host\"\n",
            "[redis]\nurl = [\"redis://me:canary@host\"]\n",
            "[redis]\nurl = \"redis://me:canary@host\n",
        ] {
            let (_, errors) = read(text);
            assert!(!errors.is_empty() && !errors.contains("canary"), "{errors}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_no_toml_is_named() {
        let (_, problems) = merged(Some(Path::new("/nowhere/barrage.toml")));
        assert!(problems[0].to_string().contains("/nowhere/barrage.toml"));
        assert!(read("listen = [").1.contains("barrage.toml"));
    }
}
