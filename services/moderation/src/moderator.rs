//! The moderator: all rules in their order, cheap ones first.

use std::sync::Arc;
use std::time::Duration;

use barrage_guarded::{BreakerMetrics, Guarded};
use barrage_protocol::words::WordRule;
use parking_lot::Mutex;

use crate::check::{Candidate, Check, Mode};
use crate::config::{ListScope, ModerationConfig};
use crate::decision::{Decision, Measure, RuleHit};
use crate::error::{ListError, ModerationError};
use crate::lists::{Lists, NamedList, Reloaded};
use crate::metrics::{ModerationMetrics, RuleKind};
use crate::rules::Mask;
use crate::rules::escalation::Escalation;
use crate::rules::hook::{Answer, Hook, Question};
use crate::rules::links::Links;
use crate::rules::repeat::{Repeated, Repeats};
use crate::rules::room_rules::{RoomRules, RoomRulesError, excerpt, matched};
use crate::rules::word_list::WordList;
use crate::text::Folded;

/// The outcome of the check of a sender's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The name is shown to viewers unchanged.
    Plain,
    /// This name is shown to viewers instead.
    Masked(String),
    /// A list refuses or holds the name, so it is not shown.
    Refused(RuleHit),
}

/// Decides about texts. A process has one moderator, shared by all requests.
///
/// The order is: length, repeats, links, lists in their configured order, the room's words, the hook. The first rule
/// that refuses or holds decides, and the later ones are skipped. Masks add up. Rules in shadow mode
/// check the texts that reach them.
#[derive(Debug)]
pub struct Moderator {
    config: ModerationConfig,
    lists: Arc<Lists>,
    links: Links,
    repeats: Mutex<Repeats>,
    escalation: Mutex<Escalation>,
    hook: Option<Hook>,
    metrics: ModerationMetrics,
}

impl Moderator {
    /// Reads the files of the lists. Blocks the thread while the lists are built.
    ///
    /// # Errors
    /// When a value of `config` is wrong, a file cannot be read, or the hook's client cannot be made.
    pub fn new(
        config: ModerationConfig,
        metrics: ModerationMetrics,
        breakers: &BreakerMetrics,
    ) -> Result<Self, ModerationError> {
        config.validate()?;
        let hook = config.hook.clone().map(|hook| Hook::new("moderation_hook", hook, breakers)).transpose();
        Ok(Moderator {
            lists: Arc::new(Lists::read(&config.lists)?),
            links: Links::new(&config.links),
            repeats: Mutex::new(Repeats::new(config.repeat.clone())),
            escalation: Mutex::new(Escalation::new(config.escalation.clone())),
            hook: hook?,
            metrics,
            config,
        })
    }

    /// Checks a text. `now` is the time since one origin for all calls; `at_ms` is Unix time for the
    /// audit. Waits for the hook alone, at most for its deadline.
    pub async fn check(&self, candidate: &Candidate<'_>, now: Duration, at_ms: u64) -> Decision {
        self.check_by(candidate, TextKind::Message, now, at_ms).await
    }

    /// Checks the name of a gift like [`Moderator::check`], without the rule of repeats, because a
    /// combo of gifts repeats its name.
    pub async fn check_gift(&self, candidate: &Candidate<'_>, now: Duration, at_ms: u64) -> Decision {
        self.check_by(candidate, TextKind::Gift, now, at_ms).await
    }

    async fn check_by(
        &self,
        candidate: &Candidate<'_>,
        kind: TextKind,
        now: Duration,
        at_ms: u64,
    ) -> Decision {
        let mut check = Check::new(*candidate, at_ms, &self.metrics);
        {
            let _timer = self.metrics.check.start_timer();
            self.local(&mut check, kind, now);
        }
        if let (Some(hook), None) = (&self.hook, &check.decided) {
            ask(hook, &mut check).await;
        }
        let mute = check.counts_as_hit.then(|| self.escalate(&mut check, now)).flatten();
        check.finish(mute)
    }

    /// Whether a text has an address whose host is not in `moderation.links.allow`.
    #[must_use]
    pub fn has_link(&self, text: &str) -> bool {
        !self.links.find(text).is_empty()
    }

