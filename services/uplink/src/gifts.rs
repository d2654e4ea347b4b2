//! Gifts: which there are, what they cost, and which rules a gift obeys. Pure.

use std::collections::HashMap;

use barrage_http::ApiError;
use barrage_protocol::Code;
use barrage_protocol::post::Post;
use serde::{Deserialize, Serialize};

use crate::config::UplinkConfig;
use crate::limit::LimitsError;

/// Gifts that a configuration may name.
const LISTED_MAX: usize = 1_000;

/// One of `[[uplink.gifts]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GiftConfig {
    /// Its name, as posts give it.
    pub name: String,
    /// Price of one in the smallest unit of the platform's coin; 0 is free.
    pub price_minor: u64,
}

/// Whether a post is free speech: chat, or a gift that costs nothing. It obeys mute-all, slow
/// mode, the room's display quota and the switch `hold-chat`; what was paid for does not.
pub(crate) fn obeys_room(post: &Post) -> bool {
    match post {
        Post::Chat { .. } => true,
        Post::Gift { gift, .. } => gift.price_minor == 0,
        Post::SuperChat { .. } | Post::Like { .. } => false,
    }
}

/// Whether a post is paid for: it needs `gift_role_min`, and no rule holds it.
pub(crate) fn is_paid(post: &Post) -> bool {
    match post {
        Post::Gift { gift, .. } => gift.price_minor > 0,
        Post::SuperChat { .. } => true,
        Post::Chat { .. } | Post::Like { .. } => false,
    }
}

/// The gifts that may be posted.
#[derive(Debug)]
pub(crate) struct Gifts {
    /// Prices by name; empty when any name will do.
    listed: HashMap<String, u64>,
    amount_minor_max: u64,
}

impl Gifts {
    pub(crate) fn new(config: &UplinkConfig) -> Result<Self, LimitsError> {
        let wrong = |why: String| Err(LimitsError::Gifts(why));
        if config.gifts.len() > LISTED_MAX {
            return wrong(format!("{} of them; at most {LISTED_MAX}", config.gifts.len()));
        }
        let mut listed = HashMap::with_capacity(config.gifts.len());
        for GiftConfig { name, price_minor } in &config.gifts {
            if name.is_empty() {
                return wrong("a gift without a name".into());
            }
            if *price_minor > config.amount_minor_max {
                return wrong(format!("{name} costs {price_minor}, more than uplink.amount_minor_max"));
            }
            if listed.insert(name.clone(), *price_minor).is_some() {
                return wrong(format!("{name} is there twice"));
            }
        }
        Ok(Gifts { listed, amount_minor_max: config.amount_minor_max })
    }

    /// Whether the platform chose the names: then the moderation does not look at them.
    pub(crate) fn are_listed(&self) -> bool {
        !self.listed.is_empty()
    }

    /// Refuses a gift that is not listed or has another price, and an amount over the bound.
    pub(crate) fn check(&self, post: &Post) -> Result<(), ApiError> {
        let wrong = |why: String| Err(ApiError::new(Code::BadRequest, why));
        let max = self.amount_minor_max;
        match post {
            Post::Gift { gift, .. } => {
                match self.listed.get(&gift.name) {
                    Some(price) if *price != gift.price_minor => {
                        return wrong(format!("gift.price_minor: this gift costs {price}"));
                    }
                    None if self.are_listed() => {
                        return wrong("gift.name: there is no such gift here".into());
                    }
                    Some(_) | None => {}
                }
                if gift.price_minor.saturating_mul(u64::from(gift.count)) > max {
                    return wrong(format!("gift: price_minor times count must be at most {max}"));
                }
                Ok(())
            }
            Post::SuperChat { amount_minor, .. } if *amount_minor > max => {
                wrong(format!("amount_minor: must be 1 to {max}"))
            }
            Post::SuperChat { .. } | Post::Chat { .. } | Post::Like { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(gifts: &[(&str, u64)]) -> Gifts {
        let gifts =
            gifts.iter().map(|(name, price)| GiftConfig { name: (*name).into(), price_minor: *price });
        let config =
            UplinkConfig { gifts: gifts.collect(), amount_minor_max: 1_000, ..UplinkConfig::default() };
        Gifts::new(&config).unwrap()
    }

    fn gift(name: &str, count: u32, price_minor: u64) -> Post {
        let gift = barrage_protocol::post::Gift { name: name.into(), count, price_minor, combo: None };
        Post::Gift { id: "g".parse().unwrap(), gift }
    }

    fn code(result: Result<(), ApiError>) -> Option<Code> {
        result.err().map(|error| error.0.code)
    }

    #[test]
    fn a_list_of_gifts_fixes_names_and_prices() {
        let gifts = listed(&[("rose", 100), ("heart", 0)]);
        assert_eq!(code(gifts.check(&gift("rose", 3, 100))), None);
        assert_eq!(code(gifts.check(&gift("heart", 1, 0))), None);
        assert_eq!(code(gifts.check(&gift("rose", 1, 0))), Some(Code::BadRequest));
        assert_eq!(code(gifts.check(&gift("heart", 1, 5))), Some(Code::BadRequest));
        assert_eq!(code(gifts.check(&gift("go to http://evil.com", 1, 0))), Some(Code::BadRequest));
        let free = listed(&[]);
        assert!(!free.are_listed());
        assert_eq!(code(free.check(&gift("anything", 1, 7))), None);
    }

    #[test]
    fn amounts_are_bounded() {
        let gifts = listed(&[]);
        assert_eq!(code(gifts.check(&gift("rose", 10, 100))), None);
        assert_eq!(code(gifts.check(&gift("rose", 11, 100))), Some(Code::BadRequest));
        assert_eq!(code(gifts.check(&gift("rose", u32::MAX, u64::MAX))), Some(Code::BadRequest));
        let super_chat = |amount_minor| Post::SuperChat {
            id: "s".parse().unwrap(),
            text: "x".into(),
            amount_minor,
            currency: "EUR".into(),
        };
        assert_eq!(code(gifts.check(&super_chat(1_000))), None);
        assert_eq!(code(gifts.check(&super_chat(1_001))), Some(Code::BadRequest));
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused_at_start() {
        for gifts in [vec![("rose", 1), ("rose", 2)], vec![("", 1)], vec![("moon", 200_000_000_000)]] {
            let gifts =
                gifts.into_iter().map(|(name, price_minor)| GiftConfig { name: name.into(), price_minor });
            let config = UplinkConfig { gifts: gifts.collect(), ..UplinkConfig::default() };
            assert!(matches!(Gifts::new(&config), Err(LimitsError::Gifts(_))));
        }
    }
}
