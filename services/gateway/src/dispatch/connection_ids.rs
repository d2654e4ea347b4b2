use std::sync::atomic::{AtomicU64, Ordering};

/// Draws the ids of connections: the gateway's id and a number. The `hello` frame and the logs
/// have them.
#[derive(Debug)]
pub(crate) struct ConnectionIds {
    gateway: String,
    next: AtomicU64,
}

impl ConnectionIds {
    pub(crate) fn new(gateway: String) -> Self {
        ConnectionIds { gateway, next: AtomicU64::new(1) }
    }

    /// Draws the number of a new connection.
    pub(crate) fn draw(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Formats the id of a connection by its number.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number:x}", self.gateway)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_the_gateway_and_do_not_repeat() {
        let ids = ConnectionIds::new("gateway-1".into());
        let drawn = [(); 2].map(|()| ids.id(ids.draw()));
        assert_eq!(drawn, ["gateway-1-1", "gateway-1-2"]);
    }
}