    /// Checks a sender's name by the lists. A list that holds texts refuses a name, because a held
    /// name cannot be reviewed.
    #[must_use]
    pub fn check_name(&self, name: &str) -> Named {
        let lists = self.lists.current();
        let mut applied =
            lists.iter().filter(|list| list.config.scope != ListScope::Texts && !list.words.is_empty());
        let Some(first) = applied.next() else { return Named::Plain };
        let (folded, mut mask) = (Folded::new(name), Mask::default());
        for list in std::iter::once(first).chain(applied) {
            let Some(measure) = list.config.action.measure() else { continue };
            let mut found = list.words.find(&folded).peekable();
            let Some(word) = found.peek() else { continue };
            self.metrics.hit(RuleKind::Name, measure, list.config.shadow);
            if list.config.shadow {
                continue;
            }
            if measure == Measure::Mask {
                mask.add(&folded, found);
                continue;
            }
            let (rule, detail) = (format!("list:{}", list.config.name), format!("line {}", word.line));
            return Named::Refused(RuleHit { rule, measure, detail, matched: None });
        }
        if mask.is_empty() { Named::Plain } else { Named::Masked(mask.apply(name)) }
    }

    /// Replaces the words of a list, until its file changes again. The caller builds the new list, off
    /// the threads that serve requests.
    ///
    /// # Errors
    /// When the configuration has no list of this name.
    pub fn replace(&self, name: &str, words: WordList) -> Result<(), ListError> {
        self.lists.replace(name, words)
    }

    /// Reads the files that changed since they were last read. Called every second. Lists are built on
    /// the runtime's blocking threads. Until a list is built, and when its file cannot be read, the
    /// older words stay in force.
    pub async fn reload(&self) -> Vec<Reloaded> {
        let lists = Arc::clone(&self.lists);
        let reloaded = tokio::task::spawn_blocking(move || lists.reload()).await.unwrap_or_default();
        for list in &reloaded {
            match &list.result {
                Ok(words) => tracing::info!(list = list.name, words, "a word list was reloaded"),
                Err(error) => {
                    self.metrics.list_failures.inc();
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(
                        list = list.name,
                        error,
                        "a word list cannot be read; its older words stay in force"
                    );
                }
            }
        }
        reloaded
    }

    /// Returns the lists in force, each with its number of words.
    #[must_use]
    pub fn lists(&self) -> Vec<(String, usize)> {
        self.lists.current().iter().map(|list| (list.config.name.clone(), list.words.len())).collect()
    }

    /// Returns the breaker of the hook, for the switches and the metrics.
    #[must_use]
    pub fn hook_breaker(&self) -> Option<&Guarded> {
        self.hook.as_ref().map(|hook| &hook.guarded)
    }

    fn local(&self, check: &mut Check<'_>, kind: TextKind, now: Duration) {
        let text = check.candidate.text;
        if text.len() > self.config.text_bytes_max {
            let detail = format!("longer than {} bytes", self.config.text_bytes_max);
            let hit = RuleHit { rule: "length".into(), measure: Measure::Refuse, detail, matched: None };
            return check.hit(RuleKind::Length, hit, Mode::Active);
        }
        let folded = Folded::new(text);
        if kind == TextKind::Message {
            self.repeat(check, &folded, now);
        }
        if check.decided.is_none() {
            self.link(check);
        }
        for list in self.lists.current().iter().filter(|list| list.config.scope != ListScope::Names) {
            if check.decided.is_some() {
                return;
            }
            search(list, check, &folded);
        }
        if let (Some(rules), None) = (check.candidate.room_rules, &check.decided) {
            search_room(rules, check, &folded, now);
        }
    }

    /// Compiles the rules of a room, and counts that. Rules that are the same as in `before` keep their
    /// figures. The call takes some milliseconds for each 1,000 words.
    ///
    /// # Errors
    /// When a rule or a word cannot be used; the error names it.
    pub fn build_room_rules(
        &self,
        rules: &[WordRule],
        before: Option<&RoomRules>,
    ) -> Result<RoomRules, RoomRulesError> {
        self.metrics.room_builds.inc();
        RoomRules::build(rules, before)
    }

