//! The configured tiers of super chats.

use std::collections::BTreeMap;

use barrage_part::{Kind, Setting};
use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_protocol::super_chat::SuperChatTier;
use serde::{Deserialize, Serialize};

use crate::limits_config::LimitsError;

/// Maximum tiers in the list. A longer list is refused at start.
const TIERS_MAX: usize = 200;
/// Maximum seconds on top: a day.
const TOP_SECS_MAX: u32 = 86_400;
/// Maximum characters that a tier may allow.
const TEXT_CHARS_MAX: usize = 10_000;

/// One tier of the list `[[uplink.super_chats]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuperChatConfig {
    /// Least amount of the tier, in the smallest unit of the currency.
    pub amount_minor_min: u64,
    /// Currency as an ISO 4217 code. Without it the tier is for all currencies that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Colour of the background as `#rrggbb`.
    pub color: String,
    /// Longest text, in characters as a reader counts them; 0, the default, takes `uplink.text_chars_max`.
    #[serde(default)]
    pub text_chars_max: usize,
    /// Seconds on top, 0 (never on top) to 86,400.
    pub top_secs: u32,
}

impl Setting for SuperChatConfig {
    const KIND: Kind = Kind::Named("super-chat tier");
}

/// Returns the tiers of a new installation, for all currencies with two decimals.
pub(crate) fn default_tiers() -> Vec<SuperChatConfig> {
    const TIERS: [(u64, &str, u32); 7] = [
        (1, "#1565c0", 0),
        (200, "#00b8d4", 30),
        (500, "#00bfa5", 120),
        (1_000, "#ffb300", 300),
        (2_000, "#f57c00", 600),
        (5_000, "#e91e63", 1_800),
        (10_000, "#e62117", 3_600),
    ];
    let tier = |(amount_minor_min, color, top_secs): (u64, &str, u32)| SuperChatConfig {
        amount_minor_min,
        currency: None,
        color: color.into(),
        text_chars_max: 0,
        top_secs,
    };
    TIERS.map(tier).into()
}

/// A tier, ready for posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tier {
    amount_minor_min: u64,
    pub(crate) text_chars_max: usize,
    pub(crate) stamp: SuperChatTier,
}

/// The tiers by currency; under no currency, those of all others. Those of one are in the order of their
/// amounts.
#[derive(Debug, Default)]
pub(crate) struct SuperChatTiers(BTreeMap<Option<String>, Vec<Tier>>);

impl SuperChatTiers {
    /// Reads the list. `text_chars_max` is the bound of a tier without one.
    ///
    /// # Errors
    /// When the list is too long, or has a color or currency that is none, an amount twice in a currency, or
    /// a number beyond its maximum.
    pub(crate) fn new(list: &[SuperChatConfig], text_chars_max: usize) -> Result<Self, LimitsError> {
        let wrong = |why: String| Err(LimitsError::SuperChats(why));
        if list.len() > TIERS_MAX {
            return wrong(format!("the list has {} tiers; at most {TIERS_MAX} are allowed", list.len()));
        }
        let mut tiers = SuperChatTiers::default();
        for tier in list {
            let SuperChatConfig { amount_minor_min, currency, color, top_secs, .. } = tier;
            if currency.as_ref().is_some_and(|code| !is_currency(code)) {
                return wrong(format!("currency {currency:?} is not three capital letters"));
            }
            let Some(rgb) = rgb(color) else {
                return wrong(format!("color {color:?} is not of the form #rrggbb"));
            };
            if *top_secs > TOP_SECS_MAX || tier.text_chars_max > TEXT_CHARS_MAX {
                return wrong(format!(
                    "top_secs is at most {TOP_SECS_MAX}, and text_chars_max at most {TEXT_CHARS_MAX}"
                ));
            }
            let text_chars_max = if tier.text_chars_max == 0 { text_chars_max } else { tier.text_chars_max };
            let stamp = SuperChatTier { level: 0, color: rgb, top_secs: *top_secs };
            let of = tiers.0.entry(currency.clone()).or_default();
            of.push(Tier { amount_minor_min: *amount_minor_min, text_chars_max, stamp });
        }
        for (currency, of) in &mut tiers.0 {
            of.sort_by_key(|tier| tier.amount_minor_min);
            if of.windows(2).any(|pair| pair[0].amount_minor_min == pair[1].amount_minor_min) {
                let of = currency.as_deref().unwrap_or("all currencies");
                return wrong(format!("two tiers of {of} have the same amount_minor_min"));
            }
            for (level, tier) in (1..).zip(of) {
                tier.stamp.level = level;
            }
        }
        Ok(tiers)
    }

