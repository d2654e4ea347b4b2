-- Receivers of webhooks as the sending process last knew them. A receiver that answered 410 has a reason.
CREATE TABLE webhook_endpoints (
    name            TEXT COLLATE "C" PRIMARY KEY,
    url             TEXT   NOT NULL,
    events          TEXT   NOT NULL,
    disabled_reason TEXT,
    disabled_at_ms  BIGINT,
    seen_at_ms      BIGINT NOT NULL
);

-- Position of each receiver in each partition of the bus: events up to it are in webhook_deliveries.
CREATE TABLE webhook_marks (
    endpoint  TEXT COLLATE "C" NOT NULL,
    partition BIGINT NOT NULL,
    sequence  BIGINT NOT NULL,
    PRIMARY KEY (endpoint, partition)
);

-- Events for receivers: those that wait, and the log of those that are over.
CREATE TABLE webhook_deliveries (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint       TEXT COLLATE "C" NOT NULL,
    event          TEXT COLLATE "C" NOT NULL,
    kind           TEXT   NOT NULL,
    at_ms          BIGINT NOT NULL,
    body           TEXT   NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,
    attempts       BIGINT NOT NULL,
    next_at_ms     BIGINT NOT NULL,
    attempted_at_ms BIGINT,
    status         BIGINT,
    error          TEXT,
    UNIQUE (endpoint, event)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, state, next_at_ms, id);
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (endpoint, id);
