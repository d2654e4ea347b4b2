CREATE TABLE inbox_secret (secret BLOB NOT NULL);
INSERT INTO inbox_secret VALUES (randomblob(32));
