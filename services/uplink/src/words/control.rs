//! Changes of a room's words, and their compiled form for the posts of this uplink.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use barrage_bus::{Bus, Change, RoomWords, Settings};
use barrage_moderation::{Moderator, RoomRules};
use barrage_protocol::code::Refusal;
use barrage_protocol::words::{
    WordAction, WordHit, WordRule, WordsAnswer, WordsRequest, WordsTestAnswer, WordsTestRequest,
};
use barrage_protocol::{Code, RoomId};
use barrage_store::Store;
use barrage_token::Identity;
use parking_lot::Mutex;
use serde_json::json;

use super::form;
use crate::record::AuditQueue;
use crate::review::{line, moderator};
use crate::room::RoomControl;

/// Rooms whose words stay compiled. Beyond, one of them is compiled again at its next post.
const COMPILED_MAX: usize = 1_024;
const TEST_BYTES_MAX: usize = 2_000;

/// The parts that the words of rooms need.
pub(crate) struct WordsParts {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: RoomControl,
    pub(crate) audit: Arc<AuditQueue>,
    pub(crate) moderator: Arc<Moderator>,
}

/// Rules of one room with their version.
#[derive(Debug, Clone)]
struct Compiled {
    version: u64,
    rules: Arc<RoomRules>,
}

/// Edits the words of rooms, and compiles them once for each version.
pub(crate) struct WordsControl {
    parts: WordsParts,
    compiled: Mutex<HashMap<RoomId, Compiled>>,
    /// One compilation at a time: the posts of one room wait for it together.
    building: tokio::sync::Mutex<()>,
    origin: Instant,
}

impl WordsControl {
    pub(crate) fn new(parts: WordsParts) -> Self {
        let origin = barrage_clock::now();
        WordsControl { parts, compiled: Mutex::default(), building: tokio::sync::Mutex::default(), origin }
    }

    /// Returns the time by which figures are counted.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Returns the compiled rules of a room; `None` for a room without words. The first post after a
    /// change compiles them, some milliseconds for each 1,000 words, so that no post is checked by older
    /// rules than the settings of this process have.
    pub(crate) async fn rules(&self, settings: &Settings, room: &RoomId) -> Option<Arc<RoomRules>> {
        let words = settings.words.get(room).filter(|words| !words.rules.is_empty())?;
        if let Some(found) = self.compiled(room, words.version) {
            return Some(found.rules);
        }
        let _turn = self.building.lock().await;
        if let Some(found) = self.compiled(room, words.version) {
            return Some(found.rules);
        }
        let before = self.compiled.lock().get(room).cloned();
        match self.build(Arc::clone(&words.rules), before).await {
            Ok(rules) => {
                let mut compiled = self.compiled.lock();
                if compiled.len() >= COMPILED_MAX
                    && !compiled.contains_key(room)
                    && let Some(other) = compiled.keys().next().cloned()
                {
                    compiled.remove(&other);
                }
                compiled.insert(room.clone(), Compiled { version: words.version, rules: Arc::clone(&rules) });
                Some(rules)
            }
            Err(refusal) => {
                // They were compiled before they were stored, by another version of this program.
                tracing::error!(%room, error = refusal.message, "the words of a room cannot be compiled");
                None
            }
        }
    }

    fn compiled(&self, room: &RoomId, version: u64) -> Option<Compiled> {
        self.compiled.lock().get(room).filter(|found| found.version >= version).cloned()
    }

    async fn build(
        &self,
        rules: Arc<[WordRule]>,
        before: Option<Compiled>,
    ) -> Result<Arc<RoomRules>, Refusal> {
        let moderator = Arc::clone(&self.parts.moderator);
        let build = move || {
            let before = before.as_ref().map(|before| &*before.rules);
            moderator.build_room_rules(&rules, before).map(Arc::new)
        };
        match tokio::task::spawn_blocking(build).await {
            Ok(Ok(rules)) => Ok(rules),
            Ok(Err(error)) => {
                let message = format!("rule {}: {}", error.rule, error.source);
                Err(Refusal::new(Code::BadRequest, message.replace("line ", "word ")))
            }
            Err(_) => Err(Refusal::new(Code::Internal, "the words could not be compiled")),
        }
    }

