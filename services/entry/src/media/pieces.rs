//! The size of the pieces that a client uploads in: a lost piece is sent again whole, and each piece costs a round trip.

use barrage_protocol::facts::NetworkType;

use crate::media::config::MediaHostsConfig;

/// Sizes in bytes, from slow networks to fast ones.
const SIZES: [u64; 3] = [256 << 10, 1 << 20, 2 << 20];

/// Returns the bytes of one piece. The type of the network says more than the carrier, which moves the size by one step.
pub(crate) fn piece_bytes(config: &MediaHostsConfig, network: NetworkType, carrier: Option<&str>) -> u64 {
    let of_network: usize = match network {
        NetworkType::Cellular => 0,
        NetworkType::Ethernet => 2,
        NetworkType::Wifi | NetworkType::Other | NetworkType::Unknown => 1,
    };
    let is_in = |list: &[String]| carrier.is_some_and(|carrier| list.iter().any(|one| one == carrier));
    let step = if is_in(&config.slow_carriers) {
        of_network.saturating_sub(1)
    } else if is_in(&config.fast_carriers) {
        (of_network + 1).min(SIZES.len() - 1)
    } else {
        of_network
    };
    SIZES[step]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_chooses_the_size_and_the_carrier_moves_it_by_one_step() {
        let config = MediaHostsConfig {
            slow_carriers: vec!["slow".into()],
            fast_carriers: vec!["fast".into()],
            ..MediaHostsConfig::default()
        };
        let [small, middle, large] = SIZES;
        for (network, of_slow, of_other, of_fast) in [
            (NetworkType::Cellular, small, small, middle),
            (NetworkType::Wifi, small, middle, large),
            (NetworkType::Unknown, small, middle, large),
            (NetworkType::Ethernet, middle, large, large),
        ] {
            let of = |carrier| piece_bytes(&config, network, carrier);
            assert_eq!((of(Some("slow")), of(Some("fast"))), (of_slow, of_fast), "{network:?}");
            assert_eq!((of(Some("other")), of(None)), (of_other, of_other), "{network:?}");
        }
    }
}
