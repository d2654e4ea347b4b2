-- What a purge or a clear hides: the messages of a user, or of all (''), before a position of the
-- room. The messages themselves stay as they are, so that a purge costs one row however many there are.
CREATE TABLE hidden (
    room            TEXT COLLATE "C" NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    before_sequence BIGINT NOT NULL,
    at_ms           BIGINT NOT NULL,
    PRIMARY KEY (room, user_id)
);

CREATE INDEX hidden_by_time ON hidden (at_ms);
