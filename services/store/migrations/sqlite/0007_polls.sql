-- Polls of rooms, their votes by user, and the sums of the votes. A vote and its sum change in one
-- transaction. The votes of a closed poll are deleted ("swept"); its sums stay.
CREATE TABLE polls (
    number       INTEGER PRIMARY KEY,
    room         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    document     TEXT    NOT NULL,
    closed_at_ms INTEGER,
    swept        BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (room, id)
);

CREATE INDEX polls_of_room ON polls (room, number);
CREATE INDEX polls_to_sweep ON polls (closed_at_ms) WHERE NOT swept;

CREATE TABLE poll_votes (
    poll   INTEGER NOT NULL,
    voter  TEXT    NOT NULL,
    choice INTEGER NOT NULL,
    PRIMARY KEY (poll, voter)
) WITHOUT ROWID;

CREATE TABLE poll_counts (
    poll   INTEGER NOT NULL,
    choice INTEGER NOT NULL,
    votes  INTEGER NOT NULL,
    PRIMARY KEY (poll, choice)
) WITHOUT ROWID;
