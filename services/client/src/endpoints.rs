//! Asking entry where to go.

use std::time::Duration;

use barrage_protocol::code::ErrorBody;
use barrage_protocol::entry::{Endpoint, EntryAnswer, Transport};

use crate::config::ViewerConfig;
use crate::error::ConnectError;

/// Longest wait for entry.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Entry's answer, or the embedded list when entry is away. A refusal is final.
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

/// Turns an error answer into its refusal.
pub(crate) async fn refusal(response: reqwest::Response) -> Result<reqwest::Response, ConnectError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    match response.json::<ErrorBody>().await {
        Ok(body) => Err(ConnectError::Refused(body.error)),
        Err(_) => Err(ConnectError::Failed(format!("status {status}"))),
    }
}

fn filled(fallback: &EntryAnswer, config: &ViewerConfig) -> EntryAnswer {
    let mut answer = fallback.clone();
    for endpoint in &mut answer.downlinks {
        endpoint.url = endpoint.url.replace("{room}", config.room.as_str());
    }
    answer
}

/// Endpoints of one transport, in the order given.
pub(crate) fn of(endpoints: &[Endpoint], transport: Transport) -> Vec<Endpoint> {
    endpoints.iter().filter(|endpoint| endpoint.transport == transport).cloned().collect()
}
