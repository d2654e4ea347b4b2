//! Which gifts may be posted, for which price, and which room rules a gift obeys. Pure.

use std::collections::HashMap;

use barrage_protocol::Code;
use barrage_protocol::code::Refusal;
use barrage_protocol::post::Post;

/// Whether a post is free: chat, or a gift that costs nothing. A free post obeys mute-all, slow
/// mode, the room's display quota and the switch `hold-chat`; a paid post does not.
pub(super) fn obeys_room(post: &Post) -> bool {
    match post {
        Post::Chat { .. } => true,
        Post::Gift { gift, .. } => gift.price_minor == 0,
        Post::SuperChat { .. } | Post::Like { .. } | Post::Reaction { .. } => false,
    }
}

/// Whether a post is paid for: it needs `gift_role_min`, and no rule holds it.
pub(super) fn is_paid(post: &Post) -> bool {
    match post {
        Post::Gift { gift, .. } => gift.price_minor > 0,
        Post::SuperChat { .. } => true,
        Post::Chat { .. } | Post::Like { .. } | Post::Reaction { .. } => false,
    }
}

/// The gifts that may be posted, with their prices, and the largest amount.
#[derive(Debug)]
pub(super) struct GiftList {
    /// Prices by name; empty when any name is allowed.
    prices: HashMap<String, u64>,
    amount_minor_max: u64,
}

impl GiftList {
    pub(super) const fn new(prices: HashMap<String, u64>, amount_minor_max: u64) -> Self {
        GiftList { prices, amount_minor_max }
    }

    /// Whether the platform chose the names. Moderation does not check listed names.
    pub(super) fn is_fixed(&self) -> bool {
        !self.prices.is_empty()
    }

    /// Refuses a gift that is not listed or has another price, and an amount over the maximum.
    pub(super) fn check(&self, post: &Post) -> Result<(), Refusal> {
        let wrong = |why: String| Err(Refusal::new(Code::BadRequest, why));
        let max = self.amount_minor_max;
        match post {
            Post::Gift { gift, .. } => {
                match self.prices.get(&gift.name) {
                    Some(price) if *price != gift.price_minor => {
                        return wrong(format!("gift.price_minor: this gift costs {price}"));
                    }
                    None if self.is_fixed() => {
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
            Post::SuperChat { .. } | Post::Chat { .. } | Post::Like { .. } | Post::Reaction { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(prices: &[(&str, u64)]) -> GiftList {
        GiftList::new(prices.iter().map(|(name, price)| ((*name).to_owned(), *price)).collect(), 1_000)
    }

    fn gift(name: &str, count: u32, price_minor: u64) -> Post {
        let gift = barrage_protocol::post::Gift { name: name.into(), count, price_minor, combo: None };
        Post::Gift { id: "g".parse().unwrap(), gift }
    }

    fn code(result: Result<(), Refusal>) -> Option<Code> {
        result.err().map(|refusal| refusal.code)
    }

    #[test]
    fn list_of_gifts_fixes_names_and_prices() {
        let gifts = list(&[("rose", 100), ("heart", 0)]);
        assert_eq!(code(gifts.check(&gift("rose", 3, 100))), None);
        assert_eq!(code(gifts.check(&gift("heart", 1, 0))), None);
        assert_eq!(code(gifts.check(&gift("rose", 1, 0))), Some(Code::BadRequest));
        assert_eq!(code(gifts.check(&gift("heart", 1, 5))), Some(Code::BadRequest));
        assert_eq!(code(gifts.check(&gift("go to http://evil.com", 1, 0))), Some(Code::BadRequest));
        let any = list(&[]);
        assert!(!any.is_fixed());
        assert_eq!(code(any.check(&gift("anything", 1, 7))), None);
    }

    #[test]
    fn amounts_over_the_maximum_are_refused() {
        let gifts = list(&[]);
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
}
