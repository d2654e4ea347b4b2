//! The lane's file: entries in SQLite, and the newest position in a file beside it.

use std::path::Path;

use barrage_protocol::Sequence;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::embedded::file::LogFile;
use crate::embedded::mark::Mark;
use crate::embedded::row;
use crate::error::BusError;
use crate::lanes::{LaneDraft, LaneEntry, LaneReceipt};

/// Entries that one call removes at most, so that it delays appends only briefly.
const FORGET_ROWS: i64 = 5_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS entries (sequence INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, key TEXT,
  fingerprint INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS entries_key ON entries (key) WHERE key IS NOT NULL;
";

pub(super) struct LaneFile {
    connection: Connection,
    mark: Mark,
    last: u64,
    entries: u64,
    entries_max: u64,
    /// Time of the newest entry: a wall clock that steps back does not reorder the times.
    at_ms: u64,
    // Must be closed after the connection: fields are dropped in this order.
    _lock: LogFile,
}

impl LaneFile {
    pub(super) fn open(
        path: &Path,
        lock: LogFile,
        taken: Sequence,
        entries_max: u64,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mark = Mark::open(path)?;
        let connection = row::connect(path)?;
        row::check_version(&connection)?;
        connection.execute_batch(SCHEMA)?;
        let (last, at_ms, entries): (i64, i64, i64) = connection.query_row(
            "SELECT COALESCE(MAX(sequence), 0), COALESCE(MAX(at_ms), 0), COUNT(*) FROM entries",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let (held, reached) = (Sequence(last.cast_unsigned()), mark.reached());
        // What the inbox has taken may have been removed. What it has not taken is missing.
        if reached > held.max(taken) {
            tracing::error!(%held, %taken, %reached, "the lane has lost accepted events");
        }
        Ok(LaneFile {
            connection,
            mark,
            last: held.max(reached).max(taken).0,
            entries: entries.cast_unsigned(),
            entries_max,
            at_ms: at_ms.cast_unsigned(),
            _lock: lock,
        })
    }

    /// Returns the newest position that was given.
    pub(super) fn last(&self) -> Sequence {
        Sequence(self.last)
    }

    /// Appends the drafts of several callers in one synced commit. Each caller's are appended all or none.
    pub(super) fn append(
        &mut self,
        callers: &[Vec<LaneDraft>],
        now_ms: u64,
    ) -> rusqlite::Result<Vec<Result<Vec<LaneReceipt>, BusError>>> {
        let at_ms = now_ms.max(self.at_ms);
        let transaction = self.connection.transaction()?;
        let (mut last, mut entries) = (self.last, self.entries);
        let mut results = Vec::with_capacity(callers.len());
        for drafts in callers {
            let known = known(&transaction, drafts)?;
            let result = match known {
                Err(error) => Err(error),
                Ok(known) => {
                    let new = known.iter().filter(|known| known.is_none()).count() as u64;
                    if new > 0 && entries + new > self.entries_max {
                        Err(BusError::Full("inbox event"))
                    } else {
                        let receipts = insert(&transaction, drafts, &known, &mut last, at_ms)?;
                        entries += receipts.iter().filter(|receipt| !receipt.duplicate).count() as u64;
                        Ok(receipts)
                    }
                }
            };
            results.push(result);
        }
        transaction.commit()?;
        if last > self.last {
            (self.last, self.entries, self.at_ms) = (last, entries, at_ms);
            if let Err(error) = self.mark.note(Sequence(last)) {
                tracing::debug!(%error, "the lane's high-water mark could not be written");
            }
        }
        Ok(results)
    }

    /// Removes the oldest entries up to a position that were accepted before a time.
    pub(super) fn forget(&mut self, up_to: Sequence, before_ms: u64) -> rusqlite::Result<u64> {
        let removed = self.connection.execute(
            "DELETE FROM entries WHERE sequence IN (SELECT sequence FROM entries
                WHERE sequence <= ?1 AND at_ms < ?2 ORDER BY sequence LIMIT ?3)",
            params![signed(up_to.0), signed(before_ms), FORGET_ROWS],
        )?;
        let removed = removed as u64;
        self.entries = self.entries.saturating_sub(removed);
        Ok(removed)
    }

    /// Reads entries on another connection.
    pub(super) fn read(
        connection: &Connection,
        after: Sequence,
        limit: usize,
    ) -> rusqlite::Result<Vec<LaneEntry>> {
        let mut statement = connection.prepare_cached(
            "SELECT sequence, at_ms, body FROM entries WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![signed(after.0), limit], |row| {
            Ok(LaneEntry {
                sequence: Sequence(row.get::<_, i64>(0)?.cast_unsigned()),
                at_ms: row.get::<_, i64>(1)?.cast_unsigned(),
                body: Bytes::from(row.get::<_, Vec<u8>>(2)?),
            })
        })?;
        rows.collect()
    }
}

/// Returns the known entry of each draft; fails when one of the keys was used for another event.
fn known(
    transaction: &Transaction<'_>,
    drafts: &[LaneDraft],
) -> rusqlite::Result<Result<Vec<Option<u64>>, BusError>> {
    let mut find = transaction.prepare_cached("SELECT sequence, fingerprint FROM entries WHERE key = ?1")?;
    let mut found = Vec::with_capacity(drafts.len());
    for (place, draft) in drafts.iter().enumerate() {
        let Some(key) = &draft.key else {
            found.push(None);
            continue;
        };
        // A key may be twice in one append: the second one is a duplicate of the first.
        let earlier = drafts[..place].iter().find(|earlier| earlier.key.as_ref() == Some(key));
        if earlier.is_some_and(|earlier| earlier.fingerprint != draft.fingerprint) {
            return Ok(Err(BusError::Conflict));
        }
        let row: Option<(i64, i64)> =
            find.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match row {
            Some((_, fingerprint)) if fingerprint.cast_unsigned() != draft.fingerprint => {
                return Ok(Err(BusError::Conflict));
            }
            row => found.push(row.map(|(sequence, _)| sequence.cast_unsigned())),
        }
    }
    Ok(Ok(found))
}

/// Inserts the drafts that are new.
fn insert(
    transaction: &Transaction<'_>,
    drafts: &[LaneDraft],
    known: &[Option<u64>],
    last: &mut u64,
    at_ms: u64,
) -> rusqlite::Result<Vec<LaneReceipt>> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO entries (sequence, at_ms, key, fingerprint, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut receipts: Vec<LaneReceipt> = Vec::with_capacity(drafts.len());
    for (place, (draft, known)) in drafts.iter().zip(known).enumerate() {
        let own = draft.key.is_some().then(|| drafts[..place].iter().position(|d| d.key == draft.key));
        let first = known.map(Sequence).or_else(|| own.flatten().map(|own| receipts[own].sequence));
        if let Some(sequence) = first {
            receipts.push(LaneReceipt { sequence, duplicate: true });
            continue;
        }
        *last += 1;
        let fingerprint = draft.fingerprint.cast_signed();
        insert.execute(params![signed(*last), signed(at_ms), draft.key, fingerprint, &draft.body[..]])?;
        receipts.push(LaneReceipt { sequence: Sequence(*last), duplicate: false });
    }
    Ok(receipts)
}

/// Returns a position or time as SQLite has it; both are far below its greatest integer.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
