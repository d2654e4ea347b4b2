-- Polls of rooms, their votes by user, and the sums of the votes. A vote and its sum change in one
-- transaction. The votes of a closed poll are deleted ("swept"); its sums stay.
CREATE TABLE polls (
    number       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room         TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    document     TEXT NOT NULL,
    closed_at_ms BIGINT,
    swept        BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (room, id)
);

CREATE INDEX polls_of_room ON polls (room, number);
CREATE INDEX polls_to_sweep ON polls (closed_at_ms) WHERE NOT swept;

CREATE TABLE poll_votes (
    poll   BIGINT NOT NULL,
    voter  TEXT COLLATE "C" NOT NULL,
    choice BIGINT NOT NULL,
    PRIMARY KEY (poll, voter)
);

CREATE TABLE poll_counts (
    poll   BIGINT NOT NULL,
    choice BIGINT NOT NULL,
    votes  BIGINT NOT NULL,
    PRIMARY KEY (poll, choice)
);
