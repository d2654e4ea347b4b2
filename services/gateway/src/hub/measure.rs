use std::time::Duration;

use barrage_bus::PulseDraft;
use barrage_protocol::Class;
use tokio::time::Instant;

use super::hub::Hub;
use super::record;
use crate::room::{Heat, rounded};

/// The part of a hub that measures its room.
impl Hub {
    /// Measures viewers and heat, publishes the sums, and settles the books. Returns the time until the next
    /// measurement, a longer one for a quiet room if it may rest.
    pub(super) fn measure(&mut self, may_rest: bool) -> Duration {
        self.room.heartbeat.beat();
        // Before the figures are read: a change after that wakes the hub.
        self.room.set_at_rest(true);
        self.room.set_delay_ms(self.delay_ms());
        let elapsed = self.measured_at.elapsed().as_secs_f64().max(0.001);
        self.measured_at = Instant::now();
        let taken = std::mem::take(&mut self.taken);
        let messages_per_s = (taken as f64 / elapsed).round() as u64;
        let (before, viewers) = (self.heat.heat(), self.room.viewers());
        if let Some(heat) = self.heat.measure(viewers, messages_per_s, self.started.elapsed()) {
            self.context.metrics.heat_changed(Some(before), Some(heat));
            self.room.traffic.set_heat(heat);
            tracing::debug!(heat = heat.label(), viewers, messages_per_s, "heat of the room changed");
        }
        record::alert(&self.context, &self.room, self.heat.heat());
        let entries = self.measure_pulse();
        self.settle();
        let measured = (viewers, self.room.online());
        let is_quiet = may_rest
            && viewers > 0
            && (taken, entries) == (0, 0)
            && std::mem::replace(&mut self.measured, measured) == measured
            && self.heat.heat() == Heat::Idle
            && self.batcher.due().is_none()
            && self.delayed.is_empty()
            && !self.room.is_in_flight();
        self.room.set_at_rest(is_quiet);
        self.rest.measured(is_quiet)
    }

    /// Puts viewers and entries into the pulses. Returns the entries.
    fn measure_pulse(&mut self) -> u64 {
        let drops_pulses = self.batcher.pace.pulse.is_none();
        if drops_pulses {
            let dropped = self.batcher.drop_pulse();
            self.context.metrics.dropped(Class::Pulse, "hub", "overload", dropped);
        } else {
            self.batcher.set_online(rounded(self.room.online(), self.heat.heat()));
        }
        let entries = self.room.take_entries();
        if entries > 0 {
            self.batcher.note_newcomers();
        }
        let is_off = {
            let settings = self.context.bus.settings();
            let settings = settings.borrow();
            settings.switches.no_entries || settings.switches.text_only
        };
        if entries > 0 && !drops_pulses && !is_off {
            self.context.bus.pulse(&self.room.id, PulseDraft { entries, ..PulseDraft::default() });
        }
        entries
    }

    pub(super) fn settle(&mut self) {
        let delivered = (!self.room.is_in_flight()).then(|| self.room.delivered());
        self.books.settle(&self.batcher.holds(), &self.batcher.waves_hold(), delivered);
    }
}
