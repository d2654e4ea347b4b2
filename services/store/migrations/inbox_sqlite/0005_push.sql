CREATE TABLE inbox_devices (user_n INTEGER NOT NULL, device TEXT NOT NULL, service TEXT NOT NULL, address TEXT NOT NULL,
    keys TEXT, registered_at_ms INTEGER NOT NULL, badge INTEGER NOT NULL, badge_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_n, device)) WITHOUT ROWID;
CREATE UNIQUE INDEX inbox_devices_address ON inbox_devices (service, address);
CREATE INDEX inbox_devices_registered ON inbox_devices (registered_at_ms);
CREATE TABLE inbox_push_settings (user_n INTEGER PRIMARY KEY, settings TEXT NOT NULL);
CREATE TABLE inbox_push_services (service TEXT PRIMARY KEY, public_key TEXT) WITHOUT ROWID;
CREATE TABLE inbox_push_queue (user_n INTEGER NOT NULL, conversation INTEGER NOT NULL, due_ms INTEGER NOT NULL,
    up_to INTEGER NOT NULL, kind INTEGER NOT NULL, taken INTEGER NOT NULL, attempts INTEGER NOT NULL, rest TEXT,
    PRIMARY KEY (user_n, conversation)) WITHOUT ROWID;
CREATE INDEX inbox_push_queue_due ON inbox_push_queue (due_ms);
CREATE TABLE inbox_follows (host INTEGER NOT NULL, user_n INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (host, user_n)) WITHOUT ROWID;
CREATE INDEX inbox_follows_user ON inbox_follows (user_n, host);
CREATE TABLE inbox_campaigns (id TEXT PRIMARY KEY, host INTEGER NOT NULL, room TEXT NOT NULL, title TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL, followers INTEGER NOT NULL, after_n INTEGER NOT NULL, told INTEGER NOT NULL,
    ended_at_ms INTEGER, due_ms INTEGER NOT NULL, taken INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX inbox_campaigns_due ON inbox_campaigns (due_ms) WHERE ended_at_ms IS NULL;
