use barrage_protocol::{Class, Message, Sequence};

/// Whether a message belongs to the shared sample. The sequence decides, so every gateway keeps
/// the same chat; signals and gifts are always kept.
pub(super) fn is_kept(message: &Message, share: f64) -> bool {
    message.class != Class::Chat || share >= 1.0 || sampled(message.sequence) < share
}

/// Hashes a sequence to 0..1, evenly (mixing step of splitmix64).
fn sampled(sequence: Sequence) -> f64 {
    let mut mixed = sequence.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_spread_evenly() {
        let below_half = (0..10_000).filter(|n| sampled(Sequence(*n)) < 0.5).count();
        assert!((4_800..5_200).contains(&below_half), "{below_half}");
    }
}
