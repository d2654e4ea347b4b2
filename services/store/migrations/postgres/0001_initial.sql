-- Times are Unix milliseconds, amounts are in the currency's smallest unit. Ids
-- and currencies are compared by bytes, whatever the locale of the database.
-- `user` is a keyword here, and unquoted it means the database's role: the
-- column is `user_id`.

CREATE TABLE rooms (
    id                   TEXT COLLATE "C" PRIMARY KEY,
    title                TEXT    NOT NULL,
    created_at_ms        BIGINT  NOT NULL,
    stream_started_at_ms BIGINT  NOT NULL,
    closed               BOOLEAN NOT NULL DEFAULT FALSE
);

-- Every start of a stream in a room. A message belongs to the last start at or
-- before it, so that an archiver that lags behind a new start still counts the
-- offsets of the old stream's messages from the old start.
CREATE TABLE streams (
    room          TEXT COLLATE "C" NOT NULL,
    started_at_ms BIGINT NOT NULL,
    PRIMARY KEY (room, started_at_ms)
);

CREATE TABLE mutes (
    room     TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C" NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (room, user_id)
);

CREATE INDEX mutes_by_end ON mutes (until_ms);

-- Money: one row per gift or super chat, never deleted by retention.
-- A NULL currency is the platform's own coin.
CREATE TABLE gifts (
    sequence     BIGINT PRIMARY KEY,
    room         TEXT COLLATE "C" NOT NULL,
    user_id      TEXT COLLATE "C" NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('gift', 'super_chat')),
    name         TEXT   NOT NULL,
    count        BIGINT NOT NULL,
    price_minor  BIGINT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency     TEXT COLLATE "C",
    combo        BIGINT,
    at_ms        BIGINT NOT NULL
);

CREATE INDEX gifts_by_room ON gifts (room, sequence);
CREATE INDEX gifts_by_user ON gifts (room, user_id);

CREATE TABLE messages (
    sequence             BIGINT PRIMARY KEY,
    room                 TEXT COLLATE "C" NOT NULL,
    class                TEXT    NOT NULL CHECK (class IN ('signal', 'gift', 'chat')),
    sender               TEXT,
    -- For this user alone: kept, never part of the room's history.
    recipient            TEXT,
    at_ms                BIGINT  NOT NULL,
    stream_started_at_ms BIGINT  NOT NULL,
    offset_ms            BIGINT  NOT NULL,
    recalled             BOOLEAN NOT NULL DEFAULT FALSE,
    -- JSON as it was sent, and as text: JSONB refuses an escaped NUL.
    body                 TEXT    NOT NULL
);

-- What history does not show is not in its indexes, so that a page costs the
-- same however much was recalled.
CREATE INDEX messages_by_room ON messages (room, sequence)
    WHERE NOT recalled AND recipient IS NULL;
CREATE INDEX messages_by_offset ON messages (room, stream_started_at_ms, offset_ms, sequence)
    WHERE NOT recalled AND recipient IS NULL;
CREATE INDEX messages_by_time ON messages (at_ms);

-- One row: everything on the bus up to here is in the archive. It is a table of
-- its own because retention may delete the newest message of a quiet platform;
-- its row is also what archivers wait in line for.
CREATE TABLE archive_position (
    id       SMALLINT PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL
);

INSERT INTO archive_position (id, sequence) VALUES (1, 0);

-- What moderation and moderators did, for whoever must answer for it.
CREATE TABLE audit (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_ms   BIGINT NOT NULL,
    room    TEXT COLLATE "C",
    user_id TEXT COLLATE "C",
    actor   TEXT   NOT NULL,
    action  TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);

CREATE INDEX audit_by_room ON audit (room, id);
CREATE INDEX audit_by_time ON audit (at_ms, id);