    /// Returns the tier of an amount; `None` where no tiers are configured.
    ///
    /// # Errors
    /// `bad_request` for an amount under the least tier, and for a currency without tiers.
    pub(crate) fn of(&self, amount_minor: u64, currency: &str) -> Result<Option<Tier>, Refusal> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| Err(Refusal::new(Code::BadRequest, why));
        let own = self.0.get(&Some(currency.to_owned()));
        let Some(tiers) = own.or_else(|| self.0.get(&None)) else {
            let known: Vec<_> = self.0.keys().flatten().map(String::as_str).collect();
            return wrong(format!("currency: super chats here are in {}", known.join(", ")));
        };
        let Some(tier) = tiers.iter().rev().find(|tier| tier.amount_minor_min <= amount_minor) else {
            let least = tiers.first().map_or(0, |tier| tier.amount_minor_min);
            return wrong(format!("amount_minor: a super chat in {currency} is at least {least}"));
        };
        Ok(Some(*tier))
    }
}

fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase())
}

fn rgb(color: &str) -> Option<u32> {
    let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(amount_minor_min: u64, currency: Option<&str>, color: &str) -> SuperChatConfig {
        SuperChatConfig {
            amount_minor_min,
            currency: currency.map(Into::into),
            color: color.into(),
            text_chars_max: 50,
            top_secs: 60,
        }
    }

    #[test]
    fn an_amount_has_the_greatest_tier_that_it_reaches_in_its_currency() {
        let list = [tier(500, None, "#0000ff"), tier(100, None, "#00FF00"), tier(9, Some("JPY"), "#010203")];
        let tiers = SuperChatTiers::new(&list, 200).unwrap();
        let of = |amount, currency| {
            tiers.of(amount, currency).map(|tier| tier.map(|it| (it.stamp.level, it.stamp.color)))
        };
        assert_eq!(of(100, "EUR"), Ok(Some((1, 0x00ff00))));
        assert_eq!((of(499, "EUR"), of(9_999, "USD")), (Ok(Some((1, 0xff00))), Ok(Some((2, 0xff)))));
        assert_eq!(of(9, "JPY"), Ok(Some((1, 0x01_0203))));
        assert_eq!(of(99, "EUR").unwrap_err().code, Code::BadRequest);
        let one = SuperChatTiers::new(&list[2..], 200).unwrap();
        assert_eq!(one.of(900, "EUR").unwrap_err().code, Code::BadRequest);
        assert_eq!(SuperChatTiers::new(&[], 200).unwrap().of(1, "EUR"), Ok(None));
        let defaults = SuperChatTiers::new(&default_tiers(), 200).unwrap();
        let last = defaults.of(10_000, "EUR").unwrap().unwrap();
        assert_eq!((last.stamp.level, last.stamp.top_secs, last.text_chars_max), (7, 3_600, 200));
    }

    #[test]
    fn contradictory_tiers_are_refused_at_start() {
        for list in [
            vec![tier(1, None, "#fff")],
            vec![tier(1, None, "#+12345")],
            vec![tier(1, None, "red")],
            vec![tier(1, Some("eur"), "#ffffff")],
            vec![tier(1, None, "#ffffff"), tier(1, None, "#000000")],
            vec![SuperChatConfig { top_secs: 86_401, ..tier(1, None, "#ffffff") }],
            vec![SuperChatConfig { text_chars_max: 10_001, ..tier(1, None, "#ffffff") }],
            (0..=200).map(|n| tier(n, None, "#ffffff")).collect(),
        ] {
            assert!(matches!(SuperChatTiers::new(&list, 200), Err(LimitsError::SuperChats(_))), "{list:?}");
        }
    }
}
