-- Receivers of webhooks as the sending process last knew them. A receiver that answered 410 has a reason.
CREATE TABLE webhook_endpoints (
    name            TEXT PRIMARY KEY,
    url             TEXT   NOT NULL,
    events          TEXT   NOT NULL,
    disabled_reason TEXT,
    disabled_at_ms  INTEGER,
    seen_at_ms      INTEGER NOT NULL
);

-- Position of each receiver in each partition of the bus: events up to it are in webhook_deliveries.
CREATE TABLE webhook_marks (
    endpoint  TEXT NOT NULL,
    partition INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    PRIMARY KEY (endpoint, partition)
);

-- Events for receivers: those that wait, and the log of those that are over.
CREATE TABLE webhook_deliveries (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    endpoint       TEXT NOT NULL,
    event          TEXT NOT NULL,
    kind           TEXT   NOT NULL,
    at_ms          INTEGER NOT NULL,
    body           TEXT   NOT NULL,
    state          TEXT NOT NULL,
    attempts       INTEGER NOT NULL,
    next_at_ms     INTEGER NOT NULL,
    attempted_at_ms INTEGER,
    status         INTEGER,
    error          TEXT,
    UNIQUE (endpoint, event)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint, state, next_at_ms, id);
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (endpoint, id);
