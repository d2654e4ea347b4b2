//! A user's devices, and when an answer of a service removes one.

/// Id that a device chose for itself; unique for its user.
pub type DeviceId = String;

/// What a device does now, as its connections say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The device is attached and its page or app is in front.
    Looks,
    /// The device is attached behind others, or not attached.
    Away,
}

/// A device that takes notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Id of the device.
    pub id: DeviceId,
    /// What the device does now.
    pub presence: Presence,
    /// Badge that the device was told last.
    pub badge: u32,
}

/// Whether an answer that a token is gone removes the token that is stored now. A device that has registered a new token
/// meanwhile keeps it: the answer was for the one before.
#[must_use]
pub fn is_gone(sent_to: &str, since_ms: Option<u64>, stored: &str, registered_at_ms: u64) -> bool {
    sent_to == stored && since_ms.is_none_or(|since_ms| registered_at_ms <= since_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_answer_removes_no_new_registration() {
        assert!(is_gone("a", None, "a", 100));
        assert!(is_gone("a", Some(100), "a", 100));
        assert!(!is_gone("a", None, "b", 100), "another token is stored now");
        assert!(!is_gone("a", Some(99), "a", 100), "the token was registered again after the service's time");
    }
}
