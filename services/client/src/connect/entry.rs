//! Questions of a viewer to its sources, and the endpoints of an answer by transport.

use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};

use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::HttpPool;
pub(crate) use crate::source::Purpose;
use crate::source::{self, Question};

/// Asks entry for endpoints, or another source when no entry answers. A refusal of entry is final.
pub(crate) async fn ask(
    pool: &HttpPool,
    config: &ViewerConfig,
    purpose: Purpose,
) -> Result<EntryAnswer, ConnectError> {
    let question = Question {
        entry_url: &config.entry_url,
        config: &config.sources,
        embedded: config.fallback.as_ref(),
        room: Some(&config.room),
        purpose,
    };
    source::ask(pool, question).await
}

/// Returns the endpoints of one transport in their order.
pub(super) fn of(endpoints: &[Endpoint], transport: Transport) -> Vec<Endpoint> {
    endpoints.iter().filter(|endpoint| endpoint.transport == transport).cloned().collect()
}
