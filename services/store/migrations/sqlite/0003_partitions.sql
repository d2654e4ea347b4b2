-- The rooms of the bus may be spread over partitions that count for themselves: a
-- position belongs to a room, and the archive has one for each partition. What was
-- there is partition 0. SQLite changes a primary key by writing the table anew.

CREATE TABLE gifts_by_room_and_sequence (
    sequence     INTEGER NOT NULL,
    room         TEXT    NOT NULL,
    user         TEXT    NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('gift', 'super_chat')),
    name         TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    price_minor  INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT,
    combo        INTEGER,
    at_ms        INTEGER NOT NULL,
    PRIMARY KEY (room, sequence)
);

INSERT INTO gifts_by_room_and_sequence (sequence, room, user, kind, name, count, price_minor,
        amount_minor, currency, combo, at_ms)
    SELECT sequence, room, user, kind, name, count, price_minor, amount_minor, currency, combo, at_ms
    FROM gifts ORDER BY sequence;
DROP TABLE gifts;
ALTER TABLE gifts_by_room_and_sequence RENAME TO gifts;
CREATE INDEX gifts_by_user ON gifts (room, user);

CREATE TABLE messages_by_room_and_sequence (
    sequence             INTEGER NOT NULL,
    room                 TEXT    NOT NULL,
    class                TEXT    NOT NULL CHECK (class IN ('signal', 'gift', 'chat')),
    sender               TEXT,
    -- For this user alone: kept, never part of the room's history.
    recipient            TEXT,
    at_ms                INTEGER NOT NULL,
    stream_started_at_ms INTEGER NOT NULL,
    offset_ms            INTEGER NOT NULL,
    recalled             INTEGER NOT NULL DEFAULT 0 CHECK (recalled IN (0, 1)),
    body                 TEXT    NOT NULL,
    PRIMARY KEY (room, sequence)
);

INSERT INTO messages_by_room_and_sequence (sequence, room, class, sender, recipient, at_ms,
        stream_started_at_ms, offset_ms, recalled, body)
    SELECT sequence, room, class, sender, recipient, at_ms, stream_started_at_ms, offset_ms, recalled, body
    FROM messages ORDER BY sequence;
DROP TABLE messages;
ALTER TABLE messages_by_room_and_sequence RENAME TO messages;

-- What history does not show is not in its indexes, so that a page costs the
-- same however much was recalled.
CREATE INDEX messages_by_room ON messages (room, sequence)
    WHERE recalled = 0 AND recipient IS NULL;
CREATE INDEX messages_by_offset ON messages (room, stream_started_at_ms, offset_ms, sequence)
    WHERE recalled = 0 AND recipient IS NULL;
CREATE INDEX messages_by_time ON messages (at_ms);

-- Everything in the partition up to here is in the archive. It is a table of its
-- own because retention may delete the newest message of a quiet platform.
CREATE TABLE archive_positions (
    partition INTEGER PRIMARY KEY,
    sequence  INTEGER NOT NULL
);

INSERT INTO archive_positions (partition, sequence) SELECT 0, sequence FROM archive_position;
DROP TABLE archive_position;
