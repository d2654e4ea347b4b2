//! Who may write to whom, as the tables said some seconds ago. The courier decides again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use barrage_cache::Cache;
use barrage_inbox::{
    Conversation, ConversationId, ConversationNumber, ConversationState, Counters, Folder, Member, Refusal,
    Role, Standing, UserNumber, folder_of,
};
use barrage_protocol::UserId;
use barrage_store::{InboxError, InboxReads, Membership, Terms};

use super::config::InboxConfig;
use super::erased::{Pseudonyms, is_pseudonym};

/// Longest wait for the tables before a letter. Beyond, the letter is taken unchecked, and the courier decides.
const ANSWER_MAX: Duration = Duration::from_millis(250);
/// Time for which the tables are not asked after they did not answer.
const PAUSE_MS: u64 = 1_000;

/// Answers of the tables that are kept for some seconds.
pub(super) struct Access {
    store: Arc<dyn InboxReads>,
    /// Time until which the tables are not asked, in steady milliseconds.
    paused_until_ms: AtomicU64,
    pub(super) pseudonyms: Pseudonyms,
    terms: Cache<(UserId, UserId), Terms>,
    /// Whether users were erased.
    erased: Cache<UserId, bool>,
    members: Cache<(UserId, ConversationId), Option<Arc<Membership>>>,
}

impl Access {
    pub(super) fn new(store: Arc<dyn InboxReads>, secret: &[u8; 32], config: &InboxConfig) -> Self {
        let age = Duration::from_millis(config.access_age_ms);
        Access {
            store,
            paused_until_ms: AtomicU64::new(0),
            pseudonyms: Pseudonyms::new(secret),
            erased: Cache::new(config.access_kept_max, age),
            terms: Cache::new(config.access_kept_max, age),
            members: Cache::new(config.access_kept_max, age),
        }
    }

    /// Returns the terms of letters between two users. `admits` says whether terms from memory will do: nobody is
    /// refused by them, because the receiver may have answered meanwhile.
    pub(super) async fn terms(
        &self,
        from: &UserId,
        to: &UserId,
        admits: impl Fn(&Terms) -> bool,
    ) -> Result<Terms, InboxError> {
        let key = (from.clone(), to.clone());
        let known = self.terms.get(&key).await;
        if let Some(terms) = known.filter(admits) {
            return Ok(terms);
        }
        let mut terms = self.asked(self.store.terms(from, to)).await?;
        // Letters of the last moments are not in the tables yet, and were noted here.
        terms.sent = terms.sent.max(known.map_or(0, |known| known.sent));
        self.terms.insert(key, terms).await;
        Ok(terms)
    }

    /// Waits for an answer of the tables, for a bounded time. While they are away, letters must not wait for them.
    async fn asked<T>(&self, answer: impl Future<Output = Result<T, InboxError>>) -> Result<T, InboxError> {
        let away = || InboxError::Query("the inbox does not answer in time".into());
        let now_ms = barrage_clock::steady_ms();
        if now_ms < self.paused_until_ms.load(Ordering::Relaxed) {
            return Err(away());
        }
        let answered = tokio::time::timeout(ANSWER_MAX, answer).await.unwrap_or_else(|_| Err(away()));
        if answered.is_err() {
            self.paused_until_ms.store(barrage_clock::steady_ms() + PAUSE_MS, Ordering::Relaxed);
        }
        answered
    }

    /// Whether a user was erased, as the tables said some seconds ago. While they cannot be read, nobody was.
    pub(super) async fn is_erased(&self, user: &UserId) -> bool {
        if is_pseudonym(user) {
            return true;
        }
        if let Some(known) = self.erased.get(user).await {
            return known;
        }
        let pseudonym = self.pseudonyms.first(user);
        let Ok(found) = self.asked(self.store.user(&pseudonym)).await else { return false };
        self.erased.insert(user.clone(), found.is_some()).await;
        found.is_some()
    }

