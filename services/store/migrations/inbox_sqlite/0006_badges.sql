CREATE TABLE inbox_push_badges (user_n INTEGER PRIMARY KEY, due_ms INTEGER NOT NULL);
CREATE INDEX inbox_push_badges_due ON inbox_push_badges (due_ms);
