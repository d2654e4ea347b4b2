CREATE TABLE inbox_devices (user_n BIGINT NOT NULL, device TEXT NOT NULL, service TEXT NOT NULL, address TEXT NOT NULL,
    keys TEXT, registered_at_ms BIGINT NOT NULL, badge BIGINT NOT NULL, badge_at_ms BIGINT NOT NULL,
    PRIMARY KEY (user_n, device));
CREATE UNIQUE INDEX inbox_devices_address ON inbox_devices (service, address);
CREATE INDEX inbox_devices_registered ON inbox_devices (registered_at_ms);
CREATE TABLE inbox_push_settings (user_n BIGINT PRIMARY KEY, settings TEXT NOT NULL);
CREATE TABLE inbox_push_services (service TEXT PRIMARY KEY, public_key TEXT);
CREATE TABLE inbox_push_queue (user_n BIGINT NOT NULL, conversation BIGINT NOT NULL, due_ms BIGINT NOT NULL,
    up_to BIGINT NOT NULL, kind SMALLINT NOT NULL, taken BIGINT NOT NULL, attempts BIGINT NOT NULL, rest TEXT,
    PRIMARY KEY (user_n, conversation));
CREATE INDEX inbox_push_queue_due ON inbox_push_queue (due_ms);
CREATE TABLE inbox_follows (host BIGINT NOT NULL, user_n BIGINT NOT NULL, at_ms BIGINT NOT NULL,
    PRIMARY KEY (host, user_n));
CREATE INDEX inbox_follows_user ON inbox_follows (user_n, host);
CREATE TABLE inbox_campaigns (id TEXT PRIMARY KEY, host BIGINT NOT NULL, room TEXT NOT NULL, title TEXT NOT NULL,
    started_at_ms BIGINT NOT NULL, followers BIGINT NOT NULL, after_n BIGINT NOT NULL, told BIGINT NOT NULL,
    ended_at_ms BIGINT, due_ms BIGINT NOT NULL, taken BIGINT NOT NULL);
CREATE INDEX inbox_campaigns_due ON inbox_campaigns (due_ms) WHERE ended_at_ms IS NULL;
