CREATE TABLE inbox_secret (secret BYTEA NOT NULL);
INSERT INTO inbox_secret VALUES
    (DECODE(REPLACE(GEN_RANDOM_UUID()::text || GEN_RANDOM_UUID()::text, '-', ''), 'hex'));
