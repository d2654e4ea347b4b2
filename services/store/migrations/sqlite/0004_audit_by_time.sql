-- Old lines are deleted by their time. Without this index each deletion reads the whole log.
CREATE INDEX audit_by_time ON audit (at_ms, id);
