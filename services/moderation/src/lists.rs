//! The word lists in force. A list can be replaced while texts are checked.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::config::{ListConfig, ModerationConfig};
use crate::error::{ListError, ModerationError};
use crate::rules::word_list::{FILE_BYTES_MAX, WordList};

/// A word list in force, with its configuration.
#[derive(Debug, Clone)]
pub(crate) struct NamedList {
    pub(crate) config: Arc<ListConfig>,
    pub(crate) words: Arc<WordList>,
}

/// Time and length of a file when it was read; `None` without a file.
type Stamp = Option<(SystemTime, u64)>;

/// The result of reading a list whose file had changed.
#[derive(Debug)]
pub struct Reloaded {
    /// Name of the list in the configuration.
    pub name: String,
    /// Number of words, or why the older words stay in force.
    pub result: Result<usize, ListError>,
}

/// All word lists. The check of a text uses one state of the lists, also when a list is replaced
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Lists {
    current: ArcSwap<Vec<NamedList>>,
    stamps: Mutex<Vec<Stamp>>,
}

impl Lists {
    /// Reads every list that has a file. Blocks the thread.
    pub(crate) fn read(configs: &[ListConfig]) -> Result<Self, ModerationError> {
        let (mut lists, mut stamps) = (Vec::new(), Vec::new());
        for config in configs {
            let failed = |source| ModerationError::List { name: config.name.clone(), source };
            stamps.push(config.file.as_deref().and_then(stamp));
            let words = match &config.file {
                Some(file) => read(file).map_err(failed)?,
                None => WordList::build([]).map_err(|error| failed(error.into()))?,
            };
            lists.push(NamedList { config: Arc::new(config.clone()), words: Arc::new(words) });
        }
        Ok(Lists { current: ArcSwap::from_pointee(lists), stamps: Mutex::new(stamps) })
    }

    pub(crate) fn current(&self) -> arc_swap::Guard<Arc<Vec<NamedList>>> {
        self.current.load()
    }

    pub(crate) fn replace(&self, name: &str, words: WordList) -> Result<(), ListError> {
        let at = self.current.load().iter().position(|list| list.config.name == name);
        let at = at.ok_or(ListError::Unknown)?;
        let words = Arc::new(words);
        self.current.rcu(|lists| {
            let mut lists = Vec::clone(lists);
            lists[at].words = Arc::clone(&words);
            lists
        });
        Ok(())
    }

    /// Reads the files whose length or time changed since the last call. A file that cannot be read
    /// is reported once for each change. Blocks the thread.
    pub(crate) fn reload(&self) -> Vec<Reloaded> {
        let mut reloaded = Vec::new();
        for (at, list) in self.current.load_full().iter().enumerate() {
            let Some(file) = &list.config.file else { continue };
            let now = stamp(file);
            {
                let mut stamps = self.stamps.lock();
                if stamps[at] == now {
                    continue;
                }
                stamps[at] = now;
            }
            let name = list.config.name.clone();
            let result = read(file).and_then(|words| {
                let count = words.len();
                self.replace(&name, words).map(|()| count)
            });
            reloaded.push(Reloaded { name, result });
        }
        reloaded
    }
}

/// Returns the lists of `config` whose file cannot be read or parsed. Blocks the thread.
#[must_use]
pub fn file_problems(config: &ModerationConfig) -> Vec<ModerationError> {
    let read = |list| Lists::read(std::slice::from_ref(list)).err();
    config.lists.iter().filter_map(read).collect()
}

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}

fn read(file: &Path) -> Result<WordList, ListError> {
    let mut text = String::new();
    File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(ListError::TooLong);
    }
    Ok(WordList::build(text.trim_start_matches('\u{FEFF}').lines())?)
}
