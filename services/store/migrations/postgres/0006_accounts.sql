-- Accounts of people. `name_key` is the folded name: names that look alike are one name.
CREATE TABLE accounts (
    account       TEXT COLLATE "C" PRIMARY KEY,
    name          TEXT NOT NULL,
    name_key      TEXT COLLATE "C" NOT NULL UNIQUE,
    avatar        TEXT,
    password_hash TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

-- Sessions of accounts, with the SHA-256 of each secret. A session of a time that is over counts as ended.
CREATE TABLE account_sessions (
    number        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL UNIQUE,
    account       TEXT COLLATE "C" NOT NULL,
    secret_hash   TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at_ms BIGINT NOT NULL,
    used_at_ms    BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);

CREATE INDEX account_sessions_of_account ON account_sessions (account, number);
CREATE INDEX account_sessions_by_end ON account_sessions (expires_at_ms);
