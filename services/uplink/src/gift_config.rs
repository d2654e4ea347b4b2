//! The configured list of gifts.

use std::collections::HashMap;

use barrage_part::{Kind, Setting};
use serde::{Deserialize, Serialize};

use crate::limits_config::LimitsError;

/// Maximum gifts in the list. A longer list is refused at start.
const GIFTS_MAX: usize = 1_000;

/// One gift of the list `[[uplink.gifts]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GiftConfig {
    /// Name of the gift, exactly as posts have it.
    pub name: String,
    /// Price of one gift in the smallest unit of the platform's coin; 0 is free.
    pub price_minor: u64,
}

impl Setting for GiftConfig {
    const KIND: Kind = Kind::Named("gift");
}

/// Returns the prices by name.
///
/// # Errors
/// When the list is too long, or has an empty name, a name twice, or a price over
/// `amount_minor_max`.
pub(crate) fn prices(
    gifts: &[GiftConfig],
    amount_minor_max: u64,
) -> Result<HashMap<String, u64>, LimitsError> {
    let wrong = |why: String| Err(LimitsError::Gifts(why));
    if gifts.len() > GIFTS_MAX {
        return wrong(format!("the list has {} gifts; at most {GIFTS_MAX} are allowed", gifts.len()));
    }
    let mut prices = HashMap::with_capacity(gifts.len());
    for GiftConfig { name, price_minor } in gifts {
        if name.is_empty() {
            return wrong("a gift has an empty name".into());
        }
        if *price_minor > amount_minor_max {
            return wrong(format!("{name} costs {price_minor}, more than uplink.amount_minor_max"));
        }
        if prices.insert(name.clone(), *price_minor).is_some() {
            return wrong(format!("{name} is listed twice"));
        }
    }
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictory_gift_lists_are_refused_at_start() {
        for gifts in [vec![("rose", 1), ("rose", 2)], vec![("", 1)], vec![("moon", 200_000_000_000)]] {
            let gifts: Vec<_> = gifts
                .into_iter()
                .map(|(name, price_minor)| GiftConfig { name: name.into(), price_minor })
                .collect();
            assert!(matches!(prices(&gifts, 100_000_000), Err(LimitsError::Gifts(_))));
        }
    }
}
