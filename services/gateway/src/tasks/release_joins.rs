//! Sends viewers to their shards when their slots in the join queue come.

use crate::context::Context;

/// Releases joins until the gateway ends. Those that then wait are closed.
pub(crate) async fn release_joins(context: &Context) {
    loop {
        tokio::select! {
            lost = context.dispatch.release() => context.refuse_at_ended_shard(lost),
            () = context.lifecycle.ended.cancelled() => break,
        }
    }
    context.dispatch.close_waiting();
}
