//! Password hashes on a bounded number of threads.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::AccountsConfig;

/// Requests that wait for a hash; a further one is refused at once.
const WAITING_MAX: usize = 256;
const SALT_BYTES: usize = 16;
const RETRY_MS: u64 = 1_000;

/// Makes and checks hashes with Argon2id. The number at the same time is bounded, and each is made on
/// a thread for blocking work.
pub(super) struct Hasher {
    params: Params,
    slots: Arc<Semaphore>,
    waiting: Semaphore,
    wait_max: Duration,
    /// Hash of a random password, which is examined for names without an account. The first such login
    /// makes it, in its own slot.
    decoy: Arc<OnceLock<String>>,
}

impl Hasher {
    /// Takes the figures of the configuration.
    ///
    /// # Errors
    /// When Argon2 refuses the figures.
    pub(super) fn new(config: &AccountsConfig) -> Result<Self, String> {
        let params = Params::new(config.hash_memory_kib, config.hash_passes, 1, None);
        Ok(Hasher {
            params: params.map_err(|error| error.to_string())?,
            slots: Arc::new(Semaphore::new(config.hashes_max)),
            waiting: Semaphore::new(WAITING_MAX),
            wait_max: Duration::from_millis(config.hash_wait_ms),
            decoy: Arc::default(),
        })
    }

    /// Makes the hash of a password, with a new salt.
    ///
    /// # Errors
    /// `overloaded` when no slot is free in time.
    pub(super) async fn hash(&self, password: String) -> Result<String, Refusal> {
        let argon2 = self.argon2();
        self.blocking(move || make(&argon2, &password)).await?.map_err(|error| {
            tracing::error!(%error, "a password cannot be hashed");
            Refusal::new(Code::Internal, "the password could not be stored")
        })
    }

    /// Whether a password is the one of a stored hash. Without a hash, as for an unknown name, the same
    /// work is done and the answer is no.
    ///
    /// # Errors
    /// `overloaded` when no slot is free in time.
    pub(super) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Refusal> {
        let is_known = stored.is_some();
        let (argon2, decoy) = (self.argon2(), Arc::clone(&self.decoy));
        // The figures of the stored hash count, not those of this configuration.
        let verify = move || {
            let Some(stored) = stored.or_else(|| decoy_of(&decoy, &argon2)) else { return false };
            <Argon2<'_> as PasswordVerifier<str>>::verify_password(&argon2, password.as_bytes(), &stored)
                .is_ok()
        };
        Ok(self.blocking(verify).await? && is_known)
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = self.slot().await?;
        // A caller that goes away does not end the work: its slot is free when the work is over.
        let worked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        worked.await.map_err(|error| {
            tracing::error!(%error, "the thread of a password hash ended");
            Refusal::new(Code::Internal, "the password could not be examined")
        })
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let busy = || {
            let message = "too many people sign in at the same time; try again soon";
            Refusal::new(Code::Overloaded, message).retry_after_ms(RETRY_MS)
        };
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let slot = tokio::time::timeout(self.wait_max, Arc::clone(&self.slots).acquire_owned());
        slot.await.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

/// Makes the hash of a password, with a new salt.
fn make(argon2: &Argon2<'_>, password: &str) -> argon2::password_hash::Result<String> {
    let salt: [u8; SALT_BYTES] = rand::random();
    argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
}

/// Returns the hash for names without an account. Two logins at the same time may both make one.
fn decoy_of(decoy: &OnceLock<String>, argon2: &Argon2<'_>) -> Option<String> {
    if let Some(made) = decoy.get() {
        return Some(made.clone());
    }
    let made = make(argon2, &format!("{:032x}", rand::random::<u128>())).ok()?;
    Some(decoy.get_or_init(|| made).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(change: impl FnOnce(&mut AccountsConfig)) -> Hasher {
        let mut config =
            AccountsConfig { hash_memory_kib: 8_192, hash_passes: 1, ..AccountsConfig::default() };
        change(&mut config);
        Hasher::new(&config).unwrap()
    }

    #[tokio::test]
    async fn hash_has_its_figures_and_a_salt_of_its_own() {
        let hasher = hasher(|_| {});
        let hashes =
            [hasher.hash("secret".into()).await.unwrap(), hasher.hash("secret".into()).await.unwrap()];
        assert!(hashes[0].starts_with("$argon2id$v=19$m=8192,t=1,p=1$"), "{}", hashes[0]);
        assert_ne!(hashes[0], hashes[1]);
        assert!(hasher.verify("secret".into(), Some(hashes[0].clone())).await.unwrap());
        assert!(!hasher.verify("Secret".into(), Some(hashes[0].clone())).await.unwrap());
        assert!(!hasher.verify("secret".into(), None).await.unwrap());
        assert!(!hasher.verify("secret".into(), Some("damaged".into())).await.unwrap());
        let others = self::hasher(|config| config.hash_passes = 2);
        assert!(
            others.verify("secret".into(), Some(hashes[1].clone())).await.unwrap(),
            "stored figures count"
        );
    }

    #[tokio::test]
    async fn a_request_beyond_the_slots_is_refused_in_time() {
        let hasher = hasher(|config| {
            config.hashes_max = 1;
            config.hash_wait_ms = 10;
        });
        let taken = Arc::clone(&hasher.slots).acquire_owned().await.unwrap();
        let refusal = hasher.hash("secret".into()).await.unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::Overloaded, Some(RETRY_MS)));
        drop(taken);
        assert!(hasher.hash("secret".into()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn logins_of_unknown_names_wait_no_longer_than_others() {
        let hasher = hasher(|config| {
            config.hashes_max = 1;
            config.hash_wait_ms = 1_000;
        });
        let _taken = Arc::clone(&hasher.slots).acquire_owned().await.unwrap();
        let began = tokio::time::Instant::now();
        let logins = (0..20).map(|_| hasher.verify("secret".into(), None));
        for answer in futures_util::future::join_all(logins).await {
            assert_eq!(answer.unwrap_err().code, Code::Overloaded);
        }
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    }
}
