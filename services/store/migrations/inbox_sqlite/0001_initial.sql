CREATE TABLE inbox_users (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL,
    unread INTEGER NOT NULL, policy INTEGER NOT NULL, receipts INTEGER NOT NULL);
CREATE TABLE inbox_conversations (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner INTEGER NOT NULL,
    peer INTEGER, head_position INTEGER NOT NULL, head_count INTEGER NOT NULL, sequence INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, members INTEGER NOT NULL, state INTEGER NOT NULL, settings TEXT);
CREATE TABLE inbox_members (user_n INTEGER NOT NULL, conversation INTEGER NOT NULL, peer INTEGER,
    version INTEGER NOT NULL, folder INTEGER NOT NULL, notify INTEGER NOT NULL, role INTEGER NOT NULL,
    joined_position INTEGER NOT NULL, left_position INTEGER, read_position INTEGER NOT NULL,
    read_count INTEGER NOT NULL, own_count INTEGER NOT NULL, own_read INTEGER NOT NULL,
    cleared INTEGER NOT NULL, pinned INTEGER NOT NULL, marked INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_n, conversation)) WITHOUT ROWID;
CREATE INDEX inbox_members_of ON inbox_members (conversation, user_n);
CREATE INDEX inbox_members_version ON inbox_members (user_n, version);
CREATE TABLE inbox_messages (conversation INTEGER NOT NULL, position INTEGER NOT NULL, count INTEGER NOT NULL,
    own INTEGER NOT NULL, sender INTEGER NOT NULL, id TEXT, at_ms INTEGER NOT NULL, sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL, body TEXT NOT NULL, target INTEGER, state INTEGER NOT NULL,
    grouped INTEGER NOT NULL, PRIMARY KEY (conversation, position)) WITHOUT ROWID;
CREATE UNIQUE INDEX inbox_messages_id ON inbox_messages (conversation, sender, id) WHERE id IS NOT NULL;
CREATE INDEX inbox_messages_own ON inbox_messages (conversation, sender, position) WHERE grouped = 1;
CREATE TABLE inbox_hidden (user_n INTEGER NOT NULL, conversation INTEGER NOT NULL, position INTEGER NOT NULL,
    version INTEGER NOT NULL, PRIMARY KEY (user_n, conversation, position)) WITHOUT ROWID;
CREATE INDEX inbox_hidden_version ON inbox_hidden (user_n, version);
CREATE TABLE inbox_mentions (user_n INTEGER NOT NULL, conversation INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (user_n, conversation, position)) WITHOUT ROWID;
CREATE TABLE inbox_blocks (user_n INTEGER NOT NULL, other INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_n, other)) WITHOUT ROWID;
CREATE TABLE inbox_undelivered (user_n INTEGER NOT NULL, version INTEGER NOT NULL, conversation TEXT NOT NULL,
    id TEXT NOT NULL, refusal TEXT NOT NULL, at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_n, version, conversation, id)) WITHOUT ROWID;
CREATE TABLE inbox_marks (lane INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
CREATE INDEX inbox_members_groups ON inbox_members (user_n) WHERE peer IS NULL AND left_position IS NULL;
