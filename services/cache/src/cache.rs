//! A cache of one type of keys, one of values and one of errors.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::erased::{AnyKey, Engine, Entry, Shared};

/// A bounded cache whose entries end; clones share it. `E` is the error of its loads.
pub struct Cache<K, V, E = Infallible> {
    engine: Engine,
    weight: fn(&V) -> u32,
    /// Time for which a value is kept from its insertion on.
    life: Duration,
    /// Gives the time of a value where each has its own.
    life_of: Option<fn(&V) -> Duration>,
    types: PhantomData<fn(K) -> Result<V, E>>,
}

impl<K, V, E> Cache<K, V, E>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Makes a cache of at most `entries_max` entries, each of which is kept for `life`.
    #[must_use]
    pub fn new(entries_max: u64, life: Duration) -> Self {
        Cache { engine: Engine::new(entries_max), weight: |_| 1, life, life_of: None, types: PhantomData }
    }

    /// Makes a cache whose values weigh `weight_max` together at most, and are kept for a time of their own.
    #[must_use]
    pub fn weighed(weight_max: u64, weight: fn(&V) -> u32, life: fn(&V) -> Duration) -> Self {
        Cache {
            engine: Engine::new(weight_max),
            weight,
            life: Duration::MAX,
            life_of: Some(life),
            types: PhantomData,
        }
    }

    /// Returns the value of a key; `None` when there is none, or it has ended.
    pub async fn get(&self, key: &K) -> Option<V> {
        let entry = self.engine.get(key).await?;
        entry.value.downcast_ref::<V>().cloned()
    }

    /// Keeps a value, in place of an earlier one.
    pub async fn insert(&self, key: K, value: V) {
        self.engine.insert(AnyKey(Arc::new(key)), self.entry(value)).await;
    }

    /// Returns the value of a key, or loads it. Callers that come during a load wait for it. Errors are not kept.
    ///
    /// # Errors
    /// That of the load, for all who waited for it.
    pub async fn load(&self, key: K, load: impl Future<Output = Result<V, E>> + Send) -> Result<V, Arc<E>> {
        let load =
            async { load.await.map(|value| self.entry(value)).map_err(|error| Arc::new(error) as Shared) };
        match self.engine.load(AnyKey(Arc::new(key)), Box::pin(load)).await {
            Ok(entry) => Ok(entry.value.downcast_ref::<V>().expect("a cache has values of one type").clone()),
            Err(error) => Err(error.downcast().expect("a cache has errors of one type")),
        }
    }

    /// Removes the value of a key.
    pub async fn remove(&self, key: &K) {
        self.engine.remove(key).await;
    }

    /// Removes all values that were kept before this call.
    pub fn clear(&self) {
        self.engine.clear();
    }

    /// Frees the memory of values that have ended.
    pub async fn sweep(&self) {
        self.engine.sweep().await;
    }

    /// Returns the weight of what is kept; values that have ended count until a sweep.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.engine.weight()
    }

    fn entry(&self, value: V) -> Entry {
        let life = self.life_of.map_or(self.life, |life_of| life_of(&value));
        Entry { weight: (self.weight)(&value), life, value: Arc::new(value) }
    }
}

impl<K, V, E> Clone for Cache<K, V, E> {
    fn clone(&self) -> Self {
        Cache {
            engine: self.engine.clone(),
            weight: self.weight,
            life: self.life,
            life_of: self.life_of,
            types: PhantomData,
        }
    }
}

impl<K, V, E> fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("weight", &self.engine.weight()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