    /// Notes that a user was erased.
    pub(super) async fn note_erased(&self, user: &UserId) {
        self.erased.insert(user.clone(), true).await;
    }

    /// Notes what a letter of this uplink changes, so that further letters meet it at once.
    pub(super) async fn note(&self, from: &UserId, to: &UserId, terms: Terms) {
        self.terms.insert((from.clone(), to.clone()), terms).await;
    }

    /// Returns the user's row in a conversation; `None` for a user who never was in it. `admits` says whether a
    /// row from memory will do: nobody is refused by it.
    pub(super) async fn member(
        &self,
        user: &UserId,
        conversation: &ConversationId,
        admits: impl Fn(&Membership) -> bool,
    ) -> Result<Option<Arc<Membership>>, InboxError> {
        let key = (user.clone(), conversation.clone());
        if let Some(Some(member)) = self.members.get(&key).await
            && admits(&member)
        {
            return Ok(Some(member));
        }
        let member = self.asked(self.store.membership(user, conversation)).await?.map(Arc::new);
        self.members.insert(key, member.clone()).await;
        Ok(member)
    }

    /// Forgets what is known about letters between two users, in both directions.
    pub(super) async fn forget_terms(&self, one: &UserId, other: &UserId) {
        self.terms.remove(&(one.clone(), other.clone())).await;
        self.terms.remove(&(other.clone(), one.clone())).await;
    }

    /// Forgets a user's row in a conversation.
    pub(super) async fn forget_member(&self, user: &UserId, conversation: &ConversationId) {
        self.members.remove(&(user.clone(), conversation.clone())).await;
    }
}

/// Refuses a letter that the courier would refuse, and returns the receiver's folder for it.
pub(super) fn may_write(terms: &Terms, standing: Standing) -> Result<Folder, Refusal> {
    if terms.is_blocked {
        return Err(Refusal::Blocked);
    }
    let receiver = terms.folder.map(|folder| Member {
        folder,
        ..Member::new(UserNumber(0), ConversationNumber(0), Counters::default())
    });
    folder_of(terms.policy, standing, receiver.as_ref(), terms.sent)
}

/// Refuses an item of a user who may not send to a group, and returns its conversation.
pub(super) fn may_post(membership: Option<&Membership>) -> Result<&Conversation, Refusal> {
    let found = membership.filter(|found| found.member.is_present());
    let found = found.filter(|found| found.conversation.state == ConversationState::Open);
    match found {
        None => Err(Refusal::NotMember),
        Some(found) if found.member.role == Role::Muted => Err(Refusal::Muted),
        Some(found) => Ok(&found.conversation),
    }
}

#[cfg(test)]
mod tests {
    use barrage_inbox::WritePolicy;

    use super::*;

    #[test]
    fn terms_refuse_what_the_courier_would_refuse() {
        let terms = Terms::default();
        assert_eq!(may_write(&terms, Standing::Stranger), Ok(Folder::Request));
        let blocked = Terms { is_blocked: true, ..terms };
        assert_eq!(may_write(&blocked, Standing::Trusted), Err(Refusal::Blocked));
        let asked = Terms { folder: Some(Folder::Request), sent: 3, ..terms };
        assert_eq!(may_write(&asked, Standing::Stranger), Err(Refusal::RequestsOnly));
        assert_eq!(may_write(&Terms { sent: 2, ..asked }, Standing::Stranger), Ok(Folder::Request));
        let known = Terms { policy: WritePolicy::Known, ..terms };
        assert_eq!(may_write(&known, Standing::Stranger), Err(Refusal::RequestsOnly));
        let answered = Terms { folder: Some(Folder::Main), sent: 900, ..known };
        assert_eq!(may_write(&answered, Standing::Stranger), Ok(Folder::Main));
        assert_eq!(may_post(None).map(drop), Err(Refusal::NotMember));
    }
}
