//! Figures of simulated heartbeats.

/// Figures of one simulated client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Simulated time in hours, reconnects included.
    pub hours: f64,
    /// Pings that the client sent.
    pub heartbeats: u64,
    /// Seconds from each loss until the client noticed it, in ascending order.
    pub noticed_s: Vec<f64>,
    /// Losses that the NAT caused, because the connection idled for too long.
    pub nat_losses: u64,
    /// Connections that the client gave up although they worked.
    pub false_alarms: u64,
    /// Interval at the end in seconds.
    pub interval_s: f64,
}

impl Figures {
    /// Returns the pings an hour.
    #[must_use]
    pub fn heartbeats_per_hour(&self) -> f64 {
        self.heartbeats as f64 / self.hours
    }

    /// Returns the seconds within which this share of the losses was noticed; 0 without a loss.
    #[must_use]
    pub fn loss_noticed_s(&self, share: f64) -> f64 {
        quantile(&self.noticed_s, share)
    }
}

/// Figures of several simulated clients together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// Mean pings of a client an hour.
    pub heartbeats_per_hour: f64,
    /// Seconds within which half of all losses were noticed.
    pub loss_noticed_s_p50: f64,
    /// Seconds within which 99 of 100 losses were noticed.
    pub loss_noticed_s_p99: f64,
}

impl Summary {
    /// Sums up the figures of several clients.
    #[must_use]
    pub fn of(figures: &[Figures]) -> Self {
        let clients = figures.len().max(1) as f64;
        let heartbeats_per_hour = figures.iter().map(Figures::heartbeats_per_hour).sum::<f64>() / clients;
        let mut noticed_s: Vec<f64> = figures.iter().flat_map(|it| it.noticed_s.iter().copied()).collect();
        noticed_s.sort_by(f64::total_cmp);
        Summary {
            heartbeats_per_hour,
            loss_noticed_s_p50: quantile(&noticed_s, 0.5),
            loss_noticed_s_p99: quantile(&noticed_s, 0.99),
        }
    }
}

/// Smallest value that at least this share of the sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let below = sorted.iter().enumerate().find(|(at, _)| (at + 1) as f64 >= share * sorted.len() as f64);
    below.map_or(0.0, |(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.99), 4.0);
    }
}
