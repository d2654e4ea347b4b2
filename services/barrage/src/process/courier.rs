//! The courier between the lanes and the tables of letters.

use std::sync::Arc;
use std::time::Duration;

use barrage_courier::{CourierError, CourierMetrics, MailSink, Mailer, NoMail};
use barrage_store::InboxStore;

use super::context::ProcessContext;
use super::inbox::Inbox;
use super::media;
use crate::supervise::{Stage, Supervisor, Task, Wakeup};

/// Wait before a courier that could not go on is started again, in a process with other roles.
const AGAIN: Duration = Duration::from_secs(10);

/// Starts the courier. What the lanes hold at the shutdown is taken before its end, for a bounded time.
pub(super) fn start(context: &ProcessContext, inbox: &Inbox, tasks: &mut Supervisor) -> anyhow::Result<()> {
    let (config, stop) = (context.config.inbox.courier.clone(), context.stop.archiver.clone());
    let metrics = CourierMetrics::new(&context.registry)?;
    let store = Arc::clone(&inbox.store) as Arc<dyn InboxStore>;
    let sink: Arc<dyn MailSink> = match &context.mail {
        Some(mail) => {
            let (mail, store) = (Arc::clone(mail), Arc::clone(&store));
            let (queue, mailer) = Mailer::new(&config, inbox.lanes.lanes(), mail, store, metrics.clone());
            let mailer = mailer.with_addresses(media::of_messages(context)?);
            let stop = stop.clone();
            tasks.spawn(Task::new("mail", Stage::Archiver), Wakeup::OwnTimer, async move {
                mailer.run(stop).await;
                Ok(())
            });
            Arc::new(queue)
        }
        None => Arc::new(NoMail),
    };
    let parts = barrage_courier::Parts { lanes: Arc::clone(&inbox.lanes), store, sink };
    // Rooms must not end with the inbox: in a process with other roles the courier is started again.
    let is_alone = !context.roles.is_public();
    tasks.spawn(Task::new("courier", Stage::Archiver), Wakeup::Supervisor, async move {
        loop {
            match barrage_courier::run(config.clone(), parts.clone(), metrics.clone(), stop.clone()).await {
                Ok(report) => {
                    tracing::info!(events = report.events, "the courier stopped");
                    return Ok(());
                }
                Err(CourierError::Store { lane, after, source }) if !is_alone => {
                    let cause = std::error::Error::source(&source).map(ToString::to_string);
                    tracing::error!(
                        lane,
                        %after,
                        error = %source,
                        cause = cause.unwrap_or_default(),
                        "the courier cannot go on; letters wait in the lanes"
                    );
                    if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    });
    Ok(())
}
