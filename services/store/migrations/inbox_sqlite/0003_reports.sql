CREATE TABLE inbox_reports (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, reporter TEXT NOT NULL,
    target TEXT NOT NULL, conversation TEXT NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL,
    closed_at_ms INTEGER, closed_by TEXT, note TEXT);
CREATE UNIQUE INDEX inbox_reports_open ON inbox_reports (reporter, target, conversation) WHERE closed_at_ms IS NULL;
