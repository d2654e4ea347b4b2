CREATE TABLE inbox_push_badges (user_n BIGINT PRIMARY KEY, due_ms BIGINT NOT NULL);
CREATE INDEX inbox_push_badges_due ON inbox_push_badges (due_ms);
