//! The task that checks uploads, some at a time, the oldest first.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use barrage_protocol::code::Refusal;
use barrage_protocol::{Code, Digest, MediaKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::child::CHILD_ARGUMENT;
use super::clip;
use super::form::{Form, ORIGINAL, Problem};
use super::job::{Bounds, Job, Outcome};
use super::kind::{Format, Found, LOOKED_AT_BYTES, find};
use super::store::{self, Checked};
use crate::config::CheckConfig;
use crate::media::Media;
use crate::metrics::CheckEnd;
use crate::review::{self, Awaits, Waiting};
use crate::scan::{Scanned, Scanner};
use crate::spool::Upload;
use crate::upload::{Stage, UploadId};

/// Time after which a check that failed by no fault of the file is made again, and between two looks for work.
const AGAIN: Duration = Duration::from_secs(2);
/// Largest answer of the process that decodes, in bytes.
const OUTCOME_BYTES_MAX: u64 = 64 * 1024;

/// Checks uploads until the shutdown. Checks that run then are made again by the next process.
pub(crate) async fn run(media: Arc<Media>) {
    let mut running: JoinSet<UploadId> = JoinSet::new();
    let mut busy = HashSet::new();
    let mut tick = tokio::time::interval(AGAIN);
    loop {
        tokio::select! {
            () = media.shutdown.cancelled() => break,
            () = media.checkable.notified() => {}
            Some(ended) = running.join_next() => match ended {
                Ok(id) => _ = busy.remove(&id),
                // Which one it was is not known: all are looked at again.
                Err(error) => {
                    tracing::error!(%error, "a check of an upload panicked");
                    busy.clear();
                }
            },
            _ = tick.tick() => {}
        }
        let waiting = media.spool.unchecked();
        media.metrics.checks_waiting.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        for upload in waiting {
            if running.len() >= media.config.check.at_once {
                break;
            }
            if busy.insert(upload.head.id) {
                let media = Arc::clone(&media);
                running.spawn(async move {
                    let id = upload.head.id;
                    check(&media, &upload).await;
                    id
                });
            }
        }
    }
    running.shutdown().await;
}

/// Checks one upload, and writes what became of it.
async fn check(media: &Arc<Media>, upload: &Arc<Upload>) {
    let Stage::Checking { digest } = upload.stage() else { return };
    let Some(turn) = upload.turn().await else { return };
    let timer = media.metrics.check_seconds.start_timer();
    let folder = media.spool.folder().join(format!("{}.check", upload.head.id));
    let checked = make(media, upload, digest, &folder, &turn.overtaken).await;
    timer.observe_duration();
    if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
        tracing::debug!(%error, "the folder of a check could not be removed");
    }
    let (end, written) = match checked {
        Ok(Made::Ready) => (CheckEnd::Ready, media.set_stage(upload, Stage::Ready { digest }).await),
        Ok(Made::Waits(awaits)) => {
            let written = media.set_stage(upload, Stage::InReview { digest }).await;
            if awaits == Awaits::Hook && written.is_ok() {
                review::begin(media, upload, digest);
            }
            (CheckEnd::Waits, written)
        }
        Err(Problem::Refused(refusal)) if refusal.code == Code::Forbidden => {
            (CheckEnd::Denied, media.refuse(upload, refusal).await)
        }
        Err(Problem::Refused(refusal)) => (CheckEnd::Refused, media.refuse(upload, refusal).await),
        Err(Problem::Limit) => {
            let message = "the picture needs more memory or time than is given to one; make it smaller";
            (CheckEnd::Limit, media.refuse(upload, Refusal::new(Code::TooLarge, message)).await)
        }
        Err(Problem::Ended) => return,
        Err(Problem::Failed(error)) => {
            media.metrics.checked(CheckEnd::Failed);
            tracing::warn!(%error, upload = %upload.head.id, "an upload could not be checked; it is tried again");
            tokio::time::sleep(AGAIN).await;
            return;
        }
    };
    media.metrics.checked(end);
    if let Err(error) = written {
        tracing::warn!(error = error.0.message, "the end of a check could not be written; it is made again");
    }
}

/// What a check has made of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// The medium is the sender's.
    Ready,
    /// The medium is in the store, and waits for the hook or a moderator.
    Waits(Awaits),
}

/// Makes the forms of an upload and writes them into the store.
async fn make(
    media: &Media,
    upload: &Arc<Upload>,
    digest: Digest,
    folder: &Path,
    ended: &CancellationToken,
) -> Result<Made, Problem> {
    media.refuse_denied(digest).map_err(|refusal| Problem::Refused(refusal.0))?;
    if review::is_denied(&media.blobs, digest).await? {
        return Err(Problem::Refused(review::denied()));
    }
    may_write(media, digest).await?;
    if media.record(digest).await?.is_some() {
        return refer(media, upload, digest).await;
    }
    let source = media.spool.data(upload);
    let declared = upload.head.metadata.media_type.as_deref();
    let found = find(&start(&source).await?, declared).map_err(Problem::Refused)?;
    if let Some(scanner) = &media.scanner {
        scan(scanner, &source, ended).await?;
    }
    make_folder(folder).await?;
    let checked = match found {
        Found::Picture(format) => decode(media, &source, folder, format, ended).await?,
        Found::Boxes(kind, media_type) => {
            let target = folder.join(ORIGINAL);
            let (from, to) = (source.clone(), target.clone());
            let copied = tokio::task::spawn_blocking(move || clip::copy(&from, &to)).await;
            copied.map_err(|error| Problem::Failed(error.to_string()))??;
            original(kind, media_type, &target)
        }
        Found::Plain(kind, media_type) => original(kind, media_type, &source),
    };
    let writing = async {
        mark(media, upload, digest, checked.kind).await?;
        store::write(media, digest, upload.length(), checked).await?;
        refer(media, upload, digest).await
    };
    tokio::select! {
        written = writing => written,
        () = ended.cancelled() => Err(Problem::Ended),
    }
}

