-- What a purge or a clear hides: the messages of a user, or of all (''), before a position of the
-- room. The messages themselves stay as they are, so that a purge costs one row however many there are.
CREATE TABLE hidden (
    room            TEXT    NOT NULL,
    user            TEXT    NOT NULL,
    before_sequence INTEGER NOT NULL,
    at_ms           INTEGER NOT NULL,
    PRIMARY KEY (room, user)
) WITHOUT ROWID;

CREATE INDEX hidden_by_time ON hidden (at_ms);
