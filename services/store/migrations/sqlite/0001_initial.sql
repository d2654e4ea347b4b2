-- Times are Unix milliseconds, amounts are in the currency's smallest unit.

CREATE TABLE rooms (
    id                   TEXT    PRIMARY KEY,
    title                TEXT    NOT NULL,
    created_at_ms        INTEGER NOT NULL,
    stream_started_at_ms INTEGER NOT NULL,
    closed               INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1))
) WITHOUT ROWID;

-- Every start of a stream in a room. A message belongs to the last start at or
-- before it, so that an archiver that lags behind a new start still counts the
-- offsets of the old stream's messages from the old start.
CREATE TABLE streams (
    room          TEXT    NOT NULL,
    started_at_ms INTEGER NOT NULL,
    PRIMARY KEY (room, started_at_ms)
) WITHOUT ROWID;

CREATE TABLE mutes (
    room     TEXT    NOT NULL,
    user     TEXT    NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) WITHOUT ROWID;

CREATE INDEX mutes_by_end ON mutes (until_ms);

-- Money: one row per gift or super chat, never deleted by retention.
-- A NULL currency is the platform's own coin.
CREATE TABLE gifts (
    sequence     INTEGER PRIMARY KEY,
    room         TEXT    NOT NULL,
    user         TEXT    NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('gift', 'super_chat')),
    name         TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    price_minor  INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT,
    combo        INTEGER,
    at_ms        INTEGER NOT NULL
);

CREATE INDEX gifts_by_room ON gifts (room, sequence);
CREATE INDEX gifts_by_user ON gifts (room, user);

CREATE TABLE messages (
    sequence             INTEGER PRIMARY KEY,
    room                 TEXT    NOT NULL,
    class                TEXT    NOT NULL CHECK (class IN ('signal', 'gift', 'chat')),
    sender               TEXT,
    -- For this user alone: kept, never part of the room's history.
    recipient            TEXT,
    at_ms                INTEGER NOT NULL,
    stream_started_at_ms INTEGER NOT NULL,
    offset_ms            INTEGER NOT NULL,
    recalled             INTEGER NOT NULL DEFAULT 0 CHECK (recalled IN (0, 1)),
    body                 TEXT    NOT NULL
);

-- What history does not show is not in its indexes, so that a page costs the
-- same however much was recalled.
CREATE INDEX messages_by_room ON messages (room, sequence)
    WHERE recalled = 0 AND recipient IS NULL;
CREATE INDEX messages_by_offset ON messages (room, stream_started_at_ms, offset_ms, sequence)
    WHERE recalled = 0 AND recipient IS NULL;
CREATE INDEX messages_by_time ON messages (at_ms);

-- One row: everything on the bus up to here is in the archive. It is a table of
-- its own because retention may delete the newest message of a quiet platform.
CREATE TABLE archive_position (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL
);

INSERT INTO archive_position (id, sequence) VALUES (1, 0);