    fn repeat(&self, check: &mut Check<'_>, folded: &Folded, now: Duration) {
        let Candidate { room, user, id, .. } = check.candidate;
        let repeated = self.repeats.lock().check(room, user, id, folded, now);
        let config = &self.config.repeat;
        let (rule, action, detail) = match repeated {
            None => return,
            Some(Repeated::User) => {
                let detail =
                    format!("the same text, over {} times in {} s", config.user_times_max, config.user_secs);
                ("repeat:user", config.user_action, detail)
            }
            Some(Repeated::Room) => {
                let detail = format!(
                    "the same text by over {} users in {} s",
                    config.room_users_max, config.room_secs
                );
                ("repeat:room", config.room_action, detail)
            }
        };
        let Some(measure) = action.measure() else { return };
        let hit = RuleHit { rule: rule.into(), measure, detail, matched: None };
        check.hit(RuleKind::Repeat, hit, Mode::of(config.shadow));
    }

    fn link(&self, check: &mut Check<'_>) {
        let config = &self.config.links;
        let Some(measure) = config.action.measure() else { return };
        let found = self.links.find(check.candidate.text);
        let Some(first) = found.first() else { return };
        let matched = match (first.characters.first(), first.characters.last()) {
            (Some((start, _)), Some((_, end))) => excerpt(check.candidate.text, *start, *end),
            _ => None,
        };
        let hit = RuleHit { rule: "links".into(), measure, detail: first.host.clone(), matched };
        check.hit(RuleKind::Links, hit, Mode::of(config.shadow));
        if measure == Measure::Mask && !config.shadow {
            let characters = found.iter().flat_map(|link| &link.characters);
            characters.for_each(|(start, end)| check.mask.add_range(*start, *end));
        }
    }

    fn escalate(&self, check: &mut Check<'_>, now: Duration) -> Option<Duration> {
        let Candidate { room, user, id, .. } = check.candidate;
        let mute = self.escalation.lock().hit(room, user, id, now)?;
        let detail = format!("muted for {} s", mute.as_secs());
        let hit = RuleHit { rule: "escalation".into(), measure: Measure::Mute, detail, matched: None };
        check.hit(RuleKind::Escalation, hit, Mode::Active);
        Some(mute)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextKind {
    /// A message: the rule of repeats counts it.
    Message,
    /// The name of a gift: repeats are allowed.
    Gift,
}

fn search(list: &NamedList, check: &mut Check<'_>, folded: &Folded) {
    let Some(measure) = list.config.action.measure() else { return };
    let mut found = list.words.find(folded).peekable();
    let Some(first) = found.peek() else { return };
    let hit = RuleHit {
        rule: format!("list:{}", list.config.name),
        measure,
        detail: format!("line {}", first.line),
        matched: matched(check.candidate.text, folded, *first),
    };
    if measure == Measure::Mask && !list.config.shadow {
        check.mask.add(folded, found);
    }
    check.hit(RuleKind::List, hit, Mode::of(list.config.shadow));
}

/// Searches the room's rules in their order, until one of them decides.
fn search_room(rules: &RoomRules, check: &mut Check<'_>, folded: &Folded, now: Duration) {
    for rule in rules.iter() {
        let Some((hit, found)) = rule.search(check.candidate.text, folded, now) else { continue };
        if hit.measure == Measure::Mask && !rule.is_shadow() {
            check.mask.add(folded, found);
        }
        check.hit(RuleKind::RoomWords, hit, Mode::of(rule.is_shadow()));
        if check.decided.is_some() {
            return;
        }
    }
}

async fn ask(hook: &Hook, check: &mut Check<'_>) {
    let Candidate { room, user, id, name, role, class, text, .. } = check.candidate;
    let masked = check.masked();
    let attributes = serde_json::from_str(check.candidate.attributes).ok();
    let text = masked.as_deref().unwrap_or(text);
    let question = Question { room, user, id, name, role, attributes, class, text };
    let (kind, rule, action, detail, rewritten) = match hook.ask(&question).await {
        Ok(Answer { action, text, reason }) => {
            (RuleKind::Hook, "hook", action.into(), reason.unwrap_or_default(), text)
        }
        Err(error) => (RuleKind::HookAway, "hook:away", hook.config.fallback, error.to_string(), None),
    };
    let Some(measure) = action.measure() else { return };
    if measure == Measure::Mask && !hook.config.shadow {
        check.rewritten = rewritten;
    }
    let hit = RuleHit { rule: rule.into(), measure, detail, matched: None };
    check.hit(kind, hit, Mode::of(hook.config.shadow));
}