/// Writes that a medium waits, if its kind does. Before the record: a medium without this mark was approved.
async fn mark(media: &Media, upload: &Upload, digest: Digest, kind: MediaKind) -> Result<(), Problem> {
    let is_unanswered = media.asking.is_some() && media.config.hook.covers(kind);
    if is_unanswered || media.config.review.covers(kind) {
        let (user, since_ms) = (upload.head.user.clone(), barrage_clock::unix_ms());
        let waiting = Waiting { digest, user, kind, since_ms, is_unanswered, reason: None };
        review::put(&media.blobs, &waiting).await?;
    }
    Ok(())
}

/// Makes a medium in the store the sender's, unless it waits for a decision.
async fn refer(media: &Media, upload: &Upload, digest: Digest) -> Result<Made, Problem> {
    store::answer(media, upload, digest).await?;
    let made = match review::awaited(&media.blobs, digest).await? {
        Some(awaits) => Made::Waits(awaits),
        None => {
            media.own(&upload.head, digest).await?;
            Made::Ready
        }
    };
    // A removal that began meanwhile may have taken a form: the check is made again.
    may_write(media, digest).await?;
    Ok(made)
}

/// Lets a scanner read the file.
async fn scan(scanner: &Scanner, source: &Path, ended: &CancellationToken) -> Result<(), Problem> {
    let scanned = tokio::select! {
        scanned = scanner.scan(source) => scanned,
        () = ended.cancelled() => return Err(Problem::Ended),
    };
    match scanned {
        Scanned::Clean => Ok(()),
        Scanned::Refused(refusal) => Err(Problem::Refused(refusal)),
        Scanned::Again(why) => Err(Problem::Failed(why)),
    }
}

/// Fails while a medium is being removed; the check is tried again then.
async fn may_write(media: &Media, digest: Digest) -> Result<(), Problem> {
    if media.may_write(digest).await? {
        Ok(())
    } else {
        Err(Problem::Failed("the medium is being removed".into()))
    }
}

fn original(kind: MediaKind, media_type: &str, file: &Path) -> Checked {
    let form = Form { name: ORIGINAL.to_owned(), media_type: media_type.to_owned(), file: file.to_owned() };
    Checked { kind, picture: None, forms: vec![form] }
}

/// Makes an empty folder; one of an earlier check is removed.
async fn make_folder(folder: &Path) -> Result<(), Problem> {
    let folder = folder.to_owned();
    let made = tokio::task::spawn_blocking(move || {
        use std::os::unix::fs::DirBuilderExt;
        drop(std::fs::remove_dir_all(&folder));
        std::fs::DirBuilder::new().mode(0o700).create(&folder)
    });
    Ok(made.await.map_err(|error| Problem::Failed(error.to_string()))??)
}

/// Reads the first bytes of a file.
async fn start(source: &Path) -> Result<Vec<u8>, Problem> {
    let mut start = Vec::new();
    tokio::fs::File::open(source).await?.take(LOOKED_AT_BYTES as u64).read_to_end(&mut start).await?;
    Ok(start)
}

fn bounds(config: &CheckConfig) -> Bounds {
    Bounds {
        pixels_max: u64::from(config.megapixels_max) * 1_000_000,
        frames_max: config.frames_max,
        memory_bytes_max: config.memory_mib_max << 20,
        cpu_secs_max: config.cpu_secs_max,
    }
}

/// Decodes a picture in a process of its own.
async fn decode(
    media: &Media,
    source: &Path,
    folder: &Path,
    format: Format,
    ended: &CancellationToken,
) -> Result<Checked, Problem> {
    let job = Job {
        format,
        source: source.to_owned(),
        folder: folder.to_owned(),
        bounds: bounds(&media.config.check),
    };
    let job = serde_json::to_vec(&job).map_err(|error| Problem::Failed(error.to_string()))?;
    let deadline = Duration::from_secs(media.config.check.secs_max);
    let asked = tokio::time::timeout(deadline, ask(&media.checker, folder, &job));
    let outcome = tokio::select! {
        outcome = asked => outcome.map_err(|_| Problem::Limit)??,
        () = ended.cancelled() => return Err(Problem::Ended),
    };
    match outcome {
        Outcome::Decoded { picture, forms } => {
            Ok(Checked { kind: MediaKind::Image, picture: Some(picture), forms })
        }
        Outcome::Refused(refusal) => Err(Problem::Refused(refusal)),
        Outcome::Failed(error) => Err(Problem::Failed(error)),
    }
}

/// Starts the process, hands it the job and reads its answer. The process ends when this future is dropped.
async fn ask(program: &Path, folder: &Path, job: &[u8]) -> Result<Outcome, Problem> {
    let mut child = Command::new(program)
        .arg(CHILD_ARGUMENT)
        .env_clear()
        // mimalloc reserves 1 GiB when the process starts. It makes memory writable only when it needs it, so that
        // the limit of the process counts all that a picture takes.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(job).await?;
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(OUTCOME_BYTES_MAX).read_to_end(&mut answer).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        // Killed by a limit, or by a failed allocation: both are the picture's doing.
        return Err(Problem::Limit);
    }
    serde_json::from_slice(&answer)
        .map_err(|error| Problem::Failed(format!("the answer of a check: {error}")))
}
