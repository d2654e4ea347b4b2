//! Requests to entry for endpoints, and the fallback when entry does not answer.

use std::time::Duration;

use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};

use crate::config::ViewerConfig;
use crate::error::ConnectError;
use crate::http::refusal;

/// Longest wait for an answer of entry.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks entry for endpoints. Returns the fallback of the configuration when entry does not answer; a
/// refusal of entry is final.
pub(crate) async fn ask(http: &reqwest::Client, config: &ViewerConfig) -> Result<EntryAnswer, ConnectError> {
    let url = format!("{}/v1/entry?room={}", config.entry_url, config.room);
    let answered = async {
        let response = http.get(url).timeout(TIMEOUT).send().await.map_err(ConnectError::failed)?;
        refusal(response).await?.json::<EntryAnswer>().await.map_err(ConnectError::failed)
    };
    match (answered.await, &config.fallback) {
        (Err(ConnectError::Failed(_) | ConnectError::Timeout), Some(fallback)) => {
            Ok(filled(fallback, config))
        }
        (answer, _) => answer,
    }
}

/// Fills the room into the URLs of the fallback.
fn filled(fallback: &EntryAnswer, config: &ViewerConfig) -> EntryAnswer {
    let mut answer = fallback.clone();
    for endpoint in &mut answer.downlinks {
        endpoint.url = endpoint.url.replace("{room}", config.room.as_str());
    }
    answer
}

/// Returns the endpoints of one transport in their order.
pub(super) fn of(endpoints: &[Endpoint], transport: Transport) -> Vec<Endpoint> {
    endpoints.iter().filter(|endpoint| endpoint.transport == transport).cloned().collect()
}
