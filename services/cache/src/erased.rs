//! The one engine: keys and values without their types. Nothing here is generic, so that it is compiled once.

use std::any::Any;
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;

/// A key or a value whose type one cache knows.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;
/// A load that makes a value or an error.
pub(crate) type Load<'a> = Pin<Box<dyn Future<Output = Result<Entry, Shared>> + Send + 'a>>;

/// What a cache asks of a key. All keys of a cache have the same type.
pub(crate) trait Key: Any + Send + Sync {
    fn hash_into(&self, state: &mut dyn Hasher);
    fn is_equal(&self, other: &dyn Key) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<K: Hash + Eq + Send + Sync + 'static> Key for K {
    fn hash_into(&self, mut state: &mut dyn Hasher) {
        self.hash(&mut state);
    }

    fn is_equal(&self, other: &dyn Key) -> bool {
        other.as_any().downcast_ref::<K>().is_some_and(|other| self == other)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A key that is looked up or kept.
#[derive(Clone)]
pub(crate) struct AnyKey(pub(crate) Arc<dyn Key>);

impl Hash for dyn Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash_into(state);
    }
}

impl PartialEq for dyn Key {
    fn eq(&self, other: &dyn Key) -> bool {
        self.is_equal(other)
    }
}

impl Eq for dyn Key {}

impl Hash for AnyKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (*self.0).hash_into(state);
    }
}

impl PartialEq for AnyKey {
    fn eq(&self, other: &AnyKey) -> bool {
        // Not the pointer, which is a key by its own type as well.
        (*self.0).is_equal(&*other.0)
    }
}

impl Eq for AnyKey {}

impl Borrow<dyn Key> for AnyKey {
    fn borrow(&self) -> &(dyn Key + 'static) {
        &*self.0
    }
}

/// A value with its weight and the time for which it is kept.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Shared,
    pub(crate) weight: u32,
    pub(crate) life: Duration,
}

/// Every value ends by its own time, also one that takes the place of another.
struct Life;

impl Expiry<AnyKey, Entry> for Life {
    fn expire_after_create(&self, _: &AnyKey, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.life)
    }

    fn expire_after_update(
        &self,
        _: &AnyKey,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.life)
    }
}

/// A cache without types; clones share it.
#[derive(Clone)]
pub(crate) struct Engine(Cache<AnyKey, Entry>);

impl Engine {
    pub(crate) fn new(weight_max: u64) -> Self {
        let weight = |_: &AnyKey, entry: &Entry| entry.weight;
        Engine(Cache::builder().max_capacity(weight_max).weigher(weight).expire_after(Life).build())
    }

    pub(crate) async fn get(&self, key: &(dyn Key + 'static)) -> Option<Entry> {
        self.0.get(key).await
    }

    pub(crate) async fn insert(&self, key: AnyKey, entry: Entry) {
        self.0.insert(key, entry).await;
    }

    pub(crate) async fn load(&self, key: AnyKey, load: Load<'_>) -> Result<Entry, Shared> {
        self.0.try_get_with(key, load).await.map_err(|error| Shared::clone(&error))
    }

    pub(crate) async fn remove(&self, key: &(dyn Key + 'static)) {
        self.0.invalidate(key).await;
    }

    pub(crate) fn clear(&self) {
        self.0.invalidate_all();
    }

    pub(crate) async fn sweep(&self) {
        self.0.run_pending_tasks().await;
    }

    pub(crate) fn weight(&self) -> u64 {
        self.0.weighted_size()
    }
}
