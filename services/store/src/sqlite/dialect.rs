//! Statements that only SQLite takes. Conditions are written as in the partial indexes, which SQLite
//! uses only then. A position in `hidden` is that of a purge or a clear: what is before it is hidden.
//! A column with a plus is compared row by row, and chooses no index.

use crate::sql::engine::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    gifts: "SELECT * FROM gifts WHERE room = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
    history_after: "
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE room = $1 AND recalled = 0 AND recipient IS NULL
            AND sequence > MAX($2, COALESCE((SELECT before_sequence - 1 FROM hidden WHERE room = $1 AND user = ''), 0))
            AND +sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = messages.sender), 0)
        ORDER BY sequence LIMIT $3",
    history_before: "
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE room = $1 AND recalled = 0 AND recipient IS NULL AND sequence < $2
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = ''), 0)
            AND +sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = messages.sender), 0)
        ORDER BY sequence DESC LIMIT $3",
    history_media: r#"
        SELECT sequence, class, at_ms, offset_ms, body FROM messages INDEXED BY messages_with_media
        WHERE room = $1 AND instr(body, '"media":{"digest":"') > 0 AND recalled = 0
            AND recipient IS NULL AND sequence < $2
            AND sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = ''), 0)
            AND +sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = messages.sender), 0)
        ORDER BY sequence DESC LIMIT $3"#,
    history_by_offset: "
        SELECT sequence, class, at_ms, offset_ms, body FROM messages
        WHERE room = $1 AND recalled = 0 AND recipient IS NULL
            AND stream_started_at_ms = COALESCE(
                (SELECT MAX(started_at_ms) FROM streams WHERE room = $1),
                (SELECT stream_started_at_ms FROM messages
                 WHERE room = $1 AND recalled = 0 AND recipient IS NULL ORDER BY sequence DESC LIMIT 1))
            AND offset_ms >= $2 AND offset_ms < $3
            AND +sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = ''), 0)
            AND +sequence >= COALESCE((SELECT before_sequence FROM hidden WHERE room = $1 AND user = messages.sender), 0)
        ORDER BY offset_ms, sequence LIMIT $4",
    shows_medium: r#"
        SELECT 1 FROM messages
        WHERE substr(body, instr(body, '"media":{"digest":"') + 19, 64) = $1
            AND instr(body, '"media":{"digest":"') > 0 AND recalled = 0
            AND NOT EXISTS (SELECT 1 FROM hidden
                WHERE hidden.room = messages.room AND hidden.user IN ('', COALESCE(messages.sender, ''))
                    AND hidden.before_sequence > messages.sequence)
        LIMIT 1"#,
    delete_messages: "
        DELETE FROM messages WHERE rowid IN
            (SELECT rowid FROM messages WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)",
    audit: "
        SELECT id, at_ms, room, user, actor, action, detail FROM audit
        WHERE id < $1 AND ($3 IS NULL OR user = $3) AND ($4 IS NULL OR actor = $4)
            AND ($5 IS NULL OR action = $5)
        ORDER BY id DESC LIMIT $2",
    audit_of_room: "
        SELECT id, at_ms, room, user, actor, action, detail FROM audit
        WHERE room = $1 AND id < $2 AND ($4 IS NULL OR user = $4) AND ($5 IS NULL OR actor = $5)
            AND ($6 IS NULL OR action = $6)
        ORDER BY id DESC LIMIT $3",
    delete_audit: "
        DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at_ms < $1 ORDER BY at_ms, id LIMIT $2)",
};
