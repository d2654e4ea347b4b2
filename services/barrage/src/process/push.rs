//! The role push: a part of `barrage up` while a service is configured, and the process `barrage push`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use barrage_notifier::{Announced, NotifierMetrics, Parts, Presence, PushConfig, Unknown};
use barrage_push::VapidKey;
use barrage_store::PushStore;

use super::context::ProcessContext;
use super::inbox::Inbox;
use crate::data_dir::{self, MakeKey};
use crate::supervise::{Stage, Supervisor, Task, Wakeup};

/// File of the key of Web Push, in the data directory.
const KEY_FILE: &str = "vapid.key";
/// Wait before the role is started again after an error, in a process with other roles.
const AGAIN: Duration = Duration::from_secs(10);

/// Starts the role. What it has not sent at the shutdown is in the queue, and is sent after the next start.
pub(super) fn start(context: &ProcessContext, inbox: &Inbox, tasks: &mut Supervisor) -> anyhow::Result<()> {
    let config = with_key(context)?;
    let (metrics, stop) = (NotifierMetrics::new(&context.registry)?, context.stop.archiver.clone());
    let presence: Arc<dyn Presence> = match &context.mail {
        Some(mail) => {
            let announced = Arc::new(Announced::default());
            let following = Arc::clone(&announced).run(Arc::clone(mail), stop.clone());
            tasks.spawn(Task::new("devices in use", Stage::Archiver), Wakeup::OwnTimer, async move {
                following.await;
                Ok(())
            });
            announced
        }
        None => Arc::new(Unknown),
    };
    let parts = Parts {
        store: Arc::clone(&inbox.store) as Arc<dyn PushStore>,
        bus: Arc::clone(&context.bus),
        presence,
        tls: context.config.client_tls()?,
    };
    // Rooms must not end with the notifications: in a process with other roles the role is started again.
    let is_alone = !context.roles.is_public();
    tasks.spawn(Task::new("push", Stage::Archiver), Wakeup::OwnTimer, async move {
        loop {
            let running = barrage_notifier::run(config.clone(), parts.clone(), metrics.clone(), stop.clone());
            match running.await {
                Ok(report) => {
                    tracing::info!(settled = report.settled, "push stopped");
                    return Ok(());
                }
                Err(error) if is_alone => return Err(error.into()),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::error!(
                        %error,
                        cause = cause.unwrap_or_default(),
                        "no notification is sent; they wait in the queue"
                    );
                    if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                        return Ok(());
                    }
                }
            }
        }
    });
    Ok(())
}

/// Returns the settings with a file of the key of Web Push; `up` makes one where none is named.
fn with_key(context: &ProcessContext) -> anyhow::Result<PushConfig> {
    let mut config = context.config.push.clone();
    if !config.contact.is_empty() && config.vapid_key_file.is_none() {
        let path = context.config.data_dir.join(KEY_FILE);
        if context.roles.is_whole() && !path.exists() {
            make_key(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        config.vapid_key_file = Some(data_dir::secret(&path, MakeKey::Never, "push.vapid_key_file")?);
    }
    Ok(config)
}

fn make_key(path: &Path) -> anyhow::Result<()> {
    let (_, pem) = VapidKey::generate("")?;
    data_dir::write_secret(path, pem.as_bytes())
}