    /// Returns the rules of a room with their figures at this uplink, for a moderator.
    pub(crate) async fn show(&self, room: &RoomId, by: &Identity) -> Result<WordsAnswer, Refusal> {
        let settings = self.parts.control.settings();
        moderator(&settings, room, by)?;
        let words = settings.words.get(room).cloned().unwrap_or_default();
        Ok(self.answer(&settings, room, words).await)
    }

    async fn answer(&self, settings: &Settings, room: &RoomId, words: RoomWords) -> WordsAnswer {
        let compiled = self.rules(settings, room).await;
        let shares = compiled.map(|rules| rules.shares(self.now())).unwrap_or_default();
        let figures = words.rules.iter().zip(shares).map(|(rule, share)| form::figures(rule, share));
        WordsAnswer { version: words.version, figures: figures.collect(), rules: words.rules.to_vec() }
    }

    /// Replaces the rules of a room. They are in force at this uplink when this returns, and at the
    /// others as soon as the settings reach them.
    ///
    /// # Errors
    /// `bad_request` for a rule out of its bounds, `conflict` when the writer has read another version.
    pub(crate) async fn put(
        &self,
        room: &RoomId,
        by: &Identity,
        request: WordsRequest,
    ) -> Result<WordsAnswer, Refusal> {
        let role = moderator(&self.parts.control.settings(), room, by)?;
        form::checked(&request.rules)?;
        let WordsRequest { version: expected, rules } = request;
        // A word that cannot be compiled is refused before it is stored.
        self.build(rules.clone().into(), None).await?;
        let change = Change::Words { room: room.clone(), rules, expected };
        let changed = self.parts.bus.change(change).await?;
        let words = changed.words();
        // Words are not written to the audit log: they may be slurs or names.
        let rules: Vec<_> = words.rules.iter().map(rule_line).collect();
        let detail = json!({ "role": role.label(), "version": words.version, "rules": rules });
        self.parts.audit.write_through(&*self.parts.store, line(room, &by.user, None, "words", detail)).await;
        let settings = self.parts.control.settings();
        Ok(self.answer(&settings, room, words).await)
    }

    /// Returns what the rules of the room, or others, would do with a text. Counts nothing.
    pub(crate) async fn test(
        &self,
        room: &RoomId,
        by: &Identity,
        request: WordsTestRequest,
    ) -> Result<WordsTestAnswer, Refusal> {
        let settings = self.parts.control.settings();
        moderator(&settings, room, by)?;
        if request.text.len() > TEST_BYTES_MAX {
            return Err(Refusal::new(Code::BadRequest, format!("text: at most {TEST_BYTES_MAX} bytes")));
        }
        let rules = match request.rules {
            Some(rules) => {
                form::checked(&rules)?;
                Some(self.build(rules.into(), None).await?)
            }
            None => self.rules(&settings, room).await,
        };
        let (hits, text) = match rules {
            Some(rules) => rules.test(&request.text),
            None => (Vec::new(), request.text),
        };
        let active = || hits.iter().filter(|hit| !hit.shadow).map(|hit| hit.action);
        let decides = active().find(|action| *action != WordAction::Mask);
        let action = decides.or_else(|| active().next());
        let hit = |hit: barrage_moderation::RoomHit| WordHit {
            rule: hit.rule,
            action: hit.action,
            shadow: hit.shadow,
            matched: hit.matched,
        };
        Ok(WordsTestAnswer { action, text, hits: hits.into_iter().map(hit).collect() })
    }
}

fn rule_line(rule: &WordRule) -> serde_json::Value {
    json!({ "name": rule.name, "words": rule.words.len(), "action": rule.action, "shadow": rule.shadow })
}
