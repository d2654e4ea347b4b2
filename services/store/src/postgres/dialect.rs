//! Statements that only PostgreSQL takes.
//!
//! In a query for a page of one room, the room is a range and not an equality, so that only an index
//! by room and sequence has the wanted order. By an equality PostgreSQL may take another index, and
//! read and sort far more rows than a page. Deletions skip rows that another transaction has locked:
//! the next call finds them. A position in `hidden` is that of a purge or a clear: what is before it is
//! hidden. Their array is made once; a join could run the locking query again and
//! exceed the limit.

use std::borrow::Cow;

use crate::sql::engine::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    gifts: r#"
        SELECT *, user_id AS "user" FROM gifts
        WHERE (room, sequence) > ($1, $2) AND room <= $1 ORDER BY room, sequence LIMIT $3"#,
    history_after: "
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE (room, sequence) > ($1, GREATEST($2,
                COALESCE((SELECT before_sequence - 1 FROM hidden WHERE room = $1 AND user_id = ''), 0)))
            AND room <= $1 AND NOT recalled AND recipient IS NULL
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = messages.sender), 0)
        ORDER BY room, sequence LIMIT $3",
    history_before: "
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE (room, sequence) < ($1, $2) AND NOT recalled AND recipient IS NULL
            AND (room, sequence) >= ($1, COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = ''), 0))
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = messages.sender), 0)
        ORDER BY room DESC, sequence DESC LIMIT $3",
    history_media: r#"
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE (room, sequence) < ($1, $2) AND strpos(body, '"media":{"digest":"') > 0 AND NOT recalled
            AND recipient IS NULL
            AND (room, sequence) >= ($1, COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = ''), 0))
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = messages.sender), 0)
        ORDER BY room DESC, sequence DESC LIMIT $3"#,
    history_by_offset: "
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE room = $1 AND NOT recalled AND recipient IS NULL
            AND stream_started_at_ms = COALESCE(
                (SELECT MAX(started_at_ms) FROM streams WHERE room = $1),
                (SELECT stream_started_at_ms FROM messages
                 WHERE room >= $1 AND room <= $1 AND NOT recalled AND recipient IS NULL
                 ORDER BY room DESC, sequence DESC LIMIT 1))
            AND offset_ms >= $2 AND offset_ms < $3
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = ''), 0)
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user_id = messages.sender), 0)
        ORDER BY offset_ms, sequence LIMIT $4",
    shows_medium: r#"
        SELECT 1 FROM messages
        WHERE substr(body, strpos(body, '"media":{"digest":"') + 19, 64) = $1
            AND strpos(body, '"media":{"digest":"') > 0 AND NOT recalled
            AND NOT EXISTS (SELECT 1 FROM hidden
                WHERE hidden.room = messages.room AND hidden.user_id IN ('', COALESCE(messages.sender, ''))
                    AND hidden.before_sequence > messages.sequence)
        LIMIT 1"#,
    delete_messages: "
        DELETE FROM messages WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM messages WHERE at_ms < $1
            ORDER BY at_ms LIMIT $2 FOR UPDATE SKIP LOCKED))",
    audit: r#"
        SELECT id, at_ms, room, user_id AS "user", actor, action, detail FROM audit
        WHERE id < $1 AND ($3::text IS NULL OR user_id = $3) AND ($4::text IS NULL OR actor = $4)
            AND ($5::text IS NULL OR action = $5)
        ORDER BY id DESC LIMIT $2"#,
    audit_of_room: r#"
        SELECT id, at_ms, room, user_id AS "user", actor, action, detail FROM audit
        WHERE (room, id) < ($1, $2) AND room >= $1 AND ($4::text IS NULL OR user_id = $4)
            AND ($5::text IS NULL OR actor = $5) AND ($6::text IS NULL OR action = $6)
        ORDER BY room DESC, id DESC LIMIT $3"#,
    delete_audit: "
        DELETE FROM audit WHERE id = ANY(ARRAY(
            SELECT id FROM audit WHERE at_ms < $1 ORDER BY at_ms, id LIMIT $2 FOR UPDATE SKIP LOCKED))",
};

/// PostgreSQL cannot store NUL: a gift with one in its name must not stop the ledger.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
