//! All rules together, cheapest first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use barrage_flow::{BreakerMetrics, Guarded};

use crate::check::{Candidate, Check, Mode};
use crate::config::{ListScope, ModerationConfig};
use crate::decision::{Decision, Measure, RuleHit};
use crate::error::{ListError, ModerationError};
use crate::escalation::Escalation;
use crate::fold::Folded;
use crate::fold_table;
use crate::hook::{Answer, Hook, Question};
use crate::links::Links;
use crate::lists::{Lists, NamedList, Reloaded};
use crate::mask::Mask;
use crate::metrics::{ModerationMetrics, RuleKind};
use crate::repeat::{Repeated, Repeats};
use crate::word_list::WordList;

/// What becomes of a sender's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// It is shown as it is.
    Plain,
    /// It is shown like this.
    Masked(String),
    /// It is not shown: a list refuses or holds it.
    Refused(RuleHit),
}

/// Decides about texts. One for a process, shared.
///
/// The order is: length, repeats, links, lists in their configured order, the hook.
/// The first rule that refuses or holds decides, and the later ones are not asked;
/// masks add up. Rules in shadow mode see what got as far as them.
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
    /// Reads the lists' files; blocks for as long as they take to build.
    pub fn new(
        config: ModerationConfig,
        metrics: ModerationMetrics,
        breakers: &BreakerMetrics,
    ) -> Result<Self, ModerationError> {
        config.validate()?;
        fold_table::prepare();
        let hook = config.hook.clone().map(|hook| Hook::new(hook, breakers)).transpose();
        Ok(Moderator {
            lists: Arc::new(Lists::read(&config.lists)?),
            links: Links::new(&config.links),
            repeats: Mutex::new(Repeats::new(config.repeat.clone())),
            escalation: Mutex::new(Escalation::new(config.escalation.clone())),
            hook: hook.map_err(ModerationError::Hook)?,
            metrics,
            config,
        })
    }

    /// Checks a text. `now` is monotonic, of one origin for all calls; `at_ms` is Unix
    /// time for the audit. Waits for nothing but the hook, at most its deadline.
    pub async fn check(&self, candidate: &Candidate<'_>, now: Duration, at_ms: u64) -> Decision {
        self.check_by(candidate, TextKind::Message, now, at_ms).await
    }

    /// Checks the name of a gift, as [`Moderator::check`] does a text. A name may come any number
    /// of times: a combo of gifts is no repeated text.
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
        let mute = check.guilty.then(|| self.escalate(&mut check, now)).flatten();
        check.finish(mute)
    }

    /// Checks a sender's name by the lists. A list that holds a text refuses a name: nobody can
    /// look through names that are held.
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
            return Named::Refused(RuleHit { rule, measure, detail });
        }
        if mask.is_empty() { Named::Plain } else { Named::Masked(mask.apply(name)) }
    }

    /// Replaces a list's words. Until its file changes again, they hold. The new list
    /// is built by the caller, off the threads that serve requests.
    pub fn replace(&self, name: &str, words: WordList) -> Result<(), ListError> {
        self.lists.replace(name, words)
    }

    /// Reads the files that changed since they were last read; to be called every
    /// second or so. Builds on the runtime's blocking threads; until a list is built,
    /// and when its file cannot be read, its older words stay in force.
    pub async fn reload(&self) -> Vec<Reloaded> {
        let lists = Arc::clone(&self.lists);
        let reloaded = tokio::task::spawn_blocking(move || lists.reload()).await.unwrap_or_default();
        for list in &reloaded {
            match &list.result {
                Ok(words) => tracing::info!(list = list.name, words, "a word list was read"),
                Err(error) => {
                    self.metrics.list_failures.inc();
                    let error = error as &dyn std::error::Error;
                    tracing::warn!(list = list.name, error, "a word list was not read; its older words hold");
                }
            }
        }
        reloaded
    }

    /// The lists in force: name, and how many words each has.
    #[must_use]
    pub fn lists(&self) -> Vec<(String, usize)> {
        self.lists.current().iter().map(|list| (list.config.name.clone(), list.words.len())).collect()
    }

    /// The hook's breaker, to be watched and forced.
    #[must_use]
    pub fn hook_breaker(&self) -> Option<&Guarded> {
        self.hook.as_ref().map(|hook| &hook.guarded)
    }

    fn local(&self, check: &mut Check<'_>, kind: TextKind, now: Duration) {
        let text = check.candidate.text;
        if text.len() > self.config.text_bytes_max {
            let detail = format!("longer than {} bytes", self.config.text_bytes_max);
            let hit = RuleHit { rule: "length".into(), measure: Measure::Refuse, detail };
            return check.hit(RuleKind::Length, hit, Mode::Acts);
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
    }

    fn repeat(&self, check: &mut Check<'_>, folded: &Folded, now: Duration) {
        let Candidate { room, user, id, .. } = check.candidate;
        let repeated = locked(&self.repeats).check(room, user, id, folded, now);
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
        check.hit(RuleKind::Repeat, RuleHit { rule: rule.into(), measure, detail }, Mode::of(config.shadow));
    }

    fn link(&self, check: &mut Check<'_>) {
        let config = &self.config.links;
        let Some(measure) = config.action.measure() else { return };
        let found = self.links.find(check.candidate.text);
        let Some(first) = found.first() else { return };
        let hit = RuleHit { rule: "links".into(), measure, detail: first.host.clone() };
        check.hit(RuleKind::Links, hit, Mode::of(config.shadow));
        if measure == Measure::Mask && !config.shadow {
            let characters = found.iter().flat_map(|link| &link.characters);
            characters.for_each(|(start, end)| check.mask.add_range(*start, *end));
        }
    }

    fn escalate(&self, check: &mut Check<'_>, now: Duration) -> Option<Duration> {
        let Candidate { room, user, id, .. } = check.candidate;
        let mute = locked(&self.escalation).hit(room, user, id, now)?;
        let detail = format!("muted for {} s", mute.as_secs());
        let hit = RuleHit { rule: "escalation".into(), measure: Measure::Mute, detail };
        check.hit(RuleKind::Escalation, hit, Mode::Acts);
        Some(mute)
    }
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextKind {
    /// Somebody's words: repeats are counted.
    Message,
    /// The name of a gift, which may come any number of times.
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
    };
    if measure == Measure::Mask && !list.config.shadow {
        check.mask.add(folded, found);
    }
    check.hit(RuleKind::List, hit, Mode::of(list.config.shadow));
}

async fn ask(hook: &Hook, check: &mut Check<'_>) {
    let Candidate { room, user, class, text, .. } = check.candidate;
    let masked = check.masked();
    let question = Question { room, user, class, text: masked.as_deref().unwrap_or(text) };
    let (kind, rule, action, detail, rewritten) = match hook.ask(&question).await {
        Ok(Answer { action, text, reason }) => {
            (RuleKind::Hook, "hook", action, reason.unwrap_or_default(), text)
        }
        Err(error) => (RuleKind::HookAway, "hook:away", hook.config.fallback, error.to_string(), None),
    };
    let Some(measure) = action.measure() else { return };
    if measure == Measure::Mask && !hook.config.shadow {
        check.rewritten = rewritten;
    }
    check.hit(kind, RuleHit { rule: rule.into(), measure, detail }, Mode::of(hook.config.shadow));
}

/// A panic cannot leave a count half taken; what it left is as good as any.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
